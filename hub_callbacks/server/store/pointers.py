"""Which of its checkpoints a model resumes from, and which it is used as."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from hub_callbacks.server.store.schema import checkpoints, models


def point(connection: Connection, seq: int) -> None:
    """Say what to resume from and what to use: by epoch, not by arrival, for an older one may arrive later."""
    final = _newest(connection, seq, checkpoints.c.is_final)
    last = _newest(connection, seq, checkpoints.c.is_final.is_(False))
    best = final or _newest(connection, seq, checkpoints.c.is_best)
    status = "trained" if final else "training" if last else "new"
    connection.execute(update(models).where(models.c.seq == seq).values(status=status, resume_id=last, weights_id=best))


def _newest(connection: Connection, seq: int, condition: Any) -> str | None:
    newest = select(checkpoints.c.id).where(checkpoints.c.model_seq == seq, condition)
    newest = newest.order_by(checkpoints.c.epoch.desc(), checkpoints.c.seq.desc()).limit(1)
    return connection.execute(newest).scalar_one_or_none()
