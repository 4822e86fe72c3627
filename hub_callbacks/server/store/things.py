"""Projects and data sets: created, listed, patched, deleted, each with its one file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from hub_callbacks import wire
from hub_callbacks.server.store import documents
from hub_callbacks.server.store.access import TABLES, live_project, visible
from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.errors import NotEmptyError, NotFoundError
from hub_callbacks.server.store.paging import after, next_cursor
from hub_callbacks.server.store.rows import Caller, NewFile, Thing, ThingPage
from hub_callbacks.server.store.schema import datasets, models, projects

ThingKind = Literal["datasets", "projects"]
_FILE = ("filename", "size_bytes", "sha256", "blob")


@dataclass(frozen=True)
class ThingStore:
    """The part of the store that keeps projects and data sets."""

    database: Database
    clock: Callable[[], float]

    def create_thing(self, kind: ThingKind, body: Mapping[str, Any], *, owner: str) -> Thing:
        """A new project or data set of ``owner`` (a user id) from a HUB v1 body.

        Raises:
            NotFoundError: The body names a project that there is not.
        """
        thing_id, now = wire.new_id(), self.clock()
        with self.database.write() as connection:
            row = {"id": thing_id, "owner": owner, "created_at": now, "updated_at": now, "is_public": False}
            connection.execute(insert(TABLES[kind]), row | _columns(connection, kind, body))
            return _thing(connection, kind, thing_id)

    def get_thing(self, kind: ThingKind, thing_id: str) -> Thing | None:
        """The project or data set, or None where there is none or it is deleted."""
        with self.database.read() as connection:
            row = connection.execute(_select(kind).where(TABLES[kind].c.id == thing_id)).one_or_none()
        return _read(row) if row else None

    def get_readable(self, kind: ThingKind, thing_ids: Iterable[str], caller: Caller | None) -> dict[str, Thing]:
        """Those of the projects or data sets that the caller may read, by id."""
        table = TABLES[kind]
        wanted = _select(kind).where(table.c.id.in_(list(thing_ids)), visible(table, caller))
        with self.database.read() as connection:
            return {row.id: _read(row) for row in connection.execute(wanted)}

    def list_things(
        self,
        kind: ThingKind,
        caller: Caller | None,
        *,
        limit: int,
        cursor: str | None = None,
        query: str = "",
        offset: int = 0,
    ) -> ThingPage:
        """What the caller may read and whose id or name contains the query, newest first; None lists what is public.

        Raises:
            BadCursorError: The cursor is not one of ours.
        """
        table = TABLES[kind]
        matches = [table.c.deleted_at.is_(None), visible(table, caller)]
        if query:
            matches.append(documents.contains(query, table.c.id, table.c.name))
        page = after(_select(kind).where(*matches), table, cursor).limit(limit + 1).offset(offset)
        with self.database.read() as connection:
            total = connection.execute(select(func.count()).select_from(table).where(*matches)).scalar_one()
            rows = connection.execute(page).all()
        return ThingPage(
            things=[_read(row) for row in rows[:limit]], total=total, cursor=next_cursor(rows, limit=limit)
        )

    def update_thing(self, kind: ThingKind, thing_id: str, patch: Mapping[str, Any]) -> Thing:
        """Lay a HUB v1 document over the thing's, object by object.

        Raises:
            NotFoundError: There is no such thing, or the patch names a project that there is not.
        """
        with self.database.write() as connection:
            document = documents.merge(_thing(connection, kind, thing_id).document, patch)
            changes = _columns(connection, kind, document) | {"updated_at": self.clock()}
            _set(connection, kind, thing_id, changes)
            return _thing(connection, kind, thing_id)

    def set_file(self, kind: ThingKind, thing_id: str, file: NewFile) -> str | None:
        """Publish a verified blob as the data set's archive or the project's image.

        Returns:
            The blob that it replaces, for the caller to delete; None where there was none.

        Raises:
            NotFoundError: There is no such thing.
        """
        with self.database.write() as connection:
            before = _thing(connection, kind, thing_id).file
            _set(connection, kind, thing_id, {**asdict(file), "updated_at": self.clock()})
        return before.blob if before else None

    def delete_thing(self, kind: ThingKind, thing_id: str, *, hard: bool) -> str | None:
        """Hide the thing for good or, when ``hard``, remove it.

        Returns:
            The blob that nothing names any more, for the caller to delete.

        Raises:
            NotFoundError: There is no such thing.
            NotEmptyError: A project that is to be removed still holds something.
        """
        table = TABLES[kind]
        with self.database.write() as connection:
            thing = _thing(connection, kind, thing_id)
            if not hard:
                _set(connection, kind, thing_id, {"deleted_at": self.clock()})
                return None
            if kind == "projects" and _holds_anything(connection, live_project(connection, thing_id)):
                raise NotEmptyError(thing_id)
            connection.execute(delete(table).where(table.c.id == thing_id))
            return thing.file.blob if thing.file else None


def _select(kind: ThingKind) -> Any:
    table = TABLES[kind]
    if kind == "projects":
        return select(table).where(table.c.deleted_at.is_(None))
    of = projects.alias("of")
    return (
        select(table, of.c.id.label("project_id"))
        .outerjoin(of, of.c.seq == datasets.c.project_seq)
        .where(table.c.deleted_at.is_(None))
    )


def _thing(connection: Connection, kind: ThingKind, thing_id: str) -> Thing:
    table = TABLES[kind]
    wanted = _select(kind).where(table.c.id == thing_id).with_for_update(key_share=True, of=table)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise NotFoundError(thing_id, kind)
    return _read(row)


def _set(connection: Connection, kind: ThingKind, thing_id: str, changes: Mapping[str, Any]) -> None:
    table = TABLES[kind]
    connection.execute(update(table).where(table.c.id == thing_id).values(**changes))


def _columns(connection: Connection, kind: ThingKind, document: Mapping[str, Any]) -> dict[str, Any]:
    columns = documents.thing_columns(document)
    if kind == "datasets" and "projectId" in document:
        project_id = document["projectId"]
        columns["project_seq"] = live_project(connection, project_id) if project_id else None
    return columns


def _holds_anything(connection: Connection, project_seq: int) -> bool:
    def holds(table: Table) -> bool:
        return (
            connection.execute(select(table.c.seq).where(table.c.project_seq == project_seq).limit(1)).first()
            is not None
        )

    return holds(models) or holds(datasets)


def _read(row: Any) -> Thing:
    found = row._mapping
    return Thing(
        **{name: found[name] for name in ("id", "owner", "name", "is_public", "created_at", "updated_at")},
        document=json.loads(row.document),
        project_id=found.get("project_id"),
        file=NewFile(**{name: found[name] for name in _FILE}) if row.blob else None,
    )
