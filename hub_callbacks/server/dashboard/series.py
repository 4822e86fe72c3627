"""A metric over the epochs as a line through points, and the same line with fewer of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hub_callbacks.server.store.rows import MetricsRow

_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """The points of a line.

    Attributes:
        x: Epochs, counted from 1 as Ultralytics prints them.
        y: Values; None where the line breaks: the value is not finite, or epochs are missing.
    """

    x: list[int]
    y: list[float | None]


def points(rows: Sequence[MetricsRow], metric: str) -> Points:
    """The metric's points, from rows in the order of their epochs; epochs that were not measured are passed over."""
    x: list[int] = []
    y: list[float | None] = []
    before: int | None = None
    for row in rows:
        if x and before is not None and row.epoch > before + 1:
            x.append(before + 2)
            y.append(None)
        before = row.epoch
        value = row.values.get(metric)
        if value is not None:
            x.append(row.epoch + 1)
            y.append(value if math.isfinite(value) else None)
    return Points(x=x, y=y)


def thin(line: Points, most: int) -> Points:
    """The line through at most ``most`` of its points, 5 or more.

    The points are cut into buckets of one size; of each its lowest, its highest and its first break are kept, and of
    the line its ends: no peak goes, and no gap closes.
    """
    count = len(line.x)
    if count <= most:
        return line
    size = math.ceil(count / ((most - 2) // 3))
    kept = {0, count - 1}
    for start in range(0, count, size):
        kept |= _telling(line.y, range(start, min(start + size, count)))
    return Points(x=[line.x[at] for at in sorted(kept)], y=[line.y[at] for at in sorted(kept)])


def rounded(values: Sequence[float | None]) -> list[float | None]:
    """The values with as many digits as a screen can show: half of what is sent."""
    return [None if value is None else float(f"{value:.{_DIGITS}g}") for value in values]


def _telling(y: Sequence[float | None], bucket: range) -> set[int]:
    values = [(value, at) for at in bucket if (value := y[at]) is not None]
    breaks = [at for at in bucket if y[at] is None]
    return {at for _, at in (min(values), max(values))} | set(breaks[:1]) if values else set(breaks[:1])
