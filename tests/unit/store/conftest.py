"""A store on each engine, and someone who owns what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub_callbacks.server.store import Store, open_store


@pytest.fixture
def store(where: Path | str) -> Iterator[Store]:
    store = open_store(where, clock=lambda: 1000.0)
    yield store
    store.close()


@pytest.fixture
def owner(store: Store) -> str:
    return store.create_user("admin", "admin").user_id
