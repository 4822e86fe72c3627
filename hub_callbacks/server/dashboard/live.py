"""A run's rows as the page's script takes them: a column per metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from hub_callbacks.records import finite
from hub_callbacks.server.dashboard.charts import is_curve
from hub_callbacks.server.store.rows import MetricsRow

PAUSE_S = 2.0  # between two looks at what is going on
IDLE_PAUSE_S = 10.0  # when nothing is


class Columns(TypedDict):
    """Rows by column: a word such as ``"NaN"`` where a value is not finite, None where it was not measured."""

    epochs: list[int]
    values: dict[str, list[float | str | None]]


def columns(rows: Sequence[MetricsRow]) -> Columns:
    """The rows of the metrics that are drawn as curves."""
    cells = [finite(row.values) for row in rows]
    names = sorted({name for row in rows for name in row.values if is_curve(name)})
    return {
        "epochs": [row.epoch for row in rows],
        "values": {name: [cell.get(name) for cell in cells] for name in names},
    }
