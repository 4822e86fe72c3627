"""Statements for many rows: SQLite is given one row after the other, PostgreSQL all of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, text
from sqlalchemy.dialects import postgresql

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has no types for it


class Batch:
    """One statement in two forms.

    PostgreSQL gets each column as one text with a line for each row: each row alone would be a message there and back,
    and of an array the driver would look for quotation marks in each value, of which JSON has many.

    Args:
        each: For one row, whose values are its parameters.
        all_: For all rows, of PostgreSQL; ``{given}`` stands for the table of them.
        columns: What that table has.
    """

    def __init__(self, each: str, all_: str, *columns: Column[Any]) -> None:
        self._each, self._names = text(each), [column.name for column in columns]
        given = f"unnest({', '.join(map(_array, columns))}) AS given ({', '.join(self._names)})"
        self.all = all_.format(given=given)

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute it, on SQLite, for the rows."""
        connection.execute(self._each, rows)

    def parameters(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """What `all` takes for the rows."""
        return {name: _lines(row[name] for row in rows) for name in self._names}


class Pair:
    """Two statements, which PostgreSQL executes as one. Neither sees what the other does, and no column is in both."""

    def __init__(self, first: Batch, second: Batch) -> None:
        self._first, self._second = first, second
        self._all = text(f"WITH first AS ({first.all}) {second.all}")

    def execute(
        self, connection: Connection, first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]
    ) -> None:
        """Execute each for its rows, of which there is one or more.

        No text in them may be empty or have a line feed in it, as no JSON text of ours is or has.
        """
        if connection.dialect.name == "sqlite":
            self._first.execute(connection, first)
            self._second.execute(connection, second)
        else:
            connection.execute(self._all, self._first.parameters(first) | self._second.parameters(second))


def _array(column: Column[Any]) -> str:
    return f"CAST(string_to_array(:{column.name}, E'\\n', '') AS {column.type.compile(_DIALECT)}[])"


def _lines(values: Iterable[Any]) -> str:
    return "\n".join("" if value is None else str(value) for value in values)
