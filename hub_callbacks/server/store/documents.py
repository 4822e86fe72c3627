"""What clients say of a model in HUB v1's shape, and what of it the store keeps in columns."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, ColumnElement, or_

from hub_callbacks.server.store.values import word

_NUMBERS = ("batchSize", "epochs", "imageSize", "patience")  # the SDK's own examples send them as text: "5"
_OURS = ("id", "run", "summary")  # extensions with a place of their own


def merge(document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the patch laid over it, object by object; anything else is replaced."""
    merged = dict(document)
    for name, value in patch.items():
        old = merged.get(name)
        merged[name] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def hub_part(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body without our extensions."""
    return {name: value for name, value in body.items() if name not in _OURS}


def config(document: Mapping[str, Any]) -> dict[str, Any]:
    """The training arguments; numbers that came as text are numbers, and what cannot be one is left out."""
    given = _object(document, "config")
    numbers = {name: _number(given[name]) for name in _NUMBERS if name in given}
    return {**given, **{name: value for name, value in numbers.items() if value is not None}}


def dump(value: Any) -> str:
    """The value as valid JSON: NaN and infinities as words."""
    return json.dumps(_plain(value))


def contains(query: str, *columns: Column[Any]) -> ColumnElement[bool]:
    """Whether one of the columns contains the query, whatever the case."""
    return or_(*(column.icontains(query, autoescape=True) for column in columns))


def thing_columns(document: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a project or data set that follow from its document."""
    is_public = {"is_public": document["isPublic"] is True} if "isPublic" in document else {}
    return {"document": dump(document), "name": _stem(_name(document, "meta")), **is_public}


def document_columns(document: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a model that follow from its document."""
    lineage = _object(document, "lineage")
    epochs = config(document).get("epochs")
    columns: dict[str, Any] = {
        "document": dump(document),
        "name": _stem(_name(document, "meta")),
        "dataset": _name(document, "dataset"),
        "architecture": _name(lineage, "architecture"),
        "parent": _name(lineage, "parent"),
        "dataset_id": document.get("datasetId") or None,
        "is_public": document.get("isPublic") is True,
    }
    return columns | ({"epochs": int(epochs)} if isinstance(epochs, int | float) else {})


def run_columns(run: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that the extension ``run`` fills; only those that it names."""
    columns = {name: run[name] for name in ("project", "task", "epochs") if run.get(name) is not None}
    texts = {name: dump(run[name]) for name in ("args", "environment") if run.get(name) is not None}
    return {**columns, **texts}


def _plain(value: Any) -> Any:
    """The value with NaN and infinities spelled as words, for JSON has no others."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return word(value) if isinstance(value, float) and not math.isfinite(value) else value


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}


def _name(document: Mapping[str, Any], name: str) -> str:
    text = str(_object(document, name).get("name") or "")
    return text.encode("utf-8", "replace").decode()  # JSON can spell half a character, which no store takes


def _stem(name: str) -> str:
    """The last part of what Ultralytics sends as a name, which may be the path of a file, of any system."""
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1]


def _number(value: Any) -> float | None:
    try:
        as_float = float(value)
        return int(as_float) if as_float.is_integer() else as_float
    except (TypeError, ValueError, OverflowError):
        return None
