"""One engine, read and write transactions on it, and the migrations that bring it up to date."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event, make_url

_BUSY_TIMEOUT_MS = 30_000  # another process (a back-up, a migration) may hold the write lock this long
_POOL_SIZE = 48  # more than the 40 threads that anyio runs synchronous routes on, so that none waits for a connection


class Database:
    """An engine with SQLite's locking made explicit. Any thread may call it.

    Writers of one process take turns on a lock of their own, in order: SQLite's would have them sleep and poll.
    """

    def __init__(self, url: str | URL) -> None:
        self.engine = create_engine(url, pool_size=_POOL_SIZE, max_overflow=0)
        self._turn: AbstractContextManager[Any] = nullcontext()
        if self.engine.dialect.name == "sqlite":
            self._turn = threading.Lock()
            event.listen(self.engine, "connect", _configure_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._writing = self.engine.execution_options(hub_callbacks_write="FULL")
        self._noting = self.engine.execution_options(hub_callbacks_write="NORMAL")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in a transaction that sees one state of the store."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a transaction that may write; it is on disk when the block ends without an error."""
        with self._turn, self._writing.begin() as connection:
            yield connection

    @contextmanager
    def note(self) -> Iterator[Connection]:
        """The same for what a power cut may take, though the death of this process may not.

        Nothing is forced to the disk: beside a file that is being written, the file system would force all of that,
        too.
        """
        with self._turn, self._noting.begin() as connection:
            yield connection

    def migrate(self) -> None:
        """Bring the tables up to date; one process at a time may call it (the hub's lock sees to that)."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        with self.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        """Close every connection; SQLite then folds its WAL into the main file."""
        self.engine.dispose()


def sqlite_url(path: Path) -> URL:
    """The URL of an SQLite file."""
    return URL.create("sqlite", database=str(path))


def open_database(url: str | URL) -> Database:
    """The database at the URL, its tables up to date."""
    database = Database(make_url(url))
    database.migrate()
    return database


def _configure_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours to say, see _begin_sqlite
    for pragma in (
        "journal_mode=WAL",
        "foreign_keys=ON",
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A deferred BEGIN that writes later fails at once with SQLITE_BUSY when another writer came between
    # (sqlite.org/lang_transaction.html, section 2.2).
    synchronous = connection.get_execution_options().get("hub_callbacks_write")
    if synchronous:  # FULL, for the client forgets what we acknowledge: it must outlive a power cut
        connection.exec_driver_sql(f"PRAGMA synchronous={synchronous}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if synchronous else "BEGIN")
