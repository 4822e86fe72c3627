"""What users have, counted on each engine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hub_callbacks.server.store import open_store
from hub_callbacks.server.store.people import Contents, Holdings

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


def test_contents_count_what_is_in_each_project(where: Path | str) -> None:
    store = open_store(where)
    ada, tom = (store.create_user(name, "trainer") for name in ("Ada", "Tom"))
    full, bare = (store.create_thing("projects", {"meta": {"name": name}}, owner=ada.user_id).id for name in "AB")
    for _ in range(2):
        store.create_model({"projectId": full}, owner=tom.user_id)
    store.create_thing("datasets", {"projectId": full}, owner=ada.user_id)
    store.put_member(full, tom.user_id, "viewer")
    assert store.contents([full, bare, "x" * 20]) == {
        full: Contents(models=2, datasets=1, members=1),
        bare: Contents(models=0, datasets=0, members=0),
    }
    store.close()


def test_own_projects_are_those_that_a_caller_may_put_things_into(where: Path | str) -> None:
    store = open_store(where)
    ada, tom = (store.create_user(name, "trainer") for name in ("Ada", "Tom"))
    vera, root = store.create_user("Vera", "viewer"), store.create_user("Root", "admin")
    first, second = (store.create_thing("projects", {"meta": {"name": name}}, owner=ada.user_id).id for name in "AB")
    store.put_member(first, tom.user_id, "trainer")
    store.put_member(second, tom.user_id, "viewer")
    store.put_member(first, vera.user_id, "trainer")
    both = {first: "A", second: "B"}
    own = [store.own_projects(caller) for caller in (ada, tom, vera, root, replace(root, project_id=second))]
    assert own == [both, {first: "A"}, {}, both, {second: "B"}]
    store.delete_thing("projects", first, hard=False)
    assert store.own_projects(root) == {second: "B"}
    store.close()
