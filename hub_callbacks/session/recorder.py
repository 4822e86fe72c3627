"""One run's way into the outbox."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from hub_callbacks.courier.process import start as start_courier
from hub_callbacks.errors import OutboxDamagedError, OutboxError, OutboxFullError
from hub_callbacks.outbox import KEPT, Beginning, Hub, Journal, Outbox, OutboxFolder, RunStatus
from hub_callbacks.outbox.spool import copy_in, size_bytes, write_in
from hub_callbacks.records import Artifact, Checkpoint, EpochsPlanned, Metrics, Record, RunFinished, RunStarted
from hub_callbacks.settings import Settings

logger = logging.getLogger(__name__)

_POLL_S = 0.05
_NEXT_S = 1e-3  # between two trainings of a run, at least
_LOCK_TIMEOUT_S = 2.0  # longer than the courier holds it to see whether it is free


class Recorder:
    """Records one run: what a method was given is safe from any crash when it returns.

    From `start` to `finish` it holds the run's lock, which tells the courier that the trainer lives.

    Args:
        run_id: The run.
        settings: Where the outbox lies.
        hub: Where the run is delivered.
    """

    def __init__(self, run_id: str, settings: Settings, hub: Hub) -> None:
        self._run_id = run_id
        self._settings = settings
        self._hub = hub
        self._folder = OutboxFolder.under(settings.data_dir)
        self._outbox = Outbox(self._folder)
        self._started: RunStarted | None = None
        self._journal: Journal | None = None  # from the beginning to the end
        lock = self._folder.run_lock(run_id)
        lock.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(lock, timeout=_LOCK_TIMEOUT_S, thread_local=False)

    def start(self, record: RunStarted, *, after: float = 0.0) -> None:
        """Begin the run, or continue it, and see that a courier is at work.

        A training that continues another begins after it, whatever the clocks of their machines say: by that the hub
        knows which of them holds.

        Args:
            record: What the run is.
            after: When the training began that it continues, as far as the hub knows; Unix time.
        """
        self._lock.acquire()
        self._insist(lambda outbox: self._begin(outbox, record, after))
        start_courier(self._folder, self._settings)

    def put(self, record: Record, *, due_at: float, file: str = "") -> None:
        """Queue a record, with the name of its copy in the spool."""
        self._insist(lambda outbox: outbox.queue.put(self._run_id, record, due_at=due_at, file=file))

    def put_row(self, epoch: int, values: Mapping[str, float], *, recorded_at: float, due_at: float) -> None:
        """Append an epoch's row to the run's journal; before the beginning and after the end there is none."""
        if self._journal is not None:
            self._journal.put_row(epoch, values, recorded_at=recorded_at, due_at=due_at)
        else:
            self.put(Metrics(epoch=epoch, values=values, recorded_at=recorded_at), due_at=due_at)

    def plan_epochs(self, record: EpochsPlanned) -> None:
        """Record another number of planned epochs."""
        self._insist(lambda outbox: outbox.runs.plan_epochs(self._run_id, record))

    def put_checkpoint(self, record: Checkpoint, source: Path) -> None:
        """Copy a checkpoint and queue it; a periodic one supersedes older ones that are not on their way.

        A final model that no copy can be made of is delivered from where it lies.

        Raises:
            OutboxFullError: There is no room for a periodic checkpoint. The drop is counted.
            OutboxError: It cannot be read or queued.
        """
        try:
            file = self._copy(record, source)
        except OutboxFullError as error:
            if not record.is_final:
                self.drop(record, str(error))
                raise
            file = str(source.absolute())  # the training is over: nobody rewrites it
        if record.is_final:
            self.put(record, due_at=record.recorded_at, file=file)
        else:
            self._insist(lambda outbox: self._discard(outbox.queue.supersede(self._run_id, record, file=file)))

    def put_artifact(self, record: Artifact, content: bytes) -> None:
        """Write an artifact into the spool and queue it; where there is no room, its drop is counted.

        Raises:
            OutboxError: It cannot be written or queued.
        """
        try:
            self._check_limit(record.size_bytes)
            file = write_in(content, self._folder.spool, suffix=Path(record.name).suffix).name
        except OutboxFullError as error:
            self.drop(record, str(error))
        else:
            self.put(record, due_at=record.recorded_at, file=file)

    def keep(self, record: Checkpoint | Artifact, setting: str) -> None:
        """Keep count of a file that is not delivered, since a setting says so; no copy of it is made."""
        self.drop(record, KEPT + setting)

    def drop(self, record: Checkpoint | Artifact, reason: str) -> None:
        """Keep count of a file that is not delivered, with the reason; no copy of it is made."""
        self._insist(lambda outbox: outbox.queue.count_dropped(self._run_id, record, reason))

    def make_due(self, now: float) -> None:
        """Let everything that waits for its time be delivered."""
        if self._journal:
            self._journal.put_due(now)
        else:
            self._outbox.queue.make_due(self._run_id, now)

    def finish(self, record: RunFinished) -> None:
        """Record the end, free the lock, and see that a courier is at work on what is left."""
        self._insist(Outbox.take_in)  # first, so that the end is the last to be delivered
        self._insist(lambda outbox: outbox.runs.finish(self._run_id, record))
        if self._journal:
            self._journal.close()
            self._journal = None
            with contextlib.suppress(OutboxError):  # else the courier does it
                self._outbox.remove_journals()
        self._lock.release()
        start_courier(self._folder, self._settings)

    def epochs(self) -> set[int]:
        """The epochs that are recorded, 0-based."""
        self._insist(Outbox.take_in)
        return self._outbox.runs.epochs(self._run_id)

    def stop_reason(self) -> str:
        """Why the hub wants the training to stop; empty when it does not."""
        if self._journal is not None and not self._journal.is_asked_to_stop:
            return ""
        self._keep_up()
        return self._outbox.runs.stop_reason(self._run_id)

    def status(self) -> RunStatus:
        """How far the delivery is."""
        if self._journal:
            self._insist(Outbox.take_in)
        status = self._outbox.runs.get(self._run_id)
        if status is None:
            raise OutboxError(f"The outbox {str(self._folder.database)!r} has lost run {self._run_id!r}.")
        return status

    def wait(self, timeout_s: float) -> Iterator[RunStatus]:
        """How far the delivery is, time and again: until all is delivered, or the time is over."""
        give_up_at = time.monotonic() + timeout_s
        while (status := self.status()).pending and time.monotonic() < give_up_at:
            yield status
            time.sleep(_POLL_S)

    def _begin(self, outbox: Outbox, record: RunStarted, after: float) -> None:
        outbox.take_in()  # what an earlier training of the run has recorded comes before this
        known = outbox.runs.get(self._run_id)
        earlier = max(after, known.started_at if known else 0.0)
        self._started = replace(record, started_at=max(record.started_at, earlier + _NEXT_S))
        self._start(outbox)
        self._journal = self._new_journal(self._started)

    def _start(self, outbox: Outbox) -> None:
        if self._started:
            heartbeat_s = self._settings.heartbeat_s
            outbox.runs.start(self._run_id, self._started, hub=self._hub, heartbeat_s=heartbeat_s)

    def _insist(self, action: Callable[[Outbox], object]) -> None:
        """Do it, if need be in a new outbox: the present one may be damaged, or set aside by another process."""
        try:
            self._keep_up()
            action(self._outbox)
        except OutboxDamagedError as error:
            self._outbox.set_aside(error)
            self._reopen()
            action(self._outbox)

    def _keep_up(self) -> None:
        """See that the open files are those in the folder; rows do not ask, for that would cost more than the row."""
        if not self._outbox.is_current():
            self._reopen()
        if self._started and self._journal and self._journal.is_lost:
            journal = self._new_journal(self._started)
            journal.copy_from(self._journal)
            self._journal = journal

    def _reopen(self) -> None:
        self._outbox = Outbox(self._folder)
        if not self._outbox.runs.is_known(self._run_id):  # else from the journal
            self._start(self._outbox)

    def _new_journal(self, record: RunStarted) -> Journal:
        beginning = Beginning(record=record, hub=self._hub, heartbeat_s=self._settings.heartbeat_s)
        return Journal(self._folder.journals, self._run_id, beginning)

    def _copy(self, record: Checkpoint, source: Path) -> str:
        """Copy into the spool, dropping periodic checkpoints, oldest first, until it fits; the copy's name.

        Raises:
            OutboxFullError: It does not fit even so.
        """
        try:
            if not record.is_final:
                self._check_limit(record.size_bytes)
            return copy_in(source, self._folder.spool).name
        except OutboxFullError as error:
            dropped = self._outbox.queue.drop_oldest_periodic(record.recorded_at, str(error))
            if dropped is None:
                raise
            self._discard([dropped])
            return self._copy(record, source)

    def _check_limit(self, more_bytes: int) -> None:
        if size_bytes(self._folder.spool) + more_bytes > self._settings.spool_mb * 1e6:
            raise OutboxFullError(f"The spool's limit is reached: {self._settings.spool_mb:g} MB (setting spool_mb).")

    def _discard(self, names: Iterable[str]) -> None:
        for name in names:
            (self._folder.spool / name).unlink(missing_ok=True)


def checkpoint_file(weights: Path, *, final: bool) -> Path | None:
    """The file to upload for these weights, or None, with a warning, when there is none.

    A final model may be missing after a resume in a fresh folder; then ``last.pt`` beside it stands in, with a warning.
    """
    if weights.is_file():
        return weights
    last = weights.with_name(f"last{weights.suffix}")
    if final and last.is_file():
        logger.warning("There is no %s; %s is uploaded in its place.", weights, last.name)
        return last
    logger.warning("There is no checkpoint %s to upload.", weights)
    return None
