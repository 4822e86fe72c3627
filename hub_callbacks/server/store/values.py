"""Metric values as text and back, and which of two values is the better one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache

from hub_callbacks.records import finite

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
# Ultralytics' names (ultralytics/utils/metrics.py): metrics/mAP50-95(B), metrics/accuracy_top1; train/box_loss.
_HIGHER_IS_BETTER = ("mAP50-95", "mAP50", "precision", "recall", "accuracy", "mIoU")
_LOWER_IS_BETTER = ("loss",)


def number(value: object) -> float:
    """The value as a number; NaN and infinities may come as the words that `records.finite` makes of them.

    Raises:
        ValueError: It is neither a number nor one of the words.
    """
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    if isinstance(value, int | float):
        return float(value)
    raise ValueError(f"{value!r} is not a number")


def word(value: float) -> str:
    """How a value that is not finite is spelled in JSON."""
    return str(finite({"": value})[""])


def dump(values: Mapping[str, float]) -> str:
    """The values as one valid JSON text."""
    try:
        return _encode(dict(values))
    except ValueError:  # one of them is not finite, as few are
        return _encode(finite(values))


def load(text: str) -> dict[str, float]:
    """The values that `dump` wrote."""
    return _numbers(json.loads(text))


def load_all(texts: Iterable[str]) -> list[dict[str, float]]:
    """What `load` gives for each text, in a third of the time: one run may have thousands of rows."""
    return [_numbers(row) for row in json.loads(f"[{','.join(texts)}]")]


def parse_row(text: str) -> dict[str, float]:
    """One row as a client sends it: a JSON object of numbers, where Python's NaN and Infinity may stand.

    Raises:
        ValueError: It is anything else.
    """
    row = json.loads(text)
    if not isinstance(row, dict):
        raise ValueError(f"{text[:80]!r} is not a JSON object")  # noqa: TRY004 - the value is wrong, not our call
    return _numbers(row)


def best_of(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The best value of each metric that has a direction; NaN never counts."""
    best: dict[str, float] = {}
    for row in rows:
        for name, value in row.items():
            sign = _direction(name)
            if sign and not math.isnan(value) and (name not in best or sign * (value - best[name]) > 0):
                best[name] = value
    return best


def _numbers(row: Mapping[str, object]) -> dict[str, float]:
    return {name: value if isinstance(value, float) else number(value) for name, value in row.items()}


@lru_cache(maxsize=4096)  # a hub sees the same few names for ever
def _direction(name: str) -> int:
    if any(word in name for word in _HIGHER_IS_BETTER):
        return 1
    return -1 if any(word in name for word in _LOWER_IS_BETTER) else 0
