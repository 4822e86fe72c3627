"""Metrics: a row an epoch, and the best and last values kept beside the model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select, text, update

from hub_callbacks.server.store import attempts, values
from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.errors import NotFoundError
from hub_callbacks.server.store.rows import MetricsRow
from hub_callbacks.server.store.schema import metrics, models

_EPOCH_TIMES = 9  # enough for a median that one long validation does not move
_MODEL = select(
    *(models.c.seq, models.c.last_epoch, models.c.best, models.c.last),
    *(models.c.last_row_at, models.c.started_at, models.c.epoch_times),
)
_MODEL = _MODEL.where(models.c.id == bindparam("id"), models.c.deleted_at.is_(None)).with_for_update(key_share=True)
_ROWS = select(metrics.c.row_json).where(metrics.c.model_seq == bindparam("seq"))
_KNOWN = select(metrics.c.epoch).where(
    metrics.c.model_seq == bindparam("seq"), metrics.c.epoch.in_(bindparam("epochs", expanding=True))
)
_PUT = text(  # the same words for SQLite (lang_upsert.html) and PostgreSQL
    "INSERT INTO metrics (model_seq, epoch, row_json) VALUES (:seq, :epoch, :row)"
    " ON CONFLICT (model_seq, epoch) DO UPDATE SET row_json = excluded.row_json"
)
_NOTE = (
    update(models)
    .where(models.c.seq == bindparam("model_seq"))
    .values(
        {name: bindparam(name) for name in ("best", "last", "last_epoch", "last_seen_at", "last_row_at", "epoch_times")}
    )
)
_MODEL_ROWS = (
    select(metrics.c.epoch, metrics.c.row_json)
    .join(models, models.c.seq == metrics.c.model_seq)
    .where(models.c.id == bindparam("id"), models.c.deleted_at.is_(None))
    .order_by(metrics.c.epoch)
)


@dataclass(frozen=True)
class MetricStore:
    """The part of the store that keeps metrics."""

    database: Database
    clock: Callable[[], float]

    def put_metrics(
        self, model_id: str, rows: Mapping[int, Mapping[str, float]], *, attempt: float | None = None
    ) -> None:
        """Insert or replace rows by epoch; the last write wins. Best, last and last_epoch change with them.

        Args:
            model_id: The model.
            rows: The rows.
            attempt: The training that they are of; None where the client does not say.

        Raises:
            NotFoundError: There is no such model.
            SupersededError: A later training has trained one of the epochs anew; none is taken.
        """
        with self.database.write() as connection:
            model = connection.execute(_MODEL, {"id": model_id}).one_or_none()
            if model is None:
                raise NotFoundError(model_id)
            attempts.check(connection, model.seq, attempt, rows)
            if rows:
                is_new = not connection.execute(_KNOWN, {"seq": model.seq, "epochs": list(rows)}).first()
                connection.execute(_PUT, [_parameters(model.seq, epoch, row) for epoch, row in rows.items()])
                changes = self._changes(model, rows)
                if not is_new:  # a replaced row may have held the best value
                    changes["best"] = values.dump(_best(connection, model.seq))
                connection.execute(_NOTE, changes)

    def metrics(self, model_id: str) -> list[MetricsRow]:
        """The model's rows by epoch; none where there is no such model."""
        with self.database.read() as connection:
            rows = connection.execute(_MODEL_ROWS, {"id": model_id}).all()
        return rows_of(rows)

    def _changes(self, model: Any, rows: Mapping[int, Mapping[str, float]]) -> dict[str, Any]:
        newest = max(rows)
        is_last = model.last_epoch is None or newest >= model.last_epoch
        now = self.clock()
        return {
            "model_seq": model.seq,
            "best": values.dump(values.best_of([values.load(model.best), *rows.values()])),
            "last": values.dump(rows[newest]) if is_last else model.last,
            "last_epoch": newest if is_last else model.last_epoch,
            "last_seen_at": now,
            **_pace(model, sum(model.last_epoch is None or epoch > model.last_epoch for epoch in rows), now=now),
        }


def _pace(model: Any, new_epochs: int, *, now: float) -> dict[str, Any]:
    """When a new epoch last came, and how long the last ones took, in seconds."""
    if not new_epochs:
        return {"last_row_at": model.last_row_at, "epoch_times": model.epoch_times}
    times = json.loads(model.epoch_times or "[]")
    begun_at = model.last_row_at or model.started_at
    if begun_at is not None:
        times.append(max(0.0, now - begun_at) / new_epochs)  # clocks differ; rows that waited come together
    return {"last_row_at": now, "epoch_times": json.dumps(times[-_EPOCH_TIMES:])}


def rows_of(rows: Sequence[Any]) -> list[MetricsRow]:
    """The rows of epochs and JSON texts."""
    told = values.load_all(text for _, text in rows)
    return [MetricsRow(epoch=epoch, values=row) for (epoch, _), row in zip(rows, told, strict=True)]


def _parameters(seq: int, epoch: int, row: Mapping[str, float]) -> dict[str, Any]:
    return {"seq": seq, "epoch": epoch, "row": values.dump(row)}


def _best(connection: Connection, seq: int) -> dict[str, float]:
    return values.best_of(values.load(row) for row in connection.execute(_ROWS, {"seq": seq}).scalars())
