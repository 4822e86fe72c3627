from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub_callbacks.server.store import Store, open_store
from hub_callbacks.server.store.rows import StateChange


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    store = open_store(tmp_path / "hub.db", clock=clock)
    yield store
    store.close()


@pytest.fixture
def model_id(store: Store) -> str:
    return start(store, started_at=10.0)


def start(store: Store, *, started_at: float, **body: Any) -> str:
    owner = store.first_admin() or store.create_user("ada", "admin")
    return store.create_model({"run": {"startedAt": started_at}, **body}, owner=owner.user_id).id


def log(store: Store, model_id: str) -> list[tuple[str, float, str]]:
    return [(change.state, change.at, change.reason) for change in store.state_changes(model_id)]


def test_every_change_is_written_down_newest_first(store: Store, model_id: str) -> None:
    store.set_state(model_id, "failed", reason="RuntimeError: no luck", at=20.0)
    start(store, started_at=30.0, id=model_id)
    store.set_state(model_id, "finished", at=40.0)
    assert log(store, model_id) == [
        ("finished", 40.0, ""),
        ("running", 30.0, ""),
        ("failed", 20.0, "RuntimeError: no luck"),
        ("running", 10.0, ""),
    ]


def test_report_that_comes_again_or_does_not_hold_adds_nothing(store: Store, model_id: str) -> None:
    for _ in range(2):
        store.set_state(model_id, "finished", at=20.0)
    store.set_state(model_id, "crashed", reason="gone", at=30.0)
    start(store, started_at=10.0, id=model_id)
    assert log(store, model_id) == [("finished", 20.0, ""), ("running", 10.0, "")]


def test_sign_of_life_of_a_run_believed_dead_is_written_down(store: Store, clock: Clock, model_id: str) -> None:
    store.set_state(model_id, "crashed", reason="gone", at=20.0)
    clock.now = 50.0
    for _ in range(2):
        store.touch(model_id)
    assert log(store, model_id)[:2] == [("running", 50.0, ""), ("crashed", 20.0, "gone")]


def test_run_of_a_client_without_states_has_no_log(store: Store) -> None:
    owner = store.create_user("bob", "trainer").user_id
    assert store.state_changes(store.create_model({}, owner=owner).id) == []


def test_reset_and_deletion_take_the_log_with_them(store: Store, model_id: str) -> None:
    store.reset_model(model_id)
    assert log(store, model_id) == []
    other = start(store, started_at=1.0)
    store.delete_model(other, hard=True)
    assert start(store, started_at=2.0, id=other) == other
    assert store.state_changes(other) == [StateChange(state="running", reason="", at=2.0)]
