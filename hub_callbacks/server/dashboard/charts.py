"""Which metrics share a chart, in the order in which YOLO users look at them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

_LOSSES = ("box", "cls", "dfl")  # the order of Ultralytics' progress line
_HEADS = {"B": "box", "M": "mask", "P": "pose"}
_HEAD = re.compile(r"\(([BMP])\)$")
_TOGETHER = {
    "precision": ("Precision and recall", 0, "precision"),
    "recall": ("Precision and recall", 1, "recall"),
    "mAP50": ("mAP", 0, "mAP50"),
    "mAP50-95": ("mAP", 1, "mAP50-95"),
    "accuracy_top1": ("Accuracy", 0, "top-1"),
    "accuracy_top5": ("Accuracy", 1, "top-5"),
}
_TITLES = ("Precision and recall", "mAP", "Accuracy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One metric in a chart, under the word that its legend uses."""

    metric: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Metrics drawn on one pair of axes.

    Attributes:
        key: No other chart has it; fit for an HTML id.
    """

    key: str
    title: str
    curves: Sequence[Curve]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a metric goes: the chart's rank and title, the curve's rank and label."""

    rank: tuple[int, int, str]
    title: str
    curve_rank: int
    label: str


def is_curve(metric: str) -> bool:
    """Whether the metric changes with the epochs; ``model/parameters`` and the like are facts."""
    return not metric.startswith("model/")


def charts(metrics: Iterable[str]) -> list[Chart]:
    """The charts: box, cls and dfl losses, other losses, precision and recall, mAP, accuracy, lr, all else."""
    names = sorted(filter(is_curve, metrics))
    has_heads = len({match[1] for name in names if (match := _HEAD.search(name))}) > 1
    groups: dict[tuple[tuple[int, int, str], str], list[tuple[int, Curve]]] = {}
    for name in names:
        place = _place(name, has_heads=has_heads)
        curve = Curve(metric=name, label=place.label)
        groups.setdefault((place.rank, place.title), []).append((place.curve_rank, curve))
    return [_chart(title, members) for (_, title), members in sorted(groups.items(), key=lambda group: group[0])]


def _chart(title: str, members: list[tuple[int, Curve]]) -> Chart:
    curves = [curve for _, curve in sorted(members, key=lambda member: (member[0], member[1].metric))]
    return Chart(key=quote(curves[0].metric, safe=""), title=title, curves=curves)


def _place(name: str, *, has_heads: bool) -> _Place:
    folder, _, rest = name.partition("/")
    if folder in {"train", "val"} and rest.endswith("loss"):
        return _loss(folder, rest)
    if folder == "lr":
        return _Place(rank=(3, 0, ""), title="Learning rate", curve_rank=0, label=rest)
    head = _HEAD.search(rest)
    if folder == "metrics" and (known := _TOGETHER.get(_HEAD.sub("", rest))):
        title, curve_rank, label = known
        suffix = f" ({_HEADS[head[1]]})" if head and has_heads else ""
        rank = (2, _TITLES.index(title), suffix and str("BMP".index(head[1])) if head else "")
        return _Place(rank=rank, title=title + suffix, curve_rank=curve_rank, label=label)
    return _Place(rank=(4, 0, name), title=name.removeprefix("metrics/"), curve_rank=0, label=rest or name)


def _loss(folder: str, rest: str) -> _Place:
    kind = rest.removesuffix("loss").rstrip("_")
    order = _LOSSES.index(kind) if kind in _LOSSES else len(_LOSSES)
    title = "DFL loss" if kind == "dfl" else f"{kind} loss".strip().capitalize()
    return _Place(rank=(1, order, kind), title=title, curve_rank=int(folder == "val"), label=folder)
