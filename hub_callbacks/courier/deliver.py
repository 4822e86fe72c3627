"""Delivery: leased items go to their hub, and are acknowledged, retried or buried by what it answers."""

from __future__ import annotations

import itertools
import logging
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from hub_callbacks.courier.connections import Connection, Connections
from hub_callbacks.errors import BusyError, PermanentError, RetryableError, UnauthorizedError, UnreachableError
from hub_callbacks.outbox import HORIZON_S, Item, Outbox
from hub_callbacks.records import Artifact, Checkpoint, EpochsPlanned, Metrics, RunFinished, RunStarted, Summary
from hub_callbacks.transport import Upload

logger = logging.getLogger(__name__)

ROWS_PER_REQUEST = 100
BACKOFF_S = 1.0  # of the first retry, before jitter
BACKOFF_CAP_S = 300.0
PROGRESS_S = 0.2  # between two notes of an upload's progress


class Delivery:
    """Delivers the items of one outbox, for one thread.

    Args:
        outbox: That thread's own connection.
        connections: That thread's own connections to hubs.
        clock: Unix time.
        rng: Source of the jitter.
    """

    def __init__(
        self,
        outbox: Outbox,
        connections: Connections,
        *,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self._outbox = outbox
        self._connections = connections
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - jitter, no secret

    def deliver(self, items: Sequence[Item]) -> None:
        """Deliver leased items, run by run in the order in which they were recorded; rows go in batches."""
        ordered = sorted(items, key=lambda item: (item.run_id, item.id))
        closed: dict[str, str] = {}
        for _, group in itertools.groupby(ordered, key=lambda item: (item.run_id, item.record.kind)):
            for batch in _batches(list(group)):
                self._attempt(batch, closed)

    def _attempt(self, batch: Sequence[Item], closed: dict[str, str]) -> None:
        """Send a batch, and note what comes of it.

        Args:
            batch: Items that go together.
            closed: Hubs that are not to be asked again this time, by their URL, with the reason.
        """
        ids, hub = [item.id for item in batch], batch[0].hub.api_url
        if hub in closed:
            self._outbox.queue.retry(ids, due_at=self._clock(), reason=closed[hub])
            return
        try:
            self._send(batch)
        except UnreachableError as error:
            closed[hub] = str(error)
            self._unanswered(batch, str(error))
        except BusyError as error:
            closed[hub] = str(error)
            self._outbox.hubs.postpone(hub, until=self._later(batch, error.retry_after_s), reason=str(error))
            self._outbox.queue.retry(ids, due_at=self._clock(), reason=str(error))
        except RetryableError as error:
            self._outbox.queue.retry(ids, due_at=self._later(batch), reason=str(error))
        except PermanentError as error:
            self._said_no(batch, error, closed)
        except OSError as error:
            self._refused(batch, str(error), closed)
        else:
            self._outbox.queue.ack(ids)
            self._outbox.hubs.release(hub, self._clock())
            _discard(self._outbox.folder.spool, batch)

    def _later(self, batch: Sequence[Item], asked_s: float | None = None) -> float:
        """When to try again: after as long as the hub has asked for, else after the batch's own pause."""
        delay_s = self._backoff_s(batch[0].attempts) if asked_s is None else asked_s
        return self._clock() + min(delay_s, HORIZON_S)

    def _said_no(self, batch: Sequence[Item], error: PermanentError, closed: dict[str, str]) -> None:
        """Wait for another answer where it was not the hub that gave it; pause a hub that does not know the key."""
        ids, hub = [item.id for item in batch], batch[0].hub.api_url
        if not error.is_hubs:
            self._outbox.queue.retry(ids, due_at=self._later(batch), reason=str(error))
        elif isinstance(error, UnauthorizedError):
            closed[hub] = str(error)
            self._outbox.hubs.pause(hub, str(error))
            self._outbox.queue.retry(ids, due_at=self._clock(), reason=str(error))
            logger.warning("Deliveries to %s pause: %s", hub or "the local hub", error)
        else:
            self._refused(batch, str(error), closed)

    def _unanswered(self, batch: Sequence[Item], reason: str) -> None:
        """Hold the hub; a file also by itself, or rows that arrive would have it sent again and again."""
        hub, now = batch[0].hub.api_url, self._clock()
        self._outbox.hubs.hold(hub, until=now + self._backoff_s(self._outbox.hubs.failures(hub) + 1), reason=reason)
        delay_s = self._backoff_s(batch[0].attempts) if batch[0].file else 0.0
        self._outbox.queue.retry([item.id for item in batch], due_at=now + delay_s, reason=reason)

    def _refused(self, batch: Sequence[Item], reason: str, closed: dict[str, str]) -> None:
        """Bury what was refused; of a batch, only those rows that are refused alone as well."""
        if len(batch) > 1:
            for item in batch:
                self._attempt([item], closed)
            return
        logger.warning("Run %s: %s refused: %s", batch[0].run_id, batch[0].record.kind, reason)
        self._outbox.queue.bury([batch[0].id], reason)

    def _send(self, batch: Sequence[Item]) -> None:
        first, hub = batch[0], self._connections.to(batch[0].hub)
        hub.api.speak_for(first.attempt)
        model_id = first.remote_id or first.run_id
        match first.record:
            case RunStarted() as record:
                self._outbox.runs.set_remote_id(first.run_id, hub.api.create(first.run_id, record))
            case Metrics():
                hub.api.put_metrics(model_id, [item.record for item in batch if isinstance(item.record, Metrics)])
            case Checkpoint() as record:
                upload = self._upload(first, record)
                send = hub.api.upload_resumably if "tus" in hub.features else hub.api.upload
                send(model_id, upload)
            case Artifact() as record if "artifacts" in hub.features:
                hub.api.put_artifact(model_id, record, self._outbox.folder.spool / first.file)
            case Artifact():
                self._outbox.queue.drop([first.id], "the hub takes no artifacts")
            case Summary() | EpochsPlanned() | RunFinished() as record:
                _say_more(hub, model_id, record)

    def _upload(self, item: Item, checkpoint: Checkpoint) -> Upload:
        noted_at = self._clock()

        def note(sent_bytes: int) -> None:
            nonlocal noted_at
            if self._clock() - noted_at >= PROGRESS_S:
                noted_at = self._clock()
                self._outbox.queue.note_sent(item.id, min(sent_bytes, checkpoint.size_bytes))

        return Upload(
            checkpoint=checkpoint,
            path=self._outbox.folder.spool / item.file,
            url=item.upload_url,
            is_retry=item.attempts > 1,
            on_created=partial(self._outbox.queue.note_upload_url, item.id),
            on_progress=note,
        )

    def _backoff_s(self, attempt: int) -> float:
        """Exponential with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter")."""
        return self._rng.uniform(0, min(BACKOFF_CAP_S, BACKOFF_S * 2.0 ** min(attempt, 30)))


def _say_more(hub: Connection, model_id: str, record: Summary | EpochsPlanned | RunFinished) -> None:
    """Say what HUB v1 has no words for, where the hub has some."""
    match record:
        case Summary() if hub.must_have("summary"):
            hub.api.put_summary(model_id, record)
        case EpochsPlanned() if hub.must_have("run-state"):
            hub.api.put_epochs(model_id, record)
        case RunFinished() if hub.must_have("run-state"):
            hub.api.put_state(model_id, record)


def _batches(group: Sequence[Item]) -> list[Sequence[Item]]:
    """Rows by the hundred, anything else alone."""
    size = ROWS_PER_REQUEST if isinstance(group[0].record, Metrics) else 1
    return [group[start : start + size] for start in range(0, len(group), size)]


def _discard(spool: Path, batch: Sequence[Item]) -> None:
    for item in batch:
        if item.file and not Path(item.file).is_absolute():  # that one is the trainer's own
            (spool / item.file).unlink(missing_ok=True)
