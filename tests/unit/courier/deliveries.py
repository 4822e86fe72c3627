"""Rows of a run, and a round in which they are delivered."""

from __future__ import annotations

from hub_callbacks import wire
from hub_callbacks.courier.deliver import Delivery
from hub_callbacks.outbox import Outbox
from hub_callbacks.records import Metrics

RUN = "r" * 20
NOW = 1000.0
INFO = {"name": "hub", "version": "1", "features": ["proposed-ids", "run-state", "sha256", "summary"]}


def no_local_hub() -> wire.LocalHub:
    raise AssertionError("no local hub is asked for here")


def put_rows(outbox: Outbox, count: int) -> None:
    for epoch in range(count):
        outbox.queue.put(RUN, Metrics(epoch=epoch, values={"loss": 1.0}, recorded_at=0.0), due_at=0)


def deliver(outbox: Outbox, delivery: Delivery, *, files: bool = False, now: float = NOW) -> int:
    items = outbox.queue.lease(files=files, limit=1000, now=now, lease_s=60)
    delivery.deliver(items)
    return len(items)
