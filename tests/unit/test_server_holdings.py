"""What users have, counted on each engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_callbacks.server.store import open_store
from hub_callbacks.server.store.people import Holdings

if TYPE_CHECKING:
    from pathlib import Path


def test_holdings_count_what_is_there_of_each_user(where: Path | str) -> None:
    store = open_store(where, clock=lambda: 1000.0)
    ada, tom, nobody = (store.create_user(name, "trainer").user_id for name in ("Ada", "Tom", "Nobody"))
    store.delete_model(store.create_model({}, owner=ada).id, hard=False)
    store.create_model({}, owner=ada)
    project = store.create_thing("projects", {}, owner=ada)
    store.create_thing("datasets", {}, owner=tom)
    store.put_member(project.id, tom, "viewer")
    store.create_key(ada)
    store.revoke_key(store.list_keys(ada)[0].id)
    used = store.create_key(ada)
    store.create_key(ada, expires_at=900.0)
    store.caller_of_key(used)
    found = store.holdings([ada, tom, nobody], now=1000.0)
    assert found == {
        ada: Holdings(models=1, datasets=0, projects=1, keys=1, shares=0, last_used_at=1000.0),
        tom: Holdings(models=0, datasets=1, projects=0, keys=0, shares=1, last_used_at=None),
        nobody: Holdings(models=0, datasets=0, projects=0, keys=0, shares=0, last_used_at=None),
    }
    store.close()
