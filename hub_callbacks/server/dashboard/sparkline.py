"""A curve as small as a word: drawn on the server, so that it is there with scripts off."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub_callbacks.server.store.rows import MetricsRow, Model
from hub_callbacks.server.store.runs import SCORES

WIDTH, HEIGHT = 100, 24
_MARGIN = 2  # the line's own width must not be cut off


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparkline:
    """The line of one metric.

    Attributes:
        path: Of an SVG ``path`` in a box of `WIDTH` by `HEIGHT`; a gap where a value is missing or not finite.
        low: The least value.
        high: The greatest one.
    """

    path: str
    low: float
    high: float


def sparkline(run: Model, rows: Sequence[MetricsRow]) -> Sparkline | None:
    """The curve of the run's score through these rows and the last one; None without two points."""
    metric = next((name for name in SCORES if name in run.best), None)
    if metric is None or run.last_epoch is None:
        return None
    points = {row.epoch: row.values.get(metric, math.nan) for row in rows} | _last(run, metric)
    finite = [value for value in points.values() if math.isfinite(value)]
    if len(finite) < 2:
        return None
    low, high = min(finite), max(finite)
    return Sparkline(path=_path(points, run.last_epoch, low, high), low=low, high=high)


def _last(run: Model, metric: str) -> dict[int, float]:
    return {run.last_epoch: run.last[metric]} if run.last_epoch is not None and metric in run.last else {}


def _path(points: Mapping[int, float], last_epoch: int, low: float, high: float) -> str:
    steps: list[str] = []
    is_down = False
    for epoch, value in sorted(points.items()):
        if math.isfinite(value):
            steps.append(f"{'L' if is_down else 'M'}{_x(epoch, last_epoch):.1f} {_y(value, low, high):.1f}")
        is_down = math.isfinite(value)
    return "".join(steps)


def _x(epoch: int, last_epoch: int) -> float:
    return _MARGIN + (WIDTH - 2 * _MARGIN) * epoch / max(1, last_epoch)


def _y(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return HEIGHT - _MARGIN - (HEIGHT - 2 * _MARGIN) * share
