"""What was measured, beside its limit, as one table."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[2] / "docs" / "explanation" / "performance.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table.

    Attributes:
        name: What was measured.
        of: On what; empty for ourselves.
        value: The figure.
        unit: Its unit.
        limit: What it must not be above (or below, when ``is_floor``); None for a peer's.
        beside: Our own figure, for a peer's: the line then says how many times ours it is.
    """

    name: str
    of: str = ""
    value: float
    unit: str
    limit: float | None = None
    is_floor: bool = False
    beside: float | None = None

    @property
    def is_missed(self) -> bool:
        if self.limit is None:
            return False
        return self.value < self.limit if self.is_floor else self.value > self.limit

    def cells(self) -> tuple[str, str, str, str, str]:
        limit = "" if self.limit is None else f"{'≥' if self.is_floor else '≤'} {self.limit:g} {self.unit}".rstrip()
        verdict = "" if self.limit is None else "**missed**" if self.is_missed else "kept"
        ratio = f" ({self.value / self.beside:.1f} x ours)" if self.beside else ""
        return self.name, self.of or "hub-callbacks", f"{self.value:.3g} {self.unit}".rstrip() + ratio, limit, verdict


def table(figures: Iterable[Figure]) -> str:
    """The figures as a Markdown table; a name that stands above is not said again."""
    cells = [("What", "Of", "Measured", "Limit", ""), *(figure.cells() for figure in figures)]
    rows = [cells[0], *(_unsaid(above, row) for above, row in pairwise(cells))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, " | ".join("-" * max(width, 1) for width in widths))
    return "\n".join(f"| {line} |" for line in lines)


def report(figures: Sequence[Figure], *, load: float, commit: str = "") -> str:
    """The table, and below it what was missed, of which commit, and on what machine, with its load at the start."""
    missed = [" of ".join(filter(None, (figure.name, figure.of))) for figure in figures if figure.is_missed]
    of = f" at {commit}" if commit else ""
    machine = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return (
        f"{table(figures)}\n\nMissed: {'; '.join(missed) or 'nothing'}."
        f" Measured{of} on {datetime.now(tz=timezone.utc):%Y-%m-%d} with {machine}, load {load:.1f} at the start.\n"
    )


def replace_between(page: Path, text: str, *, name: str = "measured") -> None:
    """Put the text in place of what stands between the page's two markers of that name."""
    marks = [f"<!-- {name}: {end} -->" for end in ("begin", "end")]
    before, begin, rest = page.read_text(encoding="utf-8").partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not (begin and end):
        raise ValueError(f"{str(page)!r} has no {marks[0]!r} with {marks[1]!r} behind it.")
    page.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")


def _unsaid(above: tuple[str, ...], row: tuple[str, ...]) -> tuple[str, ...]:
    return ("", *row[1:]) if row[0] == above[0] else row
