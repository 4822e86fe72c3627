"""What people write to find runs by their values: ``mAP50-95 > 0.5, imgsz = 640``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final, get_args

from hub_callbacks.errors import HubCallbacksError
from hub_callbacks.server.dashboard.defaults import DEFAULTS
from hub_callbacks.server.store.runs import Comparison, Condition

_TERM = re.compile(r"([A-Za-z][\w./()@-]*?)\s*(<=|>=|!=|==|<|>|=)\s*(\S+)")
_BETWEEN = re.compile(r"[,;&]|\band\b", re.IGNORECASE)
_COLUMNS = {"epoch": "epoch", "epochs": "epochs", "duration": "duration"}
_SCORES: Final = ("mAP50-95", "mAP50", "precision", "recall", "accuracy_top1", "accuracy_top5")
_LOSSES: Final = ("box_loss", "cls_loss", "dfl_loss", "seg_loss", "pose_loss", "kobj_loss")
_BY_SHORT_NAME = {
    name.casefold(): (*(f"metrics/{name}({head})" for head in "BMP"), f"metrics/{name}") for name in _SCORES
}
_BY_SHORT_NAME |= {name: (f"val/{name}", f"train/{name}") for name in _LOSSES}


class FilterError(HubCallbacksError, ValueError):
    """A condition cannot be read."""


def conditions(text: str) -> list[Condition]:
    """The conditions, which must all hold.

    Args:
        text: Terms with commas or ``and`` between them: a metric's short or whole name, an argument of Ultralytics,
            ``epoch``, ``epochs`` or ``duration`` (seconds); a comparison; a number.

    Raises:
        FilterError: A term is not of that form.
    """
    return [_condition(term.strip()) for term in _BETWEEN.split(text) if term.strip()]


def _condition(term: str) -> Condition:
    match = _TERM.fullmatch(term)
    if match is None:
        raise FilterError(f"{term!r} is no condition. Write a name, a comparison and a number: mAP50-95 > 0.5")
    name, comparison, number = match.groups()
    names, argument, column = _meaning(name)
    return Condition(
        metrics=names, argument=argument, column=column, comparison=_comparison(comparison), value=_number(term, number)
    )


def _meaning(name: str) -> tuple[Sequence[str], str, str]:
    if "/" in name:
        return (name,), "", ""
    if name.casefold() in _BY_SHORT_NAME:
        return _BY_SHORT_NAME[name.casefold()], "", ""
    if name in _COLUMNS:
        return (), "", _COLUMNS[name]
    if name in DEFAULTS:
        return (), name, ""
    known = ", ".join((*_SCORES, *_LOSSES[:3]))
    raise FilterError(
        f"{name!r} is no value of a run. There are {known}, the arguments of Ultralytics, epoch and duration."
    )


def _comparison(text: str) -> Comparison:
    return next((known for known in get_args(Comparison) if known == text), "=")


def _number(term: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise FilterError(f"{text!r} in {term!r} is no number.") from error
    if not math.isfinite(value):
        raise FilterError(f"{text!r} in {term!r} is no finite number.")
    return value
