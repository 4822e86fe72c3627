"""Who may see what: whom a thing belongs to, and the condition that a list puts on its rows.

`hub_callbacks.server.permissions` decides for one thing what `visible` decides for a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, FromClause, Select, Table, and_, bindparam, false, or_, select, true

from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.errors import NotFoundError
from hub_callbacks.server.store.rows import Caller, Place
from hub_callbacks.server.store.schema import datasets, members, models, projects

Collection = Literal["models", "datasets", "projects"]
TABLES: Final[dict[Collection, Table]] = {"models": models, "datasets": datasets, "projects": projects}
OF_PROJECT: Final = (  # what `place` reads, with `of_thing`
    projects.c.id.label("in_project"),
    projects.c.owner.label("project_owner"),
    projects.c.is_public.label("is_project_public"),
    members.c.role.label("member"),
)
_IS_MEMBER: Final = and_(members.c.project_seq == projects.c.seq, members.c.user_id == bindparam("user_id"))


def of_thing(table: FromClause) -> tuple[ColumnElement[Any], ...]:
    """What `place` reads of the thing itself."""
    return (table.c.owner.label("thing_owner"), table.c.is_public.label("is_thing_public"), table.c.project_seq)


def _placed(table: Table) -> Select[Any]:
    """Things with the projects that they are in, and what those are to the user."""
    project = and_(projects.c.seq == table.c.project_seq, projects.c.deleted_at.is_(None))
    wanted = select(table.c.id, *of_thing(table), *OF_PROJECT)
    return wanted.select_from(table.outerjoin(projects, project).outerjoin(members, _IS_MEMBER))


def _things(table: Table, *, is_deleted: bool) -> Select[Any]:
    """The thing, if there is one, with the rest of `_placed`."""
    standing = table.c.deleted_at.is_not(None) if is_deleted else table.c.deleted_at.is_(None)
    return _placed(table).where(table.c.id == bindparam("id"), standing)


_THINGS: Final = {
    (name, is_deleted): _things(TABLES[name], is_deleted=is_deleted)
    for name in ("models", "datasets")
    for is_deleted in (False, True)
}


@dataclass(frozen=True)
class AccessStore:
    """The part of the store that knows whom things belong to."""

    database: Database

    def place_of(self, collection: Collection, thing_id: str, user_id: str = "", *, is_deleted: bool = False) -> Place:
        """Whom the thing belongs to, seen from a user; whoever changes a project itself must be its owner.

        Args:
            collection: What kind of thing it is.
            thing_id: The thing.
            user_id: The user.
            is_deleted: Whether a model or data set is meant that was hidden, and no other.

        Raises:
            NotFoundError: There is no such thing.
        """
        if collection != "projects":
            wanted = _THINGS[collection, is_deleted]
            with self.database.read() as connection:
                row = connection.execute(wanted, {"id": thing_id, "user_id": user_id}).one_or_none()
            found = None if row is None else place(row)
        else:
            with self.database.read() as connection:
                project = _project(connection, projects.c.id == thing_id, user_id)
            found = project and replace(project, member="viewer" if project.member else None)
        if found is None:
            raise NotFoundError(thing_id, collection)
        return found

    def places_of(
        self, collection: Literal["models", "datasets"], thing_ids: Sequence[str], user_id: str
    ) -> dict[str, Place]:
        """Whom the things belong to, by their ids, as `place_of` says it; what there is not is left out."""
        table = TABLES[collection]
        wanted = _placed(table).where(table.c.id.in_(thing_ids), table.c.deleted_at.is_(None))
        with self.database.read() as connection:
            return {row.id: place(row) for row in connection.execute(wanted, {"user_id": user_id})}

    def place_in(self, project_id: str, user_id: str) -> Place:
        """What a new thing of that user in the project would have as its place.

        Raises:
            NotFoundError: There is no such project.
        """
        with self.database.read() as connection:
            found = _project(connection, projects.c.id == project_id, user_id)
        if found is None:
            raise NotFoundError(project_id, "projects")
        return found

    def own_projects(self, caller: Caller) -> dict[str, str]:
        """The names of the projects that the caller may put things into, by their ids, sorted by name."""
        helped = select(members.c.project_seq).where(members.c.user_id == caller.user_id, members.c.role == "trainer")
        may = true() if caller.role == "admin" else or_(projects.c.owner == caller.user_id, projects.c.seq.in_(helped))
        if caller.role == "viewer":
            may = false()
        if caller.project_id is not None:
            may = and_(may, projects.c.id == caller.project_id)
        wanted = select(projects.c.id, projects.c.name).where(projects.c.deleted_at.is_(None), may)
        with self.database.read() as connection:
            return {row.id: row.name for row in connection.execute(wanted.order_by(projects.c.name, projects.c.seq))}


def visible(table: Table, caller: Caller | None) -> ColumnElement[bool]:
    """The condition that keeps only what the caller may read; None is anyone."""
    in_public = projects.c.is_public if table is projects else _in(table, projects.c.is_public.is_(True))
    is_public = or_(table.c.is_public.is_(True), in_public)
    if caller is None:
        return is_public
    if caller.project_id is not None:
        return or_(is_public, _in(table, projects.c.id == caller.project_id))
    if caller.role == "admin":
        return true()
    shared = select(members.c.project_seq).where(members.c.user_id == caller.user_id)
    inside = or_(projects.c.owner == caller.user_id, projects.c.seq.in_(shared))
    outside = false() if table is projects else table.c.project_seq.is_(None)
    return or_(is_public, outside, table.c.owner == caller.user_id, _in(table, inside))


def live_project(connection: Connection, project_id: str) -> int:
    """The project's row number.

    Raises:
        NotFoundError: There is no such project.
    """
    wanted = select(projects.c.seq).where(projects.c.id == project_id, projects.c.deleted_at.is_(None))
    seq = connection.execute(wanted).scalar_one_or_none()
    if seq is None:
        raise NotFoundError(project_id, "projects")
    return int(seq)


def _in(table: Table, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether the row is in such a project, or is one."""
    if table is projects:
        return condition
    live = and_(projects.c.deleted_at.is_(None), condition)
    return table.c.project_seq.in_(select(projects.c.seq).where(live))


def place(row: Any) -> Place:
    """Where a thing stands, by a row with the columns of `of_thing` and of its project."""
    own = Place(owner=row.thing_owner, is_public=row.is_thing_public)
    if row.project_seq is None:
        return own
    if row.in_project is None:  # the project is deleted: what is in it is its owner's again, and nobody else's
        return replace(own, project_id="", project_owner=own.owner)
    return replace(_place_of_project(row), owner=own.owner, is_public=own.is_public or row.is_project_public)


def _project(connection: Connection, condition: ColumnElement[bool], user_id: str) -> Place | None:
    wanted = select(*OF_PROJECT).select_from(projects.outerjoin(members, _IS_MEMBER))
    wanted = wanted.where(condition, projects.c.deleted_at.is_(None))
    row = connection.execute(wanted, {"user_id": user_id}).one_or_none()
    return _place_of_project(row) if row else None


def _place_of_project(row: Any) -> Place:
    return Place(
        owner=row.project_owner,
        is_public=row.is_project_public,
        project_id=row.in_project,
        project_owner=row.project_owner,
        member=row.member,
    )
