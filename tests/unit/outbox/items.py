"""Items of an outbox, for the tests beside."""

from __future__ import annotations

from hub_callbacks.outbox import Item, Outbox
from hub_callbacks.records import Checkpoint, Metrics, RunStarted

RUN = "r" * 20
STARTED = RunStarted(name="train", epochs=3, started_at=0.0)


def metrics(epoch: int) -> Metrics:
    return Metrics(epoch=epoch, values={"loss": 1.0}, recorded_at=0.0)


def checkpoint(epoch: int, *, is_final: bool = False) -> Checkpoint:
    return Checkpoint(epoch=epoch, filename="last.pt", size_bytes=100, is_final=is_final, recorded_at=0.0)


def lease(outbox: Outbox, *, now: float = 1.0, files: bool = False, limit: int = 100) -> list[Item]:
    return outbox.queue.lease(files=files, limit=limit, now=now, lease_s=60)
