"""One engine, read and write transactions on it, and the migrations that bring it up to date."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError

from hub_callbacks.server.store.errors import NewerStoreError, UnreachableStoreError

_BUSY_TIMEOUT_MS = 30_000  # another process (a back-up, a migration) may hold the write lock this long
# SQLite: more than the 40 threads that anyio runs synchronous routes on, so that none waits for a connection.
# PostgreSQL: two hubs and an operator's psql stay below its own default of 100 connections.
_POOL_SIZES: Final[Mapping[str, int]] = {"sqlite": 48, "postgresql": 16}
_WRITERS: Final = 8  # on PostgreSQL, beside those
_CONNECT_S: Final = 10
_MIGRATION_LOCK: Final = 0x6875622D6362  # "hub-cb": the advisory lock that a migration holds on PostgreSQL
_DRIVERS: Final[Mapping[str, str]] = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}


class Database:
    """An engine on SQLite or PostgreSQL, with the locking of both made explicit. Any thread may call it.

    Writers of one process take turns on a lock of their own on SQLite, in order: SQLite's would have them sleep and
    poll. On PostgreSQL each locks the rows that it is about to change.
    """

    def __init__(self, url: str | URL) -> None:
        url = database_url(url)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.engine = writing = create_engine(url, max_overflow=0, **_engine_options(url))
        self._turn: AbstractContextManager[Any] = nullcontext()
        if self.is_sqlite:
            self._turn = threading.Lock()
            event.listen(self.engine, "connect", _configure_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
            self._reading = self.engine
        else:
            writing = create_engine(url, max_overflow=0, **_engine_options(url) | {"pool_size": _WRITERS})
            event.listen(writing, "connect", _plan_once)
            self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")  # one round trip, not three
        self._writing = writing.execution_options(hub_callbacks_write="FULL")
        self._noting = writing.execution_options(hub_callbacks_write="NORMAL")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that reads what was committed: on SQLite one state, on PostgreSQL one with each statement."""
        with self._reading.connect() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection that sees one state of the store, however long it reads."""
        level = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self.engine.execution_options(**level).begin() as connection:
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
            if not self.is_sqlite:
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            yield connection

    def migrate(self) -> None:
        """Bring the tables up to date. Of several processes that begin at once one does it, and the others wait.

        Raises:
            NewerStoreError: A later release has brought them further.
        """
        from alembic import command
        from alembic.util import CommandError

        with self.write() as connection:
            if not self.is_sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            try:
                command.upgrade(migrations(connection), "head")
            except CommandError as error:
                raise NewerStoreError from error

    def connections(self) -> tuple[int, int]:
        """How many this process keeps at most, and how many PostgreSQL grants to all that come to it."""
        with self.read() as connection:
            granted = connection.exec_driver_sql("SHOW max_connections").scalar_one()
        return _POOL_SIZES["postgresql"] + _WRITERS, int(granted)

    def close(self) -> None:
        """Close every connection; SQLite then folds its WAL into the main file."""
        self._writing.dispose()
        self.engine.dispose()


def migrations(connection: Connection) -> Any:
    """Alembic's configuration, for its commands on that connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def sqlite_url(path: Path) -> URL:
    """The URL of an SQLite file."""
    return URL.create("sqlite", database=str(path))


def database_url(text: str | URL) -> URL:
    """The URL of a store, with the driver that we bring for it.

    Raises:
        UnreachableStoreError: It is no URL, or that of another engine.
    """
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise UnreachableStoreError(
            "The address of the database is no URL, as postgresql://user:password@host/name is."
        ) from error
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() not in _POOL_SIZES:
        message = f"The hub keeps its data in SQLite or PostgreSQL, not in {url.get_backend_name()!r}."
        raise UnreachableStoreError(message)
    return url


def is_sqlite(url: str) -> bool:
    """Whether the store is in SQLite, as it is where no URL says otherwise; then one process has it."""
    return not url or database_url(url).get_backend_name() == "sqlite"


def open_database(url: str | URL) -> Database:
    """The database at the URL, its tables up to date.

    Raises:
        UnreachableStoreError: It cannot be reached.
        NewerStoreError: A later release has brought it further.
    """
    database = connect(url)
    try:
        database.migrate()
    except BaseException:
        database.close()
        raise
    return database


def connect(url: str | URL) -> Database:
    """The database at the URL, as it is.

    Raises:
        UnreachableStoreError: It cannot be reached, or is damaged or no database at all.
    """
    url = database_url(url)
    shown = url.render_as_string(hide_password=True)
    try:
        database = Database(url)
        with database.read():
            pass
    except (ImportError, NoSuchModuleError) as error:
        raise UnreachableStoreError('For PostgreSQL, install "hub-callbacks[postgres]".') from error
    except OperationalError as error:
        raise UnreachableStoreError(f"The database {shown} cannot be reached: {error.orig}") from error
    except DatabaseError as error:
        raise UnreachableStoreError(
            f"The database {shown} cannot be read: {error.orig}. If it is damaged, take the last back-up."
        ) from error
    return database


def _engine_options(url: URL) -> dict[str, Any]:
    name = url.get_backend_name()
    options: dict[str, Any] = {"pool_size": _POOL_SIZES[name]}
    if name == "postgresql":
        said = {"application_name": "hub-callbacks", "connect_timeout": _CONNECT_S}
        options["connect_args"] = {key: value for key, value in said.items() if key not in url.query}
    return options


def _configure_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours to say, see _begin_sqlite
    for pragma in (
        "journal_mode=WAL",
        "foreign_keys=ON",
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _plan_once(connection: Any, _: Any) -> None:
    # psycopg prepares what it sends again and again. PostgreSQL would still plan it anew for each lot of reports, which
    # takes longer than to execute it. Searches gain from plans of their own: they are read by other connections.
    connection.execute("SET plan_cache_mode = force_generic_plan")
    connection.commit()  # a rollback would undo it


def _begin_sqlite(connection: Connection) -> None:
    # A deferred BEGIN that writes later fails at once with SQLITE_BUSY when another writer came between
    # (sqlite.org/lang_transaction.html, section 2.2).
    synchronous = connection.get_execution_options().get("hub_callbacks_write")
    if synchronous:  # FULL, for the client forgets what we acknowledge: it must outlive a power cut
        connection.exec_driver_sql(f"PRAGMA synchronous={synchronous}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if synchronous else "BEGIN")
