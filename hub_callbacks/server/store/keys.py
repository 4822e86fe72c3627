"""API keys (hashed), and the hub's own secret."""

from __future__ import annotations

import hashlib
import secrets as random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, and_, bindparam, delete, insert, or_, select, text, update

from hub_callbacks import wire
from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.errors import NotFoundError
from hub_callbacks.server.store.people import Key
from hub_callbacks.server.store.rows import Caller, Role, lower
from hub_callbacks.server.store.schema import keys, secrets, users

_USED_EVERY_S = 60.0  # a write for each request would make readers of writers

OF_CALLER: Final = (  # what `caller` and `note_uses` read
    *(users.c.id.label("user_id"), users.c.name, users.c.role),
    *(keys.c.id.label("key_id"), keys.c.role.label("key_role")),
    *(keys.c.hash, keys.c.project_id, keys.c.expires_at, keys.c.last_used_at),
)
IS_GOOD: Final = and_(
    users.c.deleted_at.is_(None),
    keys.c.revoked_at.is_(None),
    or_(keys.c.expires_at.is_(None), keys.c.expires_at > bindparam("now")),
)
_CALLERS = select(*OF_CALLER).join_from(keys, users, users.c.id == keys.c.user_id).where(IS_GOOD)
_BY_HASH = _CALLERS.where(keys.c.hash == bindparam("hash"))
_BY_ID = _CALLERS.where(keys.c.id == bindparam("key_id"))
_KEYS = (
    select(*(column for column in keys.c if column.name not in {"hash", "role"}))
    .add_columns(keys.c.role.label("key_role"), users.c.role.label("user_role"))
    .join(users, users.c.id == keys.c.user_id)
    .order_by(keys.c.created_at, keys.c.id)
)
_SECRET = text(  # the same words for SQLite and PostgreSQL, where another hub may make it at the same time
    "INSERT INTO secrets (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING"
)
_USE = (
    update(keys)
    .where(keys.c.id == bindparam("key_id"))
    .where(or_(keys.c.last_used_at.is_(None), keys.c.last_used_at < bindparam("before")))
    .values(last_used_at=bindparam("now"))
)


@dataclass(frozen=True)
class KeyStore:
    """The part of the store that keeps keys."""

    database: Database
    clock: Callable[[], float]

    def create_key(
        self,
        user_id: str,
        *,
        key_id: str = "",
        name: str = "",
        role: Role | None = None,
        project_id: str | None = None,
        expires_at: float | None = None,
    ) -> str:
        """A new API key of that user: the only time that it can be read.

        Args:
            user_id: Whose it is.
            key_id: Its id; a new one when empty.
            name: What its user calls it.
            role: What it may do at most; None for what the user may do.
            project_id: The only project that it is good for; None for all.
            expires_at: From when on it is no good, Unix time, seconds; None for never.
        """
        key = wire.new_key()
        row = {"id": key_id or wire.new_id(), "user_id": user_id, "name": name, "hash": hash_of(key)}
        scope = {"role": role, "project_id": project_id, "expires_at": expires_at, "created_at": self.clock()}
        with self.database.write() as connection:
            connection.execute(insert(keys), row | scope)
        return key

    def caller_of_key(self, key: str) -> Caller | None:
        """Whose API key it is; its last use is noted, to the minute. None where it is unknown, expired or revoked."""
        return self._caller(_BY_HASH, hash=hash_of(key))

    def caller_of_key_id(self, key_id: str) -> Caller | None:
        """Whose API key of that id it is; None where it is unknown, expired or revoked."""
        return self._caller(_BY_ID, key_id=key_id)

    def list_keys(self, user_id: str | None = None) -> list[Key]:
        """The user's keys, everybody's when None; oldest first."""
        wanted = _KEYS if user_id is None else _KEYS.where(keys.c.user_id == user_id)
        with self.database.read() as connection:
            return [_key(row) for row in connection.execute(wanted)]

    def get_key(self, key_id: str) -> Key:
        """The key of that id.

        Raises:
            NotFoundError: There is none.
        """
        with self.database.read() as connection:
            row = connection.execute(_KEYS.where(keys.c.id == key_id)).one_or_none()
        if row is None:
            raise NotFoundError(key_id, "keys")
        return _key(row)

    def revoke_key(self, key_id: str) -> None:
        """Make a key no good, from now on. It stays in the list. To revoke it again changes nothing."""
        wanted = update(keys).where(keys.c.id == key_id, keys.c.revoked_at.is_(None))
        with self.database.write() as connection:
            connection.execute(wanted.values(revoked_at=self.clock()))

    def delete_keys(self, name: str) -> None:
        """Remove every key of that name."""
        with self.database.write() as connection:
            connection.execute(delete(keys).where(keys.c.name == name))

    def secret(self, name: str) -> str:
        """A random secret of the hub's own, 256 bits as hexadecimal digits; made when first asked for."""
        wanted = select(secrets.c.value).where(secrets.c.name == name)
        with self.database.write() as connection:
            connection.execute(_SECRET, {"name": name, "value": random.token_hex(32)})
            return str(connection.execute(wanted).scalar_one())

    def _caller(self, wanted: Select[Any], **parameters: str) -> Caller | None:
        now = self.clock()
        with self.database.read() as connection:
            row = connection.execute(wanted, {**parameters, "now": now}).one_or_none()
        if row is None:
            return None
        note_uses(self.database, [row], now=now)
        return caller(row)


def note_uses(database: Database, rows: Iterable[Any], *, now: float) -> None:
    """Note that the keys were used of which those are rows, with `OF_CALLER`; to the minute."""
    before = now - _USED_EVERY_S
    for key_id in {row.key_id for row in rows if row.last_used_at is None or row.last_used_at < before}:
        with database.write() as connection:
            connection.execute(_USE, {"key_id": key_id, "before": before, "now": now})


def hash_of(key: str) -> str:
    """SHA-256 is enough for a key of 250 random bits: there is nothing to guess, so nothing to slow down."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def caller(row: Any) -> Caller:
    """The caller of a row with `OF_CALLER`."""
    return Caller(
        user_id=row.user_id,
        name=row.name,
        role=lower(row.role, row.key_role),
        key_id=row.key_id,
        project_id=row.project_id,
        is_limited=any(limit is not None for limit in (row.key_role, row.project_id, row.expires_at)),
    )


def _key(row: Any) -> Key:
    found = dict(row._mapping)
    role = lower(found.pop("user_role"), found.pop("key_role"))
    return Key(**found, role=role)
