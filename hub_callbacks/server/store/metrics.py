"""Metrics: a row an epoch, and the best and last values kept beside the model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select

from hub_callbacks.server.store import attempts, values
from hub_callbacks.server.store.batches import Batch, Pair
from hub_callbacks.server.store.claims import Claim, ClaimedReport, Finding, find, question
from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.errors import NotFoundError, StoreError
from hub_callbacks.server.store.keys import note_uses
from hub_callbacks.server.store.lists import is_unset, one_of
from hub_callbacks.server.store.rows import MetricsRow, Report
from hub_callbacks.server.store.schema import metrics, models

_EPOCH_TIMES = 9  # enough for a median that one long validation does not move
_COLUMNS = (
    *(models.c.seq, models.c.last_epoch, models.c.best, models.c.last),
    *(models.c.last_row_at, models.c.started_at, models.c.epoch_times),
    *attempts.COLUMNS,
)
_MODELS = select(*_COLUMNS).where(one_of(models.c.id, "ids"), is_unset(models.c.deleted_at))
# Locked in one order: two hubs that take many each would wait for each other for ever.
_MODELS = _MODELS.order_by(models.c.seq).with_for_update(key_share=True)
_RUNS = _MODELS.add_columns(models.c.owner, models.c.is_public, models.c.project_seq, models.c.deleted_at).cte("runs")
_CLAIMED = question(_RUNS, *(_RUNS.c[column.name] for column in _COLUMNS))
_ROWS = select(metrics.c.epoch, metrics.c.row_json).where(metrics.c.model_seq == bindparam("seq"))
_KNOWN = select(metrics.c.epoch).where(
    metrics.c.model_seq == bindparam("seq"), metrics.c.epoch.in_(bindparam("epochs", expanding=True))
)
_INSERT, _OR_REPLACE = (  # the same words for SQLite (lang_upsert.html) and PostgreSQL
    "INSERT INTO metrics (model_seq, epoch, row_json)",
    "ON CONFLICT (model_seq, epoch) DO UPDATE SET row_json = excluded.row_json",
)
_PUT = Batch(
    f"{_INSERT} VALUES (:model_seq, :epoch, :row_json) {_OR_REPLACE}",
    f"{_INSERT} SELECT * FROM {{given}} {_OR_REPLACE}",  # noqa: S608
    *metrics.c,
)
_NOTED = ("best", "last", "last_epoch", "last_seen_at", "last_row_at", "epoch_times")
_NOTE = Batch(
    f"UPDATE models SET {', '.join(f'{name} = :{name}' for name in _NOTED)} WHERE seq = :seq",  # noqa: S608
    f"UPDATE models SET {', '.join(f'{name} = given.{name}' for name in _NOTED)} FROM {{given}}"  # noqa: S608
    " WHERE models.seq = given.seq",
    *(models.c[name] for name in ("seq", *_NOTED)),
)
_PUT_AND_NOTE = Pair(_PUT, _NOTE)
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
        """Take one report as `put_reports` does, and raise what it says."""
        (problem,) = self.put_reports([Report(model_id=model_id, rows=rows, attempt=attempt)])
        if problem is not None:
            raise problem

    def put_reports(self, reports: Sequence[Report]) -> list[StoreError | None]:
        """Insert or replace the rows of many reports by epoch; the last write wins.

        Best, last and last_epoch change with them. It is one transaction: the disk is waited for once.

        Returns:
            For each report None, or why none of its rows was taken: `NotFoundError`, there is no such model;
            `SupersededError`, a later training has trained one of the epochs anew.
        """
        with self.database.write() as connection:
            ids = sorted({report.model_id for report in reports})
            runs = {model.id: _Run(model) for model in connection.execute(_MODELS, {"ids": ids}).all()}
            problems = [_take(runs, report) for report in reports]
            self._put(connection, runs.values())
        return problems

    def put_claimed(
        self, reports: Sequence[ClaimedReport], judge: Callable[[Claim, Finding | None], Exception | None]
    ) -> list[Exception | None]:
        """`put_reports` for those who may; what ``judge`` raises of the others, in place of why their rows were not.

        Who they are is asked with the question that locks the models.
        """
        claims, now = {claim for claim, _ in reports}, self.clock()
        with self.database.write() as connection:
            ids = sorted({claim.model_id for claim in claims})
            found = find(connection, _CLAIMED, claims, now=now, ids=ids)
            runs = {claim.model_id: _Run(finding.row) for claim, finding in found.items() if finding.place}
            problems = [judge(claim, found.get(claim)) or _take(runs, report) for claim, report in reports]
            self._put(connection, runs.values())
        note_uses(self.database, [finding.row for finding in found.values()], now=now)
        return problems

    def metrics(self, model_id: str) -> list[MetricsRow]:
        """The model's rows by epoch; none where there is no such model."""
        with self.database.read() as connection:
            rows = connection.execute(_MODEL_ROWS, {"id": model_id}).all()
        return rows_of(rows)

    def _put(self, connection: Connection, told: Iterable[_Run]) -> None:
        runs = [run for run in told if run.rows]
        if not runs:
            return
        rows = [row for run in runs for row in run.parameters()]
        notes = [self._changes(run) for run in runs]
        for run, note in zip(runs, notes, strict=True):
            if _has_any(connection, run):  # a row that is replaced may hold the best value
                note["best"] = values.dump(_best(connection, run))
        _PUT_AND_NOTE.execute(connection, rows, notes)

    def _changes(self, run: _Run) -> dict[str, Any]:
        model, rows = run.model, run.rows
        newest = max(rows)
        is_last = model.last_epoch is None or newest >= model.last_epoch
        now = self.clock()
        return {
            "seq": model.seq,
            "best": values.dump(values.best_of([values.load(model.best), *rows.values()])),
            "last": values.dump(rows[newest]) if is_last else model.last,
            "last_epoch": newest if is_last else model.last_epoch,
            "last_seen_at": now,
            **_pace(model, sum(model.last_epoch is None or epoch > model.last_epoch for epoch in rows), now=now),
        }


class _Run:
    """A model, and the rows that come to it."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.rows: dict[int, Mapping[str, float]] = {}

    def parameters(self) -> Iterator[dict[str, Any]]:
        for epoch, row in self.rows.items():
            yield {"model_seq": self.model.seq, "epoch": epoch, "row_json": values.dump(row)}


def _take(runs: Mapping[str, _Run], report: Report) -> StoreError | None:
    """Add the report's rows to its model's; why not, where they are refused."""
    run = runs.get(report.model_id)
    if run is None:
        return NotFoundError(report.model_id)
    problem = attempts.problem(report.attempt, run.model, report.rows)
    if problem is None:
        run.rows.update(report.rows)
    return problem


def _has_any(connection: Connection, run: _Run) -> bool:
    """Whether there are rows already of the epochs that come; the store is not asked where they are all later."""
    last = run.model.last_epoch
    if last is None or min(run.rows) > last:
        return False
    known = connection.execute(_KNOWN, {"seq": run.model.seq, "epochs": list(run.rows)})
    return known.first() is not None


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


def _best(connection: Connection, run: _Run) -> dict[str, float]:
    """Of the rows that stay, and of those that come."""
    known = connection.execute(_ROWS, {"seq": run.model.seq}).all()
    kept = [values.load(text) for epoch, text in known if epoch not in run.rows]
    return values.best_of([*kept, *run.rows.values()])
