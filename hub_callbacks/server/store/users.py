"""Users: who may come in, as what, and with whom projects are shared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from hub_callbacks import wire
from hub_callbacks.server.store import documents
from hub_callbacks.server.store.access import live_project
from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.errors import LastAdminError, NameTakenError, NotFoundError
from hub_callbacks.server.store.passwords import hash_password, is_password
from hub_callbacks.server.store.people import Member, User
from hub_callbacks.server.store.rows import Caller, Role
from hub_callbacks.server.store.schema import keys, members, users

_SHARE = text(  # the same words for SQLite and PostgreSQL
    "INSERT INTO members (project_seq, user_id, role) VALUES (:project_seq, :user_id, :role) "
    "ON CONFLICT (project_seq, user_id) DO UPDATE SET role = excluded.role"
)
_LIVE = select(users).where(users.c.deleted_at.is_(None))


@dataclass(frozen=True)
class UserStore:
    """The part of the store that keeps users."""

    database: Database
    clock: Callable[[], float]

    def create_user(
        self,
        name: str,
        role: Role,
        *,
        email: str | None = None,
        password: str | None = None,
        document: Mapping[str, Any] | None = None,
    ) -> Caller:
        """A new user.

        Raises:
            NameTakenError: Another user has the e-mail address.
        """
        user_id = wire.new_id()
        row = {"id": user_id, "name": name, "role": role, "created_at": self.clock(), "email": _address(email)}
        secret = {"password": hash_password(password) if password else None}
        with _unique(email), self.database.write() as connection:
            connection.execute(insert(users), row | secret | {"document": documents.dump(document or {})})
        return Caller(user_id=user_id, name=name, role=role)

    def get_user(self, user_id: str) -> Caller | None:
        """The user as a caller, or None where there is none or they are deleted."""
        found = self.find_user(user_id)
        return Caller(user_id=found.id, name=found.name, role=found.role) if found else None

    def find_user(self, user: str) -> User | None:
        """The user of that id or e-mail address, or None where there is none or they are deleted."""
        column = users.c.email if "@" in user else users.c.id
        wanted = _LIVE.where(column == (_address(user) if "@" in user else user))
        with self.database.read() as connection:
            row = connection.execute(wanted).one_or_none()
        return _user(row) if row else None

    def list_users(self, *, limit: int, offset: int = 0, query: str = "") -> tuple[list[User], int]:
        """Users whose name or e-mail address contains the query, newest first; and how many there are in all."""
        wanted = _LIVE.where(documents.contains(query, users.c.id, users.c.name, users.c.email)) if query else _LIVE
        page = wanted.order_by(users.c.created_at.desc(), users.c.id).limit(limit).offset(offset)
        with self.database.read() as connection:
            total = connection.execute(select(func.count()).select_from(wanted.subquery())).scalar_one()
            return [_user(row) for row in connection.execute(page)], total

    def update_user(self, user_id: str, changes: Mapping[str, Any]) -> User:
        """Change a user's ``name``, ``role``, ``email`` or ``password``; a ``document`` is laid over theirs.

        A new password ends every session that the old one began.

        Raises:
            NotFoundError: There is no such user.
            NameTakenError: Another user has the e-mail address.
            LastAdminError: Nobody would be admin any more.
        """
        new = dict(changes)
        if "password" in new:
            new["password"] = hash_password(new["password"]) if new["password"] else None
        if "email" in new:
            new["email"] = _address(new["email"])
        with _unique(changes.get("email")), self.database.write() as connection:
            row = _live(connection, user_id)
            if new.get("role", "admin") != "admin":
                _check_not_last(connection, row)
            if "document" in new:
                new["document"] = documents.dump(documents.merge(json.loads(row.document), new["document"]))
            connection.execute(update(users).where(users.c.id == user_id).values(**new))
            return _user(_live(connection, user_id))

    def delete_user(self, user_id: str, *, hard: bool = False) -> None:
        """Let a user in no more: their keys and sessions are no good, their shares end. What they made stays.

        When ``hard``, what is known of them is forgotten, too.

        Raises:
            NotFoundError: There is no such user.
            LastAdminError: Nobody would be admin any more.
        """
        now = self.clock()
        with self.database.write() as connection:
            _check_not_last(connection, _live(connection, user_id))
            gone: dict[str, Any] = {"deleted_at": now, "email": None, "password": None}
            if hard:
                gone |= {"name": "", "document": "{}"}
            connection.execute(update(users).where(users.c.id == user_id).values(**gone))
            revoked = update(keys).where(keys.c.user_id == user_id, keys.c.revoked_at.is_(None))
            connection.execute(revoked.values(revoked_at=now))
            connection.execute(delete(members).where(members.c.user_id == user_id))

    def user_of_password(self, email: str, password: str) -> Caller | None:
        """Who signs in with that e-mail address and password, or None. It takes as long for an unknown address."""
        with self.database.read() as connection:
            row = connection.execute(_LIVE.where(users.c.email == email.strip().lower())).one_or_none()
        if not is_password(password, row.password if row else None) or row is None:
            return None
        return Caller(user_id=row.id, name=row.name, role=row.role)

    def password_mark(self, user_id: str) -> str | None:
        """Eight characters that change with the user's password; None where there is no such user or password."""
        with self.database.read() as connection:
            stored = connection.execute(
                select(users.c.password).where(users.c.id == user_id, users.c.deleted_at.is_(None))
            ).scalar_one_or_none()
        return hashlib.sha256(stored.encode()).hexdigest()[:8] if stored else None

    def first_admin(self) -> Caller | None:
        """The admin who was there first, or None in a store that has none yet."""
        admins = _LIVE.where(users.c.role == "admin").order_by(users.c.created_at).limit(1)
        with self.database.read() as connection:
            row = connection.execute(admins).one_or_none()
        return Caller(user_id=row.id, name=row.name, role=row.role) if row else None

    def list_members(self, project_id: str) -> list[Member]:
        """Whom the project is shared with, by name.

        Raises:
            NotFoundError: There is no such project.
        """
        columns = (members.c.user_id, users.c.name, users.c.email, members.c.role)
        with self.database.read() as connection:
            wanted = select(*columns).join(users, users.c.id == members.c.user_id).order_by(users.c.name)
            inside = members.c.project_seq == live_project(connection, project_id)
            return [Member(**row._mapping) for row in connection.execute(wanted.where(inside))]

    def put_member(self, project_id: str, user_id: str, role: Role) -> None:
        """Share the project with the user, who may do there what ``role`` says.

        Raises:
            NotFoundError: There is no such project, or no such user.
        """
        with self.database.write() as connection:
            _live(connection, user_id)
            row = {"project_seq": live_project(connection, project_id), "user_id": user_id}
            connection.execute(_SHARE, {**row, "role": role})

    def delete_member(self, project_id: str, user_id: str) -> None:
        """Share the project with the user no more. Where it was not, nothing changes.

        Raises:
            NotFoundError: There is no such project.
        """
        with self.database.write() as connection:
            row = {"project_seq": live_project(connection, project_id), "user_id": user_id}
            connection.execute(delete(members).where(_is(row)))


def _is(row: Mapping[str, Any]) -> Any:
    return (members.c.project_seq == row["project_seq"]) & (members.c.user_id == row["user_id"])


def _address(email: str | None) -> str | None:
    """The e-mail address as it is compared: nobody's differs from another's by its case alone."""
    return email.strip().lower() if email else None


def _live(connection: Connection, user_id: str) -> Any:
    row = connection.execute(_LIVE.where(users.c.id == user_id).with_for_update(key_share=True)).one_or_none()
    if row is None:
        raise NotFoundError(user_id, "users")
    return row


def _check_not_last(connection: Connection, row: Any) -> None:
    if row.role != "admin":
        return
    admins = _LIVE.where(users.c.role == "admin").order_by(users.c.id).with_for_update()
    if len(connection.execute(admins).all()) == 1:  # locked, so that no two go at once
        raise LastAdminError


@contextmanager
def _unique(email: object) -> Iterator[None]:
    """Turns the store's refusal of a second user of one e-mail address into ours."""
    try:
        yield
    except IntegrityError as error:
        raise NameTakenError(str(email)) from error


def _user(row: Any) -> User:
    return User(
        id=row.id,
        name=row.name,
        role=row.role,
        email=row.email,
        has_password=row.password is not None,
        document=json.loads(row.document),
        created_at=row.created_at,
    )
