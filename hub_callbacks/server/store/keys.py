"""Users, their API keys (hashed), and the hub's own secret."""

from __future__ import annotations

import hashlib
import secrets as random
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, or_, select, text, update

from hub_callbacks import wire
from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.rows import Caller, Key, Role
from hub_callbacks.server.store.schema import keys, secrets, users

_USED_EVERY_S = 60.0  # a write for each request would make readers of writers

_BY_HASH = (
    select(users.c.id, users.c.name, users.c.role, keys.c.id.label("key_id"), keys.c.last_used_at)
    .join(users, users.c.id == keys.c.user_id)
    .where(keys.c.hash == bindparam("hash"))
)
_KEYS = select(*(keys.c.id, keys.c.user_id, keys.c.name, keys.c.created_at, keys.c.last_used_at), users.c.role).join(
    users, users.c.id == keys.c.user_id
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
    """The part of the store that keeps users and keys."""

    database: Database
    clock: Callable[[], float]

    def create_user(self, name: str, role: Role) -> Caller:
        """A new user."""
        user_id = wire.new_id()
        row = {"id": user_id, "name": name, "role": role, "created_at": self.clock()}
        with self.database.write() as connection:
            connection.execute(insert(users), row)
        return Caller(user_id=user_id, name=name, role=role)

    def create_key(self, user_id: str, *, name: str = "") -> str:
        """A new API key of that user: the only time that it can be read."""
        key = wire.new_key()
        row = {"id": wire.new_id(), "user_id": user_id, "name": name, "hash": _hash(key), "created_at": self.clock()}
        with self.database.write() as connection:
            connection.execute(insert(keys), row)
        return key

    def caller_of_key(self, key: str) -> Caller | None:
        """Whose API key it is, or None; its last use is noted, to the minute."""
        with self.database.read() as connection:
            row = connection.execute(_BY_HASH, {"hash": _hash(key)}).one_or_none()
        if row is None:
            return None
        self._note_use(row.key_id, row.last_used_at)
        return Caller(user_id=row.id, name=row.name, role=row.role)

    def get_user(self, user_id: str) -> Caller | None:
        """The user, or None."""
        with self.database.read() as connection:
            row = connection.execute(select(users).where(users.c.id == user_id)).one_or_none()
        return Caller(user_id=row.id, name=row.name, role=row.role) if row else None

    def first_admin(self) -> Caller | None:
        """The admin who was there first, or None in a store that has none yet."""
        admins = select(users.c.id).where(users.c.role == "admin").order_by(users.c.created_at).limit(1)
        with self.database.read() as connection:
            user_id = connection.execute(admins).scalar_one_or_none()
        return self.get_user(user_id) if user_id else None

    def list_keys(self) -> list[Key]:
        """Every key, oldest first."""
        with self.database.read() as connection:
            rows = connection.execute(_KEYS.order_by(keys.c.created_at, keys.c.id)).all()
        return [Key(**row._mapping) for row in rows]

    def delete_keys(self, name: str) -> None:
        """Revoke every key of that name."""
        with self.database.write() as connection:
            connection.execute(delete(keys).where(keys.c.name == name))

    def secret(self, name: str) -> str:
        """A random secret of the hub's own, 256 bits as hexadecimal digits; made when first asked for."""
        wanted = select(secrets.c.value).where(secrets.c.name == name)
        with self.database.write() as connection:
            connection.execute(_SECRET, {"name": name, "value": random.token_hex(32)})
            return str(connection.execute(wanted).scalar_one())

    def _note_use(self, key_id: str, last_used_at: float | None) -> None:
        now = self.clock()
        if last_used_at is None or last_used_at < now - _USED_EVERY_S:
            with self.database.write() as connection:
                connection.execute(_USE, {"key_id": key_id, "before": now - _USED_EVERY_S, "now": now})


def _hash(key: str) -> str:
    """SHA-256 is enough for a key of 250 random bits: there is nothing to guess, so nothing to slow down."""
    return hashlib.sha256(key.encode()).hexdigest()
