"""A user's keys, as the pages show them."""

from __future__ import annotations

from typing import Any

from hub_callbacks.server.context import Hub
from hub_callbacks.server.store.rows import RANKS, Caller, Role


def key_part(hub: Hub, caller: Caller, user_id: str, role: Role) -> dict[str, Any]:
    """Values of the macros of ``key_parts.html``: the user's keys, and what a new one may do at most."""
    now = hub.clock()
    found = [key for key in hub.store.list_keys(user_id) if not caller.is_limited or key.id == caller.key_id]
    return {
        "keys": [(key, key.revoked_at is None and (key.expires_at is None or key.expires_at > now)) for key in found],
        "roles": RANKS[: RANKS.index(role) + 1][::-1],
        "own_key_id": caller.key_id,
    }
