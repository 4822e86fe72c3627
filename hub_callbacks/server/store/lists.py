"""Many texts, or pairs of them, as one parameter: a statement is one for any number, compiled and planned once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ColumnElement, TableValuedAlias, bindparam, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement


class one_of(FunctionElement[bool]):  # noqa: N801 - it is called like SQLAlchemy's own functions
    """Whether a column's text is one of those that a parameter brings.

    It is of no type: SQLAlchemy would compare a Boolean with 1 in SQLite, which then used no index.

    Args:
        column: The column.
        name: The parameter's name.
    """

    inherit_cache = True

    def __init__(self, column: ColumnElement[str], name: str) -> None:
        super().__init__(column, bindparam(name, type_=JSON()))


class _pairs(FunctionElement[Any]):  # noqa: N801 - as above
    inherit_cache = True


def pairs(name: str) -> TableValuedAlias:
    """A table of the pairs of texts that a parameter brings: ``number``, from 0 on, ``first`` and ``second``."""
    return _pairs(bindparam(name, type_=JSON())).table_valued("number", "first", "second")


def is_unset(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether the time is NULL, in rows that `one_of` has found: by itself, SQLite would go through an index of it."""
    return func.coalesce(column, 0.0) == 0.0


@compiles(one_of, "sqlite")
def _sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    column, texts = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({texts}))"  # noqa: S608 - both are SQLAlchemy's


@compiles(one_of, "postgresql")
def _postgresql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    column, texts = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY (ARRAY (SELECT json_array_elements_text({texts})))"


@compiles(_pairs, "sqlite")
def _sqlite_pairs(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    (texts,) = (compiler.process(clause, **options) for clause in element.clauses)
    items = "key AS number, json_extract(value, '$[0]') AS first, json_extract(value, '$[1]') AS second"
    return f"(SELECT {items} FROM json_each({texts}))"  # noqa: S608 - as above


@compiles(_pairs, "postgresql")
def _postgresql_pairs(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    (texts,) = (compiler.process(clause, **options) for clause in element.clauses)
    items = "number - 1 AS number, value ->> 0 AS first, value ->> 1 AS second"
    return f"(SELECT {items} FROM json_array_elements({texts}) WITH ORDINALITY AS pairs (value, number))"  # noqa: S608 - as above
