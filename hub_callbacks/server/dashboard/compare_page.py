"""What the page shows that compares runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

from hub_callbacks import wire
from hub_callbacks.server.context import Hub
from hub_callbacks.server.dashboard.charts import is_curve
from hub_callbacks.server.dashboard.formats import plain
from hub_callbacks.server.dashboard.pictures import CURVES, MATRIX
from hub_callbacks.server.dashboard.series import points, rounded, thin
from hub_callbacks.server.dashboard.views import RunView, run_view
from hub_callbacks.server.store.rows import Model
from hub_callbacks.server.store.runs import SCORES
from hub_callbacks.server.store.values import best_of

FEWEST: Final = 2
MOST: Final = 20  # six colours by four kinds of line, and a table that can still be read
_POINTS_A_CHART = 4000  # of all its lines: a chart is some hundred pixels wide
_FOLDERS = ("metrics", "val", "train", "lr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One of the runs.

    Attributes:
        colour: Number of its colour.
        dash: Number of the kind of its lines.
        curves_url: Of the curves of its last validation, as numbers; empty where it has none.
        matrix_url: Of its confusion matrix, likewise.
    """

    run: RunView
    model: Model
    colour: int
    dash: int
    curves_url: str
    matrix_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One argument of all runs, side by side: a text each, empty where a run did not say it."""

    name: str
    values: Sequence[str]


class Line(TypedDict):
    """One metric of one run, as the page's script draws it."""

    x: list[int]
    y: list[float | None]


class ComparePart(TypedDict):
    """Values of ``compare_bests.html`` and ``compare_drawings.html``."""

    runs: list[Compared]
    best_metrics: list[str]
    best_values: dict[str, float]


def compare_part(hub: Hub, models: Sequence[Model]) -> ComparePart:
    """What changes while the runs train, but for the curves."""
    now = hub.clock()
    values = best_of(model.best for model in models)
    drawn = drawings(hub, models)
    return {
        "runs": [
            Compared(
                run=run_view(model, hub.judge(model), now=now),
                model=model,
                colour=place % 6,
                dash=place // 6,
                curves_url=drawn.get((model.id, CURVES), ""),
                matrix_url=drawn.get((model.id, MATRIX), ""),
            )
            for place, model in enumerate(models)
        ],
        "best_metrics": ordered([name for name in values if is_curve(name)]),
        "best_values": values,
    }


def drawings(hub: Hub, models: Sequence[Model]) -> dict[tuple[str, str], str]:
    """The address of each drawing's numbers, by the run's id and the artifact's name."""
    found = hub.store.artifacts_named([model.id for model in models], (CURVES, MATRIX))
    return {(one.model_id, one.name): wire.artifact(one.model_id, one.id) for one in found}


def sides(models: Sequence[Model]) -> tuple[list[Side], list[Side]]:
    """The arguments that differ between the runs, and those that do not, each sorted by name."""
    names = sorted({name for model in models for name in model.args})
    rows = [Side(name=name, values=[plain(model.args.get(name)) for model in models]) for name in names]
    return [row for row in rows if len(set(row.values)) > 1], [row for row in rows if len(set(row.values)) == 1]


def drawn_metrics(models: Sequence[Model]) -> list[str]:
    """The metrics that change with the epochs: a chart each."""
    return ordered({name for model in models for name in (*model.best, *model.last) if is_curve(name)})


def lines(hub: Hub, models: Sequence[Model]) -> list[dict[str, Line]]:
    """The lines of each run, by metric, of fewer points the more runs there are."""
    most = max(100, _POINTS_A_CHART // len(models))
    metrics = drawn_metrics(models)
    found: list[dict[str, Line]] = []
    for model in models:
        rows = hub.store.metrics(model.id)
        own = {name: thin(points(rows, name), most) for name in metrics}
        found.append({name: Line(x=line.x, y=rounded(line.y)) for name, line in own.items() if line.x})
    return found


def mark(models: Sequence[Model]) -> str:
    """A word that changes when the rows of the runs may have changed."""
    told = [(model.id, model.last_epoch, model.last_row_at, model.last_seen_at, model.state) for model in models]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def ordered(metrics: Sequence[str] | set[str]) -> list[str]:
    """The metrics, what runs are judged by first, then the rest of ``metrics/``, ``val/``, ``train/``, ``lr/``."""
    return sorted(metrics, key=lambda name: (name not in SCORES, _rank(name), name))


def _rank(name: str) -> int:
    folder = name.partition("/")[0]
    return _FOLDERS.index(folder) if folder in _FOLDERS else len(_FOLDERS)
