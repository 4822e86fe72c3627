"""Who may see what: whom a thing belongs to, and the condition that a list puts on its rows.

`hub_callbacks.server.permissions` decides for one thing what `visible` decides for a list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, Table, and_, false, or_, select, true

from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.errors import NotFoundError
from hub_callbacks.server.store.rows import Caller, Place
from hub_callbacks.server.store.schema import datasets, members, models, projects

Collection = Literal["models", "datasets", "projects"]
TABLES: Final[dict[Collection, Table]] = {"models": models, "datasets": datasets, "projects": projects}


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
        with self.database.read() as connection:
            if collection == "projects":
                place = _project(connection, projects.c.id == thing_id, user_id)
                found = place and Place(**{**_fields(place), "member": "viewer" if place.member else None})
            else:
                found = _thing(connection, TABLES[collection], thing_id, user_id, is_deleted=is_deleted)
        if found is None:
            raise NotFoundError(thing_id, collection)
        return found

    def place_in(self, project_id: str, user_id: str) -> Place:
        """What a new thing of that user in the project would have as its place.

        Raises:
            NotFoundError: There is no such project.
        """
        with self.database.read() as connection:
            place = _project(connection, projects.c.id == project_id, user_id)
        if place is None:
            raise NotFoundError(project_id, "projects")
        return place

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


def _thing(connection: Connection, table: Table, thing_id: str, user_id: str, *, is_deleted: bool) -> Place | None:
    wanted = select(table.c.owner, table.c.is_public, table.c.project_seq).where(table.c.id == thing_id)
    standing = table.c.deleted_at.is_not(None) if is_deleted else table.c.deleted_at.is_(None)
    row = connection.execute(wanted.where(standing)).one_or_none()
    if row is None:
        return None
    own = Place(owner=row.owner, is_public=row.is_public)
    if row.project_seq is None:
        return own
    project = _project(connection, projects.c.seq == row.project_seq, user_id)
    if project is None:  # the project is deleted: what is in it is its owner's again, and nobody else's
        return Place(owner=row.owner, is_public=row.is_public, project_id="", project_owner=row.owner)
    is_public = row.is_public or project.is_public
    return Place(**{**_fields(project), "owner": row.owner, "is_public": is_public})


def _project(connection: Connection, condition: ColumnElement[bool], user_id: str) -> Place | None:
    member = and_(members.c.project_seq == projects.c.seq, members.c.user_id == user_id)
    wanted = select(projects.c.id, projects.c.owner, projects.c.is_public, members.c.role)
    wanted = wanted.select_from(projects.outerjoin(members, member))
    row = connection.execute(wanted.where(condition, projects.c.deleted_at.is_(None))).one_or_none()
    if row is None:
        return None
    return Place(owner=row.owner, is_public=row.is_public, project_id=row.id, project_owner=row.owner, member=row.role)


def _fields(place: Place) -> dict[str, Any]:
    return {name: getattr(place, name) for name in Place.__slots__}
