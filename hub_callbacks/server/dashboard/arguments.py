"""A run's training arguments, those that differ from Ultralytics' defaults first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub_callbacks.server.dashboard.defaults import DEFAULTS
from hub_callbacks.server.dashboard.formats import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument as text.

    Attributes:
        default: Ultralytics' default as text where the value differs from it; None where it does not, or is not known.
    """

    name: str
    value: str
    default: str | None


def arguments(args: Mapping[str, Any]) -> list[Argument]:
    """The arguments, those that were changed first, each part sorted by name."""
    rows = [Argument(name=name, value=plain(value), default=_default(name, value)) for name, value in args.items()]
    return sorted(rows, key=lambda row: (row.default is None, row.name))


def _default(name: str, value: Any) -> str | None:
    if name not in DEFAULTS or DEFAULTS[name] == value:
        return None
    return plain(DEFAULTS[name]) or "none"
