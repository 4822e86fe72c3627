"""Whether a store is whole: its release, its pages, its references."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, Table, func, select

from hub_callbacks.server.store.database import Database, migrations
from hub_callbacks.server.store.schema import metadata


def revision(database: Database) -> str | None:
    """The last migration that the tables have seen; None where there are no tables."""
    from alembic.migration import MigrationContext

    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def outdated(database: Database) -> str:
    """A line that says so where the tables are not those of this release; else empty."""
    from alembic.script import ScriptDirectory

    found = revision(database)
    with database.read() as connection:
        wanted = ScriptDirectory.from_config(migrations(connection)).get_current_head()
    if found == wanted:
        return ""
    return f"The tables are at revision {found}, this release's at {wanted}: run hub-callbacks db upgrade."


def row_problems(database: Database) -> Iterator[str]:
    """What is wrong with the rows, a line each; reads every page of an SQLite file."""
    with database.snapshot() as connection:
        if database.is_sqlite:
            said = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars().all()
            yield from (f"SQLite: {line}" for line in said if line != "ok")
        for table in metadata.sorted_tables:
            yield from _dangling(connection, table)


def _dangling(connection: Connection, table: Table) -> Iterator[str]:
    """Rows that refer to none: PostgreSQL lets none in, SQLite only where nobody switched the check off."""
    for key in table.foreign_keys:
        parent = key.column.table.alias()
        here = key.parent.is_not(None) & ~select(parent).where(parent.c[key.column.name] == key.parent).exists()
        count = connection.execute(select(func.count()).select_from(table).where(here)).scalar_one()
        if count:
            yield f"{count} rows of {table.name} refer to {key.column.table.name} that are not there."
