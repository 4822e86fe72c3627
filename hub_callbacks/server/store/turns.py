"""Turns: what only one process at a time may do, of all that share one PostgreSQL."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection, Select, bindparam, func, select
from sqlalchemy.exc import DBAPIError

from hub_callbacks.server.store.database import Database

_TAKE = select(func.pg_try_advisory_lock(bindparam("number")))
_LEAVE = select(func.pg_advisory_unlock(bindparam("number")))


@dataclass
class Turns:
    """Advisory locks of one session (PostgreSQL, section 13.3.5): when this process dies, they are free at once.

    A store on SQLite has one process, and no need for them. Any thread may call it.
    """

    database: Database
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _session: Connection | None = None

    @property
    def are_needed(self) -> bool:
        """Whether other processes may share the store."""
        return not self.database.is_sqlite

    def take(self, name: str) -> bool:
        """Whether the turn is now this process's; not when another has it."""
        return self._ask(_TAKE, name)

    def leave(self, name: str) -> None:
        """Let others have the turn."""
        with suppress(DBAPIError):  # the session is gone, and its turns with it
            self._ask(_LEAVE, name)

    def close(self) -> None:
        """Let go of every turn."""
        with self._lock:
            self._end()

    def _ask(self, question: Select[bool], name: str) -> bool:
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
        with self._lock:
            if self._session is None:
                engine = self.database.engine.execution_options(isolation_level="AUTOCOMMIT")
                self._session = engine.connect()
            try:
                return self._session.execute(question, {"number": number}).scalar_one()
            except DBAPIError:
                self._end()
                raise

    def _end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.invalidate()  # given back to the pool, it would keep the locks
            session.close()
