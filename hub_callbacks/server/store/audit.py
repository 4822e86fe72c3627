"""The audit log, and how often somebody has tried in vain to sign in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, text, update

from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.paging import after, next_cursor
from hub_callbacks.server.store.people import Event
from hub_callbacks.server.store.schema import attempts, audit

_DETAIL_CHARS = 500
_COUNT = text(  # the same words for SQLite and PostgreSQL
    "INSERT INTO attempts (subject, count, since) VALUES (:subject, 1, :since) "
    "ON CONFLICT (subject) DO UPDATE SET count = attempts.count + 1"
)


@dataclass(frozen=True)
class AuditStore:
    """The part of the store that keeps the audit log and the failed attempts to sign in."""

    database: Database
    clock: Callable[[], float]

    def note_event(
        self, action: str, target: str, *, user_id: str | None, key_id: str | None, address: str, detail: str = ""
    ) -> None:
        """Add a line to the audit log."""
        who = {"at": self.clock(), "user_id": user_id, "key_id": key_id or None, "address": address[:64]}
        what = {"action": action, "target": target[:64], "detail": detail[:_DETAIL_CHARS]}
        with self.database.write() as connection:
            connection.execute(insert(audit), who | what)

    def list_events(self, *, limit: int, cursor: str | None = None) -> tuple[list[Event], str | None]:
        """The newest lines of the audit log, and the cursor of the next page.

        Raises:
            BadCursorError: The cursor is not one of ours.
        """
        page = after(select(audit), audit, cursor).limit(limit + 1)
        with self.database.read() as connection:
            rows = connection.execute(page).all()
        return [Event(**row._mapping) for row in rows[:limit]], next_cursor(rows, limit=limit)

    def count_attempt(self, subject: str, *, window_s: float) -> int:
        """Count an attempt of the subject to sign in: how many there were within the window, with this one."""
        now, mark = self.clock(), _mark(subject)
        with self.database.write() as connection:
            connection.execute(delete(attempts).where(attempts.c.since <= now - window_s))
            connection.execute(_COUNT, {"subject": mark, "since": now})
            return int(connection.execute(select(attempts.c.count).where(attempts.c.subject == mark)).scalar_one())

    def take_back_attempt(self, subject: str) -> None:
        """Count one attempt of the subject less: it did not fail."""
        own = update(attempts).where(attempts.c.subject == _mark(subject))
        with self.database.write() as connection:
            connection.execute(own.values(count=attempts.c.count - 1))


def _mark(subject: str) -> str:
    return hashlib.sha256(subject.encode("utf-8", "replace")).hexdigest()
