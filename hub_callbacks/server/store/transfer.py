"""A store as a file beside itself, and a store from one engine to another."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Table, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.errors import StoreError
from hub_callbacks.server.store.schema import metadata

_BATCH = 1000


class TransferError(StoreError):
    """The store cannot be taken there."""


def back_up(database: Database, target: Path) -> None:
    """Write the store as it is now into one SQLite file, which takes the place of an older one when it is whole.

    Hubs may serve the store meanwhile (SQLite's online backup, sqlite.org/backup.html).

    Raises:
        TransferError: The store is in PostgreSQL, or the file cannot be written.
    """
    if not database.is_sqlite:
        raise TransferError("This store is in PostgreSQL. Back it up with PostgreSQL's own pg_dump.")
    unfinished = target.with_name(f"{target.name}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        with database.read() as connection, closing(sqlite3.connect(unfinished)) as copy:
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)  # noqa: S101 - the engine is SQLite's
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, which no other belongs to
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise TransferError(f"The store cannot be backed up to {str(target)!r}: {error}.") from error


def copy_store(source: Database, target: Database) -> dict[str, int]:
    """Copy every table of one store into another, which is empty, in one transaction.

    Returns:
        The number of rows of each table, the same in both.

    Raises:
        TransferError: The other is not empty, refuses a value, or has another number of rows in the end.
    """
    with source.snapshot() as reading, target.write() as writing:
        taken = {name: count for name, count in _counts(writing).items() if count}
        if taken:
            shown = ", ".join(f"{name} ({count})" for name, count in taken.items())
            raise TransferError(f"The database to copy to is not empty: {shown}.")
        try:
            for table in metadata.sorted_tables:
                _copy(table, reading, writing)
            if not target.is_sqlite:
                _go_on_counting(writing)
        except DBAPIError as error:
            reason = str(error.orig).partition("\n")[0]
            raise TransferError(f"The database to copy to refuses a row: {reason}.") from error
        counts, arrived = _counts(reading), _counts(writing)
        if counts != arrived:
            raise TransferError(f"Copied {arrived} of {counts} rows: nothing is kept of them.")
    return counts


def _counts(connection: Connection) -> dict[str, int]:
    tables = metadata.sorted_tables
    return {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables}


def _copy(table: Table, reading: Connection, writing: Connection) -> None:
    rows = reading.execution_options(yield_per=_BATCH).execute(select(table).order_by(*table.primary_key))
    for batch in rows.mappings().partitions():
        writing.execute(insert(table), [dict(row) for row in batch])


def _go_on_counting(connection: Connection) -> None:
    """Have PostgreSQL give out row numbers behind those that were copied."""
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None:
            highest = select(func.max(column)).scalar_subquery()
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            connection.execute(select(func.setval(sequence, func.coalesce(highest, text("1")), highest.is_not(None))))
