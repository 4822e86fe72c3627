"""API keys in the store."""

from __future__ import annotations

from hub_callbacks import wire
from hub_callbacks.server.store import Store


def test_key_is_known_by_its_hash_and_its_use_is_noted(store: Store, owner: str) -> None:
    key = store.create_key(owner, name="laptop")
    caller = store.caller_of_key(key)
    assert caller is not None
    assert (caller.user_id, caller.role) == (owner, "admin")
    assert [(one.name, one.last_used_at) for one in store.list_keys()] == [("laptop", 1000.0)]
    assert store.caller_of_key(wire.new_key()) is None


def test_deleted_key_opens_nothing(store: Store, owner: str) -> None:
    key = store.create_key(owner, name="old")
    store.delete_keys("old")
    assert store.caller_of_key(key) is None
