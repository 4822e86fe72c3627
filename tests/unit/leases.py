"""What of an outbox is due, without a courier."""

from __future__ import annotations

from typing import Any

from hub_callbacks.outbox import Item, Outbox, RunStatus
from hub_callbacks.records import RunStarted


def only_run(outbox: Outbox) -> RunStatus:
    (run,) = outbox.runs.list()
    return run


def due_items(outbox: Outbox, *, files: bool = False, now: float = 4e9) -> list[Item]:
    """What goes to a hub until a time, in its order; beginnings are acknowledged by it, since the rest waits for them.

    Args:
        files: True for checkpoints and artifacts, False for all else.
        now: Unix time.
    """
    outbox.take_in()
    for run in outbox.runs.list():
        outbox.runs.set_remote_id(run.id, run.id)
    rows = _leased(outbox, files=False, now=now)
    found = _leased(outbox, files=True, now=now) if files else rows
    outbox.queue.release()
    return found


def due_records(outbox: Outbox, kind: type[Any]) -> list[Any]:
    return [item.record for item in due_items(outbox) if isinstance(item.record, kind)]


def _leased(outbox: Outbox, *, files: bool, now: float) -> list[Item]:
    found: list[Item] = []
    while items := outbox.queue.lease(files=files, limit=100, now=now, lease_s=60):
        outbox.queue.ack([item.id for item in items if isinstance(item.record, RunStarted)])
        found += items
    return found
