"""Whose things are, in words."""

from __future__ import annotations

from collections.abc import Iterable

from hub_callbacks.server.context import Hub
from hub_callbacks.server.store.rows import Thing


def owner_names(hub: Hub, things: Iterable[Thing]) -> dict[str, str]:
    """What the owners of the things are called, by their ids."""
    return {user_id: _name(hub, user_id) for user_id in {one.owner for one in things}}


def _name(hub: Hub, user_id: str) -> str:
    found = hub.store.find_user(user_id)
    return found.name or found.id if found else "a user who was deleted"
