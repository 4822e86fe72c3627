"""The outbox's SQLite file: its tables, how it is opened, how an old one is brought up to date."""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import os
import sqlite3
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from hub_callbacks.errors import OutboxDamagedError, OutboxError, OutboxFullError
from hub_callbacks.outbox.filesystem import is_on_network
from hub_callbacks.outbox.folder import ASIDE

logger = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 2.0  # a writer holds the lock for well under a millisecond; this is for a starved machine

_WAL = ("journal_mode=WAL", "synchronous=NORMAL", "wal_autocheckpoint=0")
_ROLLBACK = ("journal_mode=TRUNCATE", "synchronous=FULL")
_APPLICATION_ID = 0x48554243  # "HUBC": what file(1) can tell the file by
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}

Values: TypeAlias = "Sequence[Any] | Mapping[str, Any]"

# Each step brings the file from version n to n + 1 (PRAGMA user_version). Steps are never edited, only added.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE hubs (
            id INTEGER PRIMARY KEY,
            api_url TEXT NOT NULL UNIQUE,         -- empty: the local hub
            web_url TEXT NOT NULL,
            api_key TEXT NOT NULL,                -- the file has mode 0600
            paused TEXT NOT NULL DEFAULT '',      -- why nothing is sent until the key is changed
            failures INTEGER NOT NULL DEFAULT 0,  -- unanswered requests in a row
            retry_at REAL NOT NULL DEFAULT 0,     -- no request before this time
            trouble TEXT NOT NULL DEFAULT ''      -- what the last unanswered request met
        )
        """,
        """
        CREATE TABLE runs (
            id TEXT PRIMARY KEY,
            hub_id INTEGER NOT NULL REFERENCES hubs (id),
            remote_id TEXT,                       -- the hub's id for it; NULL until the hub has it
            name TEXT NOT NULL,
            state TEXT NOT NULL,
            epochs INTEGER NOT NULL,
            heartbeat_s REAL NOT NULL,
            agent_id TEXT,
            started_at REAL NOT NULL
        )
        """,
        """
        CREATE TABLE items (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            run_id TEXT NOT NULL REFERENCES runs (id),
            kind TEXT NOT NULL,
            epoch INTEGER,
            body TEXT NOT NULL,                   -- the record as JSON; emptied when no longer needed
            file TEXT NOT NULL DEFAULT '',        -- name of its copy in the spool
            size_bytes INTEGER NOT NULL DEFAULT 0,
            sent_bytes INTEGER NOT NULL DEFAULT 0,
            state TEXT NOT NULL DEFAULT 'queued', -- queued, acked, buried, dropped
            reason TEXT NOT NULL DEFAULT '',      -- of the last retry, the burial or the drop
            attempts INTEGER NOT NULL DEFAULT 0,
            due_at REAL NOT NULL,
            leased_until REAL NOT NULL DEFAULT 0
        )
        """,
        "CREATE INDEX items_queued ON items (due_at) WHERE state = 'queued'",
        "CREATE INDEX items_by_run ON items (run_id, kind, epoch)",
    ),
    (
        "ALTER TABLE items ADD COLUMN upload_url TEXT NOT NULL DEFAULT ''",  # of an upload that can be continued
        "ALTER TABLE runs ADD COLUMN stop_reason TEXT NOT NULL DEFAULT ''",  # set when the hub asks to stop
    ),
    # A row's commit writes two pages now, not four: ids have no page of their own (AUTOINCREMENT; no item is ever
    # deleted, so no id comes twice), and an item enters the larger index when it is settled.
    (
        """
        CREATE TABLE narrow (
            id INTEGER PRIMARY KEY,
            run_id TEXT NOT NULL REFERENCES runs (id),
            kind TEXT NOT NULL,
            epoch INTEGER,
            body TEXT NOT NULL,
            file TEXT NOT NULL DEFAULT '',
            size_bytes INTEGER NOT NULL DEFAULT 0,
            sent_bytes INTEGER NOT NULL DEFAULT 0,
            state TEXT NOT NULL DEFAULT 'queued',
            reason TEXT NOT NULL DEFAULT '',
            attempts INTEGER NOT NULL DEFAULT 0,
            due_at REAL NOT NULL,
            leased_until REAL NOT NULL DEFAULT 0,
            upload_url TEXT NOT NULL DEFAULT ''
        )
        """,
        "INSERT INTO narrow SELECT * FROM items",
        "DROP TABLE items",
        "ALTER TABLE narrow RENAME TO items",
        "CREATE INDEX items_queued ON items (run_id) WHERE state = 'queued'",
        "CREATE INDEX items_settled ON items (run_id, kind, epoch) WHERE state != 'queued'",
    ),
    # How far each journal is taken in.
    (
        """
        CREATE TABLE journals (
            name TEXT PRIMARY KEY,                -- of the file
            run_id TEXT NOT NULL REFERENCES runs (id),
            read_bytes INTEGER NOT NULL,
            names TEXT NOT NULL                   -- of the metrics, that hold from there on; JSON
        )
        """,
    ),
    # Which trainings have yet to begin on the hub: whatever is leased asks for it.
    ("CREATE INDEX items_beginning ON items (run_id) WHERE state = 'queued' AND kind = 'run_started'",),
)


class Database:
    """One connection to an outbox's SQLite file, for one thread at a time.

    Journal: WAL with ``synchronous=NORMAL`` (https://www.sqlite.org/pragma.html#pragma_synchronous): a commit is safe
    from the death of the process at once, and from a power cut when the courier has checkpointed. Automatic
    checkpoints are off, since they would fsync in the trainer. On a network file system: a rollback journal and
    ``synchronous=FULL``, every commit safe at once.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, made and brought up to date where needed; a damaged one is set aside, and a new one made.

        Raises:
            OutboxError: The file cannot be opened, or a newer version of hub-callbacks made it.
        """
        self.path = path
        self._checkpointed = -1
        try:
            self._open()
        except OutboxDamagedError as error:
            self.set_aside(str(error))
            self._open()

    def _open(self) -> None:
        with mapped(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with contextlib.suppress(FileExistsError):
                # Never opened when it is there: to close a descriptor of it would drop the locks that this process'
                # other connections hold on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            self._connection = sqlite3.connect(
                self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            weakref.finalize(self, self._connection.close)  # else Python 3.13 warns of one that nobody closed
            self._connection.row_factory = sqlite3.Row
            journal = _ROLLBACK if is_on_network(self.path.parent) else _WAL
            for pragma in (*journal, "foreign_keys=ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._inode = self.path.stat().st_ino
        self._migrate()
        self.rows("SELECT 1 FROM items, runs, hubs LIMIT 1")

    def is_current(self) -> bool:
        """Whether the open file is still the outbox: another process may have set it aside."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def set_aside(self, reason: str) -> None:
        """Rename the file with its journals, so that it can be looked at later; the next opening makes a new one."""
        self.close()
        with mapped(self.path):
            aside = set_aside(self.path, "-wal", "-shm", "-journal")
        logger.warning("%s It is set aside as %s; recording goes on in a new one.", reason, aside)

    def execute(self, statement: str, values: Values = ()) -> int:
        """Run one statement, committed on return unless a `transaction` is open; the number of rows that it changed."""
        try:
            return self._connection.execute(statement, values).rowcount
        except sqlite3.Error as error:  # not `mapped`: that costs the training thread a tenth of the statement
            raise ours(error, self.path) from error

    def executemany(self, statement: str, rows: Iterable[Values]) -> None:
        """Run one statement for each of the rows, inside a `transaction`."""
        with mapped(self.path):
            self._connection.executemany(statement, rows)

    def rows(self, statement: str, values: Values = ()) -> list[sqlite3.Row]:
        """The rows that a query yields."""
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise ours(error, self.path) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One write transaction, or a part of the one that is open.

        It takes the write lock at once, so that it cannot fail half-way as busy.
        """
        if self._connection.in_transaction:
            yield
            return
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            self._connection.rollback()
            raise

    def checkpoint(self) -> None:
        """Move what other connections have committed from the WAL into the file, and sync both.

        The first write after a whole checkpoint begins the WAL anew and syncs its header (SQLite's wal.c,
        ``syncHeader``): milliseconds. It is made here, so that no trainer makes it.
        """
        version = self.rows("PRAGMA data_version")[0][0]  # changed by other connections' commits only
        if version == self._checkpointed:
            return
        _, frames, moved = self.rows("PRAGMA wal_checkpoint(PASSIVE)")[0]
        if frames == moved:  # else a reader was in the way, until the next time
            self._checkpointed = version
            self.execute(f"PRAGMA application_id = {_APPLICATION_ID}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _version(self) -> int:
        return int(self.rows("PRAGMA user_version")[0][0])

    def _migrate(self) -> None:
        if self._version() == len(MIGRATIONS):
            return
        with self.transaction():
            version = self._version()  # again, under the lock: another process may have been faster
            if version > len(MIGRATIONS):
                raise OutboxError(f"The outbox {str(self.path)!r} was made by a newer hub-callbacks. Upgrade this one.")
            for statement in itertools.chain(*MIGRATIONS[version:]):
                self.execute(statement)
            self.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def set_aside(path: Path, *suffixes: str) -> Path:
    """Rename a damaged file, with those beside it that have a suffix more, to a name that says so; that name."""
    aside = path.with_name(f"{path.name}{ASIDE}{time.strftime('%Y%m%d-%H%M%S')}")
    for suffix in ("", *suffixes):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(aside.with_name(aside.name + suffix))
    return aside


@contextmanager
def mapped(path: Path) -> Iterator[None]:
    """Turn SQLite's and the system's errors into ours.

    Raises:
        OutboxFullError: The disk, the quota or the largest allowed file size is used up.
        OutboxDamagedError: SQLite finds the file damaged.
        OutboxError: Anything else.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise ours(error, path) from error


def ours(error: Exception, path: Path) -> OutboxError:
    """The error of ours that says of which file SQLite's, or the system's, is."""
    return _kind(error)(f"The outbox {str(path)!r} cannot be used: {error}.")


def _kind(error: Exception) -> type[OutboxError]:
    # By message: `sqlite_errorname` came with Python 3.11.
    if getattr(error, "errno", 0) in _FULL or "disk is full" in str(error):
        return OutboxFullError
    if "malformed" in str(error) or "not a database" in str(error):
        return OutboxDamagedError
    return OutboxError
