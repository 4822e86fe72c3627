"""Numbers and texts out of the JSON texts in our columns, in SQL that SQLite and PostgreSQL both take."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Double, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement

_IS_NUMBER = r"^-?[0-9][0-9.]*([eE][-+]?[0-9]+)?$"


class number_in(FunctionElement[float]):  # noqa: N801 - it is called like SQLAlchemy's own functions
    """The number that a column's JSON object has under a name; NULL where it has another value, or none.

    Args:
        column: Holds a JSON object as text.
        name: A name in it, without quotation marks.
    """

    type = Double()
    inherit_cache = True

    def __init__(self, column: ColumnElement[str], name: str) -> None:
        super().__init__(column, bindparam("name", name, unique=True))


class text_in(FunctionElement[str]):  # noqa: N801 - as above
    """The value of whatever kind that a column's JSON object has under a name, in small letters; NULL where none.

    Args:
        column: Holds a JSON object as text.
        name: A name in it, without quotation marks.
    """

    type = Text()
    inherit_cache = True

    def __init__(self, column: ColumnElement[str], name: str) -> None:
        super().__init__(column, bindparam("name", name, unique=True))


@compiles(text_in, "sqlite")
def _sqlite_text(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    column, name = (compiler.process(clause, **options) for clause in element.clauses)
    return f"""LOWER(json_extract({column}, '$."' || {name} || '"'))"""


@compiles(text_in, "postgresql")
def _postgresql_text(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    column, name = (compiler.process(clause, **options) for clause in element.clauses)
    return f"LOWER(CAST({column} AS JSON) ->> CAST({name} AS TEXT))"


@compiles(number_in, "sqlite")
def _sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    column, name = (compiler.process(clause, **options) for clause in element.clauses)
    path = f"""'$."' || {name} || '"'"""
    return f"CASE WHEN json_type({column}, {path}) IN ('integer', 'real') THEN json_extract({column}, {path}) END"


@compiles(number_in, "postgresql")
def _postgresql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    column, name = (compiler.process(clause, **options) for clause in element.clauses)
    value = f"CAST({column} AS JSON) ->> CAST({name} AS TEXT)"
    return f"CASE WHEN ({value}) ~ '{_IS_NUMBER}' THEN CAST({value} AS DOUBLE PRECISION) END"
