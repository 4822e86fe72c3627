"""`HUBTrainingSession`: the names and rules that scripts rely on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hub_callbacks import wire
from hub_callbacks.errors import HubCallbacksError, OutboxError
from hub_callbacks.outbox import HORIZON_S, Hub, RunStatus
from hub_callbacks.records import Checkpoint, End, EpochsPlanned, RunFinished, RunStarted, Summary
from hub_callbacks.session.artifacts import Artifacts
from hub_callbacks.session.hub_model import HubModel
from hub_callbacks.session.plan import started
from hub_callbacks.session.recorder import Recorder, checkpoint_file
from hub_callbacks.settings import Settings


class HUBTrainingSession(HubModel):
    """One run, as its trainer sees it.

    What is recorded is safe from any crash when the method returns. No socket is opened and no thread is started, but
    by `load_model`, `client`, `model` and `request_queue`, which are there to talk to the hub.

    Attributes:
        rate_limits: Seconds between two uploads: ``metrics``, ``ckpt``, ``heartbeat``.
        timers: When the last upload of ``metrics`` and of ``ckpt`` was queued, by the monotonic clock.
        metrics_queue: Epoch to its row, as it was given: what waits for the next `upload_metrics`. A script may put in
            rows of its own, also as JSON text.
        metrics_upload_failed_queue: The same for rows that the outbox could not take; tried again with the next row.
        alive: Whether the run is going on.
    """

    def __init__(
        self,
        identifier: str | None = None,
        *,
        settings: Settings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a session; with the identifier of a model of the hub, load that model.

        Args:
            identifier: As `identifier.parse` takes it; None when `start` will say all.
            settings: Where to record and deliver; loaded when None.
            clock: The timers' clock, in seconds.

        Raises:
            IdentifierError: The identifier has none of the forms.
            HubModelError: There is no such model, or it cannot be trained.
            TransportError: The model cannot be loaded.
        """
        super().__init__(identifier, settings=settings or Settings.load())
        self.rate_limits = {
            "metrics": self.settings.metrics_s,
            "ckpt": self.settings.ckpt_s,
            "heartbeat": self.settings.heartbeat_s,
        }
        self.timers: dict[str, float] = {}
        self.metrics_queue: dict[int, Mapping[str, float] | str] = {}
        self.metrics_upload_failed_queue: dict[int, Mapping[str, float]] = {}
        self.alive = False
        self._clock = clock
        self._taken: dict[int, object] = {}  # the rows of the queue that are recorded already
        self._recorder: Recorder | None = None

    @classmethod
    def create_session(
        cls, identifier: str, args: Any = None, *, settings: Settings | None = None
    ) -> HUBTrainingSession:
        """A session for an identifier; for a file, with training arguments, its run is created too.

        Raises:
            HubCallbacksError: As for the constructor and `start`.
        """
        session = cls(identifier, settings=settings)
        if args is not None and session.filename:
            session.create_model(args)
        return session

    def create_model(self, model_args: Any) -> None:
        """Create a run from training arguments: a mapping, or a namespace as ``trainer.args`` is.

        Raises:
            HubCallbacksError: As for `start`.
        """
        args = dict(model_args if isinstance(model_args, Mapping) else vars(model_args))
        model = Path(self.filename or str(args.get("model") or ""))
        record = RunStarted(
            name=str(args.get("name") or model.stem),
            model=model.name,
            dataset=str(args.get("data") or ""),
            epochs=int(args.get("epochs") or 0),
            args=json.loads(json.dumps(args, default=str)),
            started_at=time.time(),
        )
        self.start(record)

    def start(self, record: RunStarted, *, run_id: str | None = None, after: float = 0.0) -> None:
        """Begin a run, or continue the run of that id, and see that a courier is at work.

        Args:
            record: What the run is. What earlier trainings of it have said of epochs from ``start_epoch`` on no longer
                holds: here at once, on the hub when it hears of this.
            run_id: The run to continue; None for a new one.
            after: When the training began that it continues, where the hub says; Unix time.

        Raises:
            OutboxError: The outbox cannot be used.
            OSError: The courier cannot be started.
        """
        self.model_id = run_id or wire.new_id()
        hub = Hub(api_url=self.settings.api_url, web_url=self.settings.web_url, api_key=self.settings.api_key)
        self._recorder = Recorder(self.model_id, self.settings, hub)
        self._recorder.start(record, after=after)
        self.alive = True

    def start_timers(self) -> None:
        """Let both rate limits count from now."""
        now = self._clock()
        self.timers = {"metrics": now, "ckpt": now}

    def record_metrics(self, epoch: int, values: Mapping[str, float]) -> None:
        """Record an epoch's row; when the rate limit allows it, queue the upload of all rows since the last one.

        Raises:
            OutboxError: The outbox could not take it; it is tried again with the next row.
        """
        self.metrics_queue[epoch] = values
        now, is_due = time.time(), self._is_due("metrics")
        due_at = now if is_due else now + min(self.rate_limits["metrics"], HORIZON_S)
        try:
            (self._recorder or self._run).put_row(epoch, values, recorded_at=now, due_at=due_at)
        except OutboxError:
            self.metrics_upload_failed_queue[epoch] = dict(values)  # who reuses theirs may change it meanwhile
            raise
        self._taken[epoch] = values
        if self.metrics_upload_failed_queue:
            self._retry_failed(now, due_at)
        if is_due:
            if len(self.metrics_queue) > 1:  # this row is due by itself
                self.upload_metrics()
            self.timers["metrics"] = self._clock()
            self.metrics_queue, self._taken = {}, {}

    def epochs_recorded(self) -> set[int]:
        """The epochs that have a row, delivered or not; 0-based."""
        return self._begun.epochs()

    def upload_metrics(self) -> None:
        """Queue the rows that were recorded so far for delivery now, whatever the rate limit.

        Rows that a script has put into `metrics_queue` itself are recorded first.

        Raises:
            OutboxError: The outbox cannot take them.
            ValueError: Such a row is no mapping of names to numbers.
        """
        now = time.time()
        for epoch, row in self.metrics_queue.items():
            if epoch not in self._taken or self._taken[epoch] is not row:
                self._run.put_row(int(epoch), _numbers(epoch, row), recorded_at=now, due_at=now)
                self._taken[epoch] = row
        self._run.make_due(now)

    def record_summary(self, values: Mapping[str, float]) -> None:
        """Record what the best checkpoint scored after the last epoch."""
        now = time.time()
        self._run.put(Summary(values=values, recorded_at=now), due_at=now)

    def plan_epochs(self, epochs: int) -> None:
        """Record that the training is planned to have another number of epochs than it began with."""
        self._run.plan_epochs(EpochsPlanned(epochs=epochs, recorded_at=time.time()))

    def record_checkpoint(self, epoch: int, weights: str | Path, *, is_best: bool = False) -> None:
        """Queue the upload of a periodic checkpoint, when the rate limit allows it."""
        if self.settings.upload_weights and self._is_due("ckpt"):
            self.upload_model(epoch, weights, is_best)
            self.timers["ckpt"] = self._clock()

    def upload_model(
        self,
        epoch: int,
        weights: str | Path,
        is_best: bool = False,
        map: float = 0.0,  # noqa: A002 - the name that callers use
        final: bool = False,
    ) -> None:
        """Copy a checkpoint and queue its upload, whatever the rate limit, unless ``upload_weights`` keeps it here.

        Args:
            epoch: The epoch that it was saved in, 0-based.
            weights: The file. When it is missing and final, ``last.pt`` beside it is taken, with a warning.
            is_best: Whether that very epoch is the best so far.
            map: mAP50-95 of a final model.
            final: Whether it is the model that the training ends with.

        Raises:
            OutboxError: It cannot be copied or queued. The run goes on without it.
        """
        source = checkpoint_file(Path(weights), final=final)
        if source is None:
            return
        record = Checkpoint(
            epoch=epoch,
            filename="best.pt" if final else "last.pt",
            size_bytes=source.stat().st_size,
            is_best=bool(is_best),
            is_final=final,
            map=float(map),
            recorded_at=time.time(),
        )
        if self.settings.upload_weights:
            self._run.put_checkpoint(record, source)
        else:
            self._run.keep(record, "upload_weights")

    @property
    def artifacts(self) -> Artifacts:
        """What takes the run's pictures."""
        return Artifacts(self._run, self.settings)

    def stop_reason(self) -> str:
        """Why the hub wants the training to stop after this epoch; empty when it does not."""
        return (self._recorder or self._begun).stop_reason()

    def finish(self, state: End = "finished", reason: str = "") -> None:
        """Record the end of the run; everything of it is due at once. A second end is ignored."""
        self.alive = False
        self._begun.finish(RunFinished(state=state, reason=reason, finished_at=time.time()))

    def wait(self, timeout_s: float) -> Iterator[RunStatus]:
        """How far the delivery is, time and again: until all is delivered, or the time is over."""
        return self._begun.wait(timeout_s)

    def status(self) -> RunStatus:
        """How far the delivery of this run is."""
        return self._begun.status()

    @property
    def agent_id(self) -> str | None:
        """The id that the hub gave to this training in its last heartbeat; None before it."""
        return self.status().agent_id if self._recorder else None

    @property
    def _run(self) -> Recorder:
        """What takes the records. A script has no trainer that begins the run of a model of the hub: its first does."""
        if self._recorder is None and self.train_args is not None:
            first_epoch = min(map(int, self.metrics_queue), default=None)
            record = started(self.data, at=time.time(), first_epoch=first_epoch)
            self.start(record, run_id=self.model_id, after=float((self.data.get("run") or {}).get("attempt") or 0.0))
        return self._begun

    @property
    def _begun(self) -> Recorder:
        if self._recorder is None:
            raise HubCallbacksError("This session has no run yet: call create_model or start first.")
        return self._recorder

    def _retry_failed(self, now: float, due_at: float) -> None:
        for epoch in list(self.metrics_upload_failed_queue):
            self._run.put_row(epoch, self.metrics_upload_failed_queue[epoch], recorded_at=now, due_at=due_at)
            del self.metrics_upload_failed_queue[epoch]
            self._taken[epoch] = self.metrics_queue.get(epoch)

    def _is_due(self, name: str) -> bool:
        now = self._clock()
        return now - self.timers.setdefault(name, now) > self.rate_limits[name]


def _numbers(epoch: int, row: Mapping[str, float] | str) -> dict[str, float]:
    """A row of a script as plain numbers.

    Raises:
        ValueError: It is none.
    """
    try:
        return {name: float(value) for name, value in (json.loads(row) if isinstance(row, str) else row).items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"The row of epoch {epoch} is {row!r}, not names with a number each: {error}") from error
