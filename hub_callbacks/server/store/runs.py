"""Runs as pages and commands list them: filtered, sorted and paged by the database, and samples of their curves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Double, and_, case, cast, func, or_, select

from hub_callbacks.server.store import states, values
from hub_callbacks.server.store.access import visible
from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.metrics import rows_of
from hub_callbacks.server.store.models import _SEARCHED as SEARCHED
from hub_callbacks.server.store.models import _model as model_of
from hub_callbacks.server.store.numbers import number_in, text_in
from hub_callbacks.server.store.rows import Caller, MetricsRow, Model
from hub_callbacks.server.store.schema import metrics, models, projects

Comparison = Literal["<", "<=", ">", ">=", "=", "!="]
SCORES = ("metrics/mAP50-95(B)", "metrics/mAP50-95(M)", "metrics/mAP50-95(P)", "metrics/accuracy_top1")
_SAMPLES = 32  # points of a sampled curve at most, and half as many at least

_LIVE = models.c.deleted_at.is_(None)
_WORD = case((models.c.state.is_(None) & (models.c.status == "trained"), "finished"), else_=models.c.state)
_IS_OVER = func.coalesce(_WORD, "").in_(states.OVER)
_IS_NEW = and_(_WORD.is_(None), models.c.last_seen_at.is_(None), models.c.last_epoch.is_(None))
_SEEN_AT = func.coalesce(models.c.last_seen_at, models.c.started_at, models.c.created_at)
_STARTED_AT = func.coalesce(models.c.started_at, models.c.created_at)
_DONE = models.c.last_epoch + 1
_RANKS = case({"running": 1, "silent": 1, "failed": 3, "crashed": 4, "stopped": 5, "finished": 6}, value=_WORD, else_=2)
_SORTS: Mapping[str, ColumnElement[Any]] = {
    "name": func.lower(models.c.name),
    "state": _RANKS,
    "progress": cast(_DONE, Double) / models.c.epochs,
    "epoch": models.c.last_epoch,
    "epochs": models.c.epochs,
    "model": func.lower(case((models.c.parent != "", models.c.parent), else_=models.c.architecture)),
    "dataset": func.lower(models.c.dataset),
    "project": func.lower(models.c.project),
    "task": models.c.task,
    "started": _STARTED_AT,
    "duration": func.coalesce(models.c.finished_at, models.c.last_seen_at) - models.c.started_at,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """That one of some values compares so with a number; the first that a run has counts.

    Attributes:
        metrics: Names of metrics, whose best value is meant.
        argument: Name of a training argument; empty for none.
        column: One of ``epoch``, ``epochs`` and ``duration``; empty for none.
    """

    metrics: Sequence[str] = ()
    argument: str = ""
    column: str = ""
    comparison: Comparison
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFilter:
    """How runs may stand.

    Attributes:
        words: States that the row alone tells: ends, ``new`` and ``silent``.
        ids: Runs that are heard and were judged otherwise.
    """

    words: Collection[str]
    ids: Collection[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """Since when a run must have been heard of, Unix time, not to be silent.

    Attributes:
        old_client: For clients of HUB v1.
    """

    client: float
    old_client: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """Which runs, and in which order.

    Attributes:
        text: Looked for in id, name, project, data set and network, whatever the case.
        project: Its runs alone; None for all.
        inside: Id of the shared project whose runs alone are meant; None for all.
        sort: A name of `SORTS`, ``score``, or that of a metric or an argument.
    """

    text: str = ""
    project: str | None = None
    inside: str | None = None
    states: StateFilter | None = None
    conditions: Sequence[Condition] = ()
    sort: str = "started"
    is_descending: bool = True
    horizon: Horizon = field(default_factory=lambda: Horizon(client=0.0, old_client=0.0))


SORTS = (*_SORTS, "score")


@dataclass(frozen=True)
class RunStore:
    """The part of the store that answers what pages ask of runs. It reads only."""

    database: Database
    clock: Callable[[], float]

    def find_runs(
        self, query: RunQuery, caller: Caller | None, *, limit: int, offset: int = 0
    ) -> tuple[list[Model], int]:
        """The caller's runs that match, in the query's order, from the ``offset``-th on; and how many there are."""
        matches = [*_matches(query), visible(models, caller)]
        order = _order(query)
        page = select(models.c.seq).where(*matches).order_by(*order).limit(limit).offset(offset)
        with self.database.read() as connection:
            total = connection.execute(select(func.count()).select_from(models).where(*matches)).scalar_one()
            seqs = connection.execute(page).scalars().all()  # a sort that carried whole rows would copy the documents
            rows = {row.seq: row for row in connection.execute(select(models).where(models.c.seq.in_(seqs)))}
        return [model_of(rows[seq]) for seq in seqs], total

    def heard_runs(self, horizon: Horizon, caller: Caller | None) -> list[Model]:
        """The caller's runs that are not over and were heard of since the horizon."""
        heard = select(models).where(_LIVE, ~_IS_OVER, ~_IS_NEW, ~_is_silent(horizon), visible(models, caller))
        with self.database.read() as connection:
            return [model_of(row) for row in connection.execute(heard)]

    def get_models(self, model_ids: Sequence[str], caller: Caller | None) -> list[Model]:
        """Those of the models that the caller may see, in the order of their ids here."""
        with self.database.read() as connection:
            wanted = select(models).where(_LIVE, models.c.id.in_(model_ids), visible(models, caller))
            rows = {row.id: row for row in connection.execute(wanted)}
        return [model_of(rows[model_id]) for model_id in dict.fromkeys(model_ids) if model_id in rows]

    def deleted_run(self, model_id: str) -> Model | None:
        """The model where it is deleted and can be shown again; else None."""
        wanted = select(models).where(models.c.id == model_id, models.c.deleted_at.is_not(None))
        with self.database.read() as connection:
            row = connection.execute(wanted).one_or_none()
        return model_of(row) if row else None

    def projects(self, caller: Caller | None) -> list[str]:
        """The names of the projects that the caller's runs belong to, sorted."""
        names = select(models.c.project).where(_LIVE, models.c.project != "", visible(models, caller)).distinct()
        with self.database.read() as connection:
            return sorted(connection.execute(names).scalars(), key=str.casefold)

    def metrics_since(self, model_id: str, epoch: int) -> tuple[list[MetricsRow], int]:
        """The run's rows from that epoch on, and how many it has in all; the others are not read."""
        with self.database.read() as connection:
            seq = connection.execute(select(models.c.seq).where(models.c.id == model_id, _LIVE)).scalar_one_or_none()
            own = metrics.c.model_seq == seq
            new = select(metrics.c.epoch, metrics.c.row_json).where(own, metrics.c.epoch >= epoch)
            rows = connection.execute(new.order_by(metrics.c.epoch)).all()
            count = connection.execute(select(func.count()).select_from(metrics).where(own)).scalar_one()
        return rows_of(rows), count

    def sample(self, runs: Sequence[Model]) -> dict[str, list[MetricsRow]]:
        """A few rows of each run, evenly spread over its epochs, by its id."""
        by_step: dict[int, list[Model]] = {}
        for run in runs:
            if run.last_epoch is not None:
                by_step.setdefault(_step(run.last_epoch), []).append(run)
        found: dict[str, list[MetricsRow]] = {}
        with self.database.read() as connection:
            for step, members in by_step.items():
                for model_id, row in _sampled(connection, [run.id for run in members], step):
                    found.setdefault(model_id, []).append(row)
        return found


def _step(last_epoch: int) -> int:
    step = 1
    while last_epoch // step >= _SAMPLES:
        step *= 2
    return step


def _sampled(connection: Connection, model_ids: Sequence[str], step: int) -> list[tuple[str, MetricsRow]]:
    epochs = [number * step for number in range(_SAMPLES)]  # each is looked up: no run is read from end to end
    seqs = select(models.c.seq, models.c.id).where(models.c.id.in_(model_ids))
    ids = {row.seq: row.id for row in connection.execute(seqs)}
    rows = select(metrics).where(metrics.c.model_seq.in_(list(ids)), metrics.c.epoch.in_(epochs))
    return [
        (ids[row.model_seq], MetricsRow(epoch=row.epoch, values=values.load(row.row_json)))
        for row in connection.execute(rows.order_by(metrics.c.model_seq, metrics.c.epoch))
    ]


def _matches(query: RunQuery) -> list[ColumnElement[bool]]:
    matches: list[ColumnElement[bool]] = [_LIVE]
    matches += (_contains(word) for word in query.text.split())
    if query.project is not None:
        matches.append(models.c.project == query.project)
    if query.inside is not None:
        matches.append(
            models.c.project_seq == select(projects.c.seq).where(projects.c.id == query.inside).scalar_subquery()
        )
    if query.states is not None:
        matches.append(_stands(query.states, query.horizon))
    return matches + [_holds(condition) for condition in query.conditions]


def _contains(word: str) -> ColumnElement[bool]:
    return or_(*(column.icontains(word, autoescape=True) for column in SEARCHED))


def _stands(wanted: StateFilter, horizon: Horizon) -> ColumnElement[bool]:
    ways: list[ColumnElement[bool]] = [
        func.coalesce(_WORD, "").in_([word for word in wanted.words if word in states.OVER]),
        models.c.id.in_(list(wanted.ids)),
    ]
    if "new" in wanted.words:
        ways.append(_IS_NEW)
    if "silent" in wanted.words:
        ways.append(and_(~_IS_OVER, ~_IS_NEW, _is_silent(horizon)))
    return or_(*ways)


def _is_silent(horizon: Horizon) -> ColumnElement[bool]:
    return case((models.c.state.is_(None), horizon.old_client), else_=horizon.client) > _SEEN_AT


def _holds(condition: Condition) -> ColumnElement[bool]:
    value = _value(condition.metrics, condition.argument, condition.column)
    match condition.comparison:
        case "<":
            return value < condition.value
        case "<=":
            return value <= condition.value
        case ">":
            return value > condition.value
        case ">=":
            return value >= condition.value
        case "=":
            return value == condition.value
        case "!=":
            return value != condition.value


def _value(names: Sequence[str], argument: str, column: str) -> ColumnElement[Any]:
    if column:
        return _DONE if column == "epoch" else _SORTS[column]
    if argument:
        return number_in(models.c.args, argument)
    return _best(names)


def _best(names: Sequence[str]) -> ColumnElement[Any]:
    found = [number_in(models.c.best, name) for name in names]
    return func.coalesce(*found) if len(found) > 1 else found[0]


def _order(query: RunQuery) -> tuple[ColumnElement[Any], ...]:
    key = _best(SCORES) if query.sort == "score" else _SORTS.get(query.sort)
    if key is None and "/" in query.sort:
        key = number_in(models.c.best, query.sort)
    if key is None:
        return _by_argument(query.sort, is_descending=query.is_descending)
    directed = key.desc() if query.is_descending else key.asc()
    return key.is_(None), directed, models.c.seq.desc()


def _by_argument(name: str, *, is_descending: bool) -> tuple[ColumnElement[Any], ...]:
    """By the argument: numbers before words, runs that did not say it last."""
    number, text = number_in(models.c.args, name), text_in(models.c.args, name)
    directed = (number.desc(), text.desc()) if is_descending else (number.asc(), text.asc())
    return text.is_(None), number.is_(None), *directed, models.c.seq.desc()
