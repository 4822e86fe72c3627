"""What clients send as JSON of no fixed shape: how deep it may go, and how long its names may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import HTTPException

from hub_callbacks.server.limits import Limits

_NAMES = {"name", "project", "task", "filename"}


def check_document(document: Mapping[str, Any], limits: Limits) -> None:
    """Refuse a document that goes too deep, or has too long a name in it.

    Raises:
        HTTPException: 422, with what is wrong.
    """
    level: list[Any] = [document]
    for _ in range(limits.nesting):
        level = [part for value in level for part in _parts(value, limits)]
        if not level:
            return
    raise HTTPException(422, f"The body has more than {limits.nesting} objects and lists within each other.")


def check_row(row: Mapping[str, float], limits: Limits) -> None:
    """Refuse metrics that are too many, or have too long a name.

    Raises:
        HTTPException: 422, with what is wrong.
    """
    if len(row) > limits.row_keys:
        raise HTTPException(422, f"An epoch has {limits.row_keys} metrics at most, not {len(row)}.")
    _check_names(row, limits)


def _parts(value: Any, limits: Limits) -> Iterable[Any]:
    """The objects and lists directly in one, whose own names are checked."""
    if isinstance(value, Mapping):
        _check_names(value, limits)
        _check_names((text for name, text in value.items() if name in _NAMES and isinstance(text, str)), limits)
        value = value.values()
    return (part for part in value if isinstance(part, Mapping | list))


def _check_names(names: Iterable[str], limits: Limits) -> None:
    for name in names:
        if len(name) > limits.name_chars:
            raise HTTPException(422, f"A name has {limits.name_chars} characters at most, unlike {name[:80]!r}.")
