"""What a training has recorded."""

from __future__ import annotations

from typing import Any

from hub_callbacks.outbox import Item, Outbox, RunStatus


def only_run(outbox: Outbox) -> RunStatus:
    (run,) = outbox.runs.list()
    return run


def recorded(outbox: Outbox, *, files: bool = False) -> list[Item]:
    outbox.take_in()
    run = only_run(outbox)
    outbox.runs.set_remote_id(run.id, run.id)
    items = outbox.queue.lease(files=files, limit=100, now=run.started_at + 60.0, lease_s=60)
    outbox.queue.release()
    return items


def records(outbox: Outbox, kind: type[Any]) -> list[Any]:
    return [item.record for item in recorded(outbox) if isinstance(item.record, kind)]
