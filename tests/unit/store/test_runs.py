"""Runs as the table lists them, on each engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_callbacks.server.store.rows import Caller
from hub_callbacks.server.store.runs import RunQuery

if TYPE_CHECKING:
    from hub_callbacks.server.store import Store

ADMIN = Caller(user_id="r" * 20, name="root", role="admin")


def names(store: Store, **query: Any) -> list[str]:
    return [run.name for run in store.find_runs(RunQuery(**query), ADMIN, limit=100)[0]]


def test_runs_are_sorted_by_an_argument_numbers_before_words(store: Store, owner: str) -> None:
    given = {"sgd": {"optimizer": "SGD"}, "none": {}, "adam": {"optimizer": "adamW"}, "odd": {"optimizer": 3}}
    for name, args in given.items():
        store.create_model({"meta": {"name": name}, "run": {"args": args}}, owner=owner)
    assert names(store, sort="optimizer") == ["odd", "sgd", "adam", "none"]
    assert names(store, sort="optimizer", is_descending=False) == ["odd", "adam", "sgd", "none"]


def test_runs_of_a_shared_project_are_found_alone(store: Store, owner: str) -> None:
    first, second = (store.create_thing("projects", {}, owner=owner).id for _ in range(2))
    for name, project_id in {"a": first, "b": second, "c": None}.items():
        store.create_model({"meta": {"name": name}, "projectId": project_id}, owner=owner)
    assert names(store, inside=first) == ["a"]
    assert names(store, inside="x" * 20) == []
