"""What the store returns about people. Times are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub_callbacks.server.store.rows import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may come in.

    Attributes:
        email: The address that they sign in with; None where they do not.
        has_password: Whether they can sign in with a password.
        document: What clients said of them in HUB v1's own shape, patches merged in.
    """

    id: str
    name: str
    role: Role
    email: str | None
    has_password: bool
    document: Mapping[str, Any]
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A user whom a project is shared with, and what they may do there."""

    user_id: str
    name: str
    email: str | None
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What a user has: what they made, which stays when they go, and the keys and shares, which go with them.

    Attributes:
        keys: Keys that are good.
        shares: Projects of others that are shared with them.
        last_used_at: When a key of theirs was last used; None for never.
    """

    models: int
    datasets: int
    projects: int
    keys: int
    shares: int
    last_used_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """How much is in a project, and with how many users it is shared."""

    models: int
    datasets: int
    members: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the audit log.

    Attributes:
        seq: Its number; later lines have higher ones.
        user_id: Who did it; None where nobody was signed in.
        key_id: With which API key; None where with none.
        address: From which network address.
        action: What was done, in one word for programs.
        target: What it was done to: a kind and an id.
        detail: More, for people; may be empty.
    """

    seq: int
    at: float
    user_id: str | None
    key_id: str | None
    address: str
    action: str
    target: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An API key, which itself is stored nowhere: only its hash is.

    Attributes:
        role: What the key may do at most: its user's role, or its own where that is lower.
        project_id: The only project that it is good for; None for all.
        expires_at: From when on it is no good; None for never.
        revoked_at: Since when it is no good; None while it is.
    """

    id: str
    user_id: str
    name: str
    role: Role
    created_at: float
    last_used_at: float | None
    project_id: str | None
    expires_at: float | None
    revoked_at: float | None
