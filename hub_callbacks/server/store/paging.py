"""Lists by pages, newest first: where the next page begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, Table

from hub_callbacks.server.store.errors import BadCursorError


def after(page: Select[Any], table: Table, cursor: str | None) -> Select[Any]:
    """The rows behind the cursor, newest first.

    Raises:
        BadCursorError: The cursor is not one of ours.
    """
    newest = page.order_by(table.c.seq.desc())
    return newest.where(table.c.seq < _seq(cursor)) if cursor else newest


def next_cursor(rows: Sequence[Any], *, limit: int) -> str | None:
    """The cursor behind the first ``limit`` of the rows; None where there are no more."""
    return str(rows[limit - 1].seq) if len(rows) > limit else None


def _seq(cursor: str) -> int:
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise BadCursorError(cursor)
    return int(cursor)
