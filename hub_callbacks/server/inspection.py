"""Whether each file that a store names is there and is what the store says, and copies of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from hub_callbacks.server.blobs import Blobs
from hub_callbacks.server.store.checks import outdated, row_problems
from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.schema import metadata, uploads


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A blob that a row names.

    Attributes:
        table: What kind of row.
    """

    table: str
    blob: str
    size_bytes: int
    sha256: str


def named_blobs(database: Database) -> Iterator[Named]:
    """Every published blob that the store names; what is still on its way is none."""
    for table in metadata.sorted_tables:
        if "blob" in table.c and table is not uploads:
            columns = select(table.c.blob, table.c.size_bytes, table.c.sha256).where(table.c.blob.is_not(None))
            with database.snapshot() as connection:
                for row in connection.execute(columns.execution_options(yield_per=1000)):
                    yield Named(table=table.name, blob=row.blob, size_bytes=row.size_bytes, sha256=row.sha256)


def problems(database: Database, open_blobs: Callable[[], Blobs], *, is_deep: bool) -> Iterator[str]:
    """What is wrong with a hub's data, a line each.

    Args:
        database: Where its rows are.
        open_blobs: Its files; not called where the rows cannot be read.
        is_deep: Read every file, and compare its SHA-256.
    """
    try:
        if line := outdated(database):
            yield line
            return
        yield from row_problems(database)
        yield from blob_problems(database, open_blobs(), is_deep=is_deep)
    except DBAPIError as error:  # SQLite says so, too, when it comes to a damaged page
        yield f"The database cannot be read to its end: {error.orig}"


def blob_problems(database: Database, blobs: Blobs, *, is_deep: bool) -> Iterator[str]:
    """What is wrong with the files, a line each; when deep, every one of them is read."""
    for named in named_blobs(database):
        size_bytes = blobs.size_bytes(named.blob)
        if size_bytes is None:
            yield f"The file {named.blob} of {named.table} is not there."
        elif size_bytes != named.size_bytes:
            yield f"The file {named.blob} of {named.table} has {size_bytes} bytes, not {named.size_bytes}."
        elif is_deep and _sha256(blobs, named) != named.sha256:
            yield f"The file {named.blob} of {named.table} is damaged: its SHA-256 is not {named.sha256}."


def copy_blobs(database: Database, source: Blobs, target: Blobs) -> tuple[int, int]:
    """Copy the published files that the store names; what is there already in that size is left.

    Returns:
        How many were copied, and how many were not there to copy.
    """
    copied = missing = 0
    for named in named_blobs(database):
        if target.size_bytes(named.blob) == named.size_bytes:
            continue
        try:
            pieces = source.read(named.blob, 0, named.size_bytes)
        except FileNotFoundError:  # deleted since, with its run
            missing += 1
            continue
        part = target.partial(named.blob)
        part.truncate(0)
        for piece in pieces:
            part.write(piece)
        part.publish()
        copied += 1
    return copied, missing


def _sha256(blobs: Blobs, named: Named) -> str:
    digest = hashlib.sha256()
    for piece in blobs.read(named.blob, 0, named.size_bytes):
        digest.update(piece)
    return digest.hexdigest()
