"""Metrics: a row an epoch, and the best and last values kept beside the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select, update

from hub_callbacks.server.store import values
from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.errors import NotFoundError
from hub_callbacks.server.store.rows import MetricsRow
from hub_callbacks.server.store.schema import metrics, models

_MODEL = select(models.c.seq, models.c.last_epoch, models.c.best).where(
    models.c.id == bindparam("id"), models.c.deleted_at.is_(None)
)
_ROWS = select(metrics.c.epoch, metrics.c.row).where(metrics.c.model_seq == bindparam("seq")).order_by(metrics.c.epoch)
_KNOWN = select(metrics.c.epoch).where(
    metrics.c.model_seq == bindparam("seq"), metrics.c.epoch.in_(bindparam("epochs", expanding=True))
)
_MODEL_ROWS = (
    select(metrics.c.epoch, metrics.c.row)
    .join(models, models.c.seq == metrics.c.model_seq)
    .where(models.c.id == bindparam("id"), models.c.deleted_at.is_(None))
    .order_by(metrics.c.epoch)
)


@dataclass(frozen=True)
class MetricStore:
    """The part of the store that keeps metrics."""

    database: Database
    clock: Callable[[], float]

    def put_metrics(self, model_id: str, rows: Mapping[int, Mapping[str, float]]) -> None:
        """Insert or replace rows by epoch; the last write wins. Best, last and last_epoch change with them.

        Raises:
            NotFoundError: There is no such model.
        """
        with self.database.write() as connection:
            model = connection.execute(_MODEL, {"id": model_id}).one_or_none()
            if model is None:
                raise NotFoundError(model_id)
            is_new = not connection.execute(_KNOWN, {"seq": model.seq, "epochs": list(rows)}).first()
            self._upsert(connection, model.seq, rows)
            best = values.best_of([values.load(model.best), *rows.values()]) if is_new else _best(connection, model.seq)
            changes = {"best": values.dump(best), "last_seen_at": self.clock()}
            newest = max(rows, default=-1)
            if model.last_epoch is None or newest >= model.last_epoch:
                changes |= {"last_epoch": newest, "last": values.dump(rows[newest])} if rows else {}
            connection.execute(update(models).where(models.c.seq == model.seq).values(**changes))

    def metrics(self, model_id: str) -> list[MetricsRow]:
        """The model's rows by epoch; none where there is no such model."""
        with self.database.read() as connection:
            rows = connection.execute(_MODEL_ROWS, {"id": model_id}).all()
        return [MetricsRow(epoch=epoch, values=values.load(row)) for epoch, row in rows]

    def _upsert(self, connection: Connection, seq: int, rows: Mapping[int, Mapping[str, float]]) -> None:
        if not rows:
            return
        statement = self.database.upsert(metrics)
        statement = statement.on_conflict_do_update(
            index_elements=["model_seq", "epoch"], set_={"row": statement.excluded.row}
        )
        parameters = [{"model_seq": seq, "epoch": epoch, "row": values.dump(row)} for epoch, row in rows.items()]
        connection.execute(statement, parameters)


def _best(connection: Connection, seq: int) -> dict[str, float]:
    """Over all rows: a replaced one may have held the best value."""
    return values.best_of(values.load(row) for _, row in connection.execute(_ROWS, {"seq": seq}))
