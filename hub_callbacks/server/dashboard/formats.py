"""Values as people read them; the templates' filters."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import Any

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def number(value: float | None) -> str:
    """Four decimals where they fit, so that columns align, else five digits: ``1.2e-05``; a dash for None."""
    if value is None:
        return "–"  # noqa: RUF001 (an en dash is how an empty cell is written)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    return f"{value:.4f}" if 0.001 <= abs(value) < 100 else f"{value:.5g}"


def size(size_bytes: int) -> str:
    """Decimal units, as download managers show them: ``5.4 MB``."""
    value = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def duration(seconds: float | None) -> str:
    """The two largest units: ``42 s``, ``3 min 20 s``, ``1 h 12 min``, ``2 d 5 h``; a dash for None."""
    if seconds is None:
        return "–"  # noqa: RUF001
    whole = max(0, round(seconds))
    for length, unit, below, small in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", 1, "s")):
        if whole >= length:
            rest = whole % length // below
            return f"{whole // length} {unit} {rest} {small}" if rest else f"{whole // length} {unit}"
    return f"{whole} s"


def roughly(seconds: float) -> str:
    """One unit, but two from an hour to a day: ``40 s``, ``3 min``, ``1 h 12 min``, ``2 d``."""
    if seconds < _MINUTE or _HOUR <= seconds < _DAY:
        return duration(seconds)
    return f"{seconds // _DAY:.0f} d" if seconds >= _DAY else f"{seconds // _MINUTE:.0f} min"


def ago(seconds: float) -> str:
    """One unit: ``just now``, ``3 min ago``, ``2 d ago``."""
    for length, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


def iso(unix_s: float) -> str:
    """The moment for a ``datetime`` attribute, in UTC."""
    return _utc(unix_s).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(unix_s: float) -> str:
    """The moment in words, in UTC; the page's script turns it into the reader's own time."""
    return _utc(unix_s).strftime("%Y-%m-%d %H:%M UTC")


def plain(value: Any) -> str:
    """An argument or a fact as one line: ``yes``-like words stay Python's, None is empty."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list | tuple):
        return ", ".join(plain(part) for part in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {plain(part)}" for key, part in value.items())
    return str(value)


def _utc(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, tz=timezone.utc)
