from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql

from hub_callbacks.server.dashboard.filters import FilterError, conditions
from hub_callbacks.server.store import Store, open_store
from hub_callbacks.server.store.numbers import number_in
from hub_callbacks.server.store.rows import Caller
from hub_callbacks.server.store.runs import SCORES, Horizon, RunQuery, StateFilter
from hub_callbacks.server.store.schema import models

NOW = 1_000_000.0
ADMIN = Caller(user_id="", name="", role="admin")
HORIZON = Horizon(client=NOW - 90, old_client=NOW - 660)


class Clock:
    now = NOW

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
def owner(store: Store) -> str:
    return store.create_user("ada", "trainer").user_id


def start(store: Store, owner: str, name: str, **run: Any) -> str:
    run = {"startedAt": store.clock(), "epochs": 10, **run}
    return store.create_model({"meta": {"name": name}, "dataset": {"name": "coco8.yaml"}, "run": run}, owner=owner).id


def names(store: Store, **query: Any) -> list[str]:
    found, total = store.find_runs(RunQuery(**{"horizon": HORIZON, **query}), ADMIN, limit=100)
    assert total == len(found)
    return [run.name for run in found]


def score(store: Store, model_id: str, value: float, epoch: int = 0) -> None:
    store.put_metrics(model_id, {epoch: {SCORES[0]: value}})


def test_runs_are_found_by_every_word_in_any_name(store: Store, owner: str) -> None:
    start(store, owner, "red-fox", project="zoo")
    start(store, owner, "red-car", project="street")
    assert names(store, text="RED zoo") == ["red-fox"]
    assert names(store, text="coco8") == ["red-car", "red-fox"]
    assert names(store, text="100%") == []


def test_runs_are_found_by_project(store: Store, owner: str) -> None:
    start(store, owner, "a", project="zoo")
    start(store, owner, "b")
    assert names(store, project="zoo") == ["a"]
    assert store.projects(ADMIN) == ["zoo"]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("mAP50-95 > 0.5", ["good"]),
        ("map50-95<=0.5", ["bad"]),
        ("mAP50-95 != 0.25", ["good"]),
        ("metrics/mAP50-95(B) >= 0.1 and imgsz = 640", ["good"]),
        ("imgsz<640", ["bad"]),
        ("epoch = 1, epochs = 10", ["good", "bad"]),
        ("lr0 > 0", []),  # a run without the value does not match
        ("optimizer != 3", []),  # a word is no number
    ],
)
def test_runs_are_found_by_value(store: Store, owner: str, where: str, found: list[str]) -> None:
    score(store, start(store, owner, "bad", args={"imgsz": 64, "optimizer": "auto"}), 0.25)
    score(store, start(store, owner, "good", args={"imgsz": 640}), 0.75)
    assert sorted(names(store, conditions=conditions(where))) == sorted(found)


@pytest.mark.parametrize("where", ["mAP50-95", "nonsense > 1", "mAP50 > much", "mAP50 > nan", "> 3"])
def test_condition_that_cannot_be_read_says_so(where: str) -> None:
    with pytest.raises(FilterError):
        conditions(where)


def test_runs_are_found_by_how_they_stand(store: Store, owner: str, clock: Clock) -> None:
    clock.now = NOW - 600
    start(store, owner, "silent")
    clock.now = NOW
    start(store, owner, "running")
    for state in ("finished", "failed"):
        store.set_state(start(store, owner, state), state, at=NOW + 1)
    store.create_model({"meta": {"name": "new"}}, owner=owner)
    old_client = store.create_model({"meta": {"name": "old"}}, owner=owner).id
    score(store, old_client, 0.5)

    def found(*words: str) -> list[str]:
        return sorted(names(store, states=StateFilter(words=words, ids=())))

    assert found("silent") == ["silent"]
    assert found("new") == ["new"]
    assert found("finished", "failed") == ["failed", "finished"]
    assert sorted(run.name for run in store.heard_runs(HORIZON, ADMIN)) == ["old", "running"]
    assert names(store, states=StateFilter(words=(), ids=[old_client])) == ["old"]


def test_old_clients_are_waited_for_longer(store: Store, owner: str, clock: Clock) -> None:
    clock.now = NOW - 600
    score(store, store.create_model({"meta": {"name": "old"}}, owner=owner).id, 0.5)
    assert [run.name for run in store.heard_runs(HORIZON, ADMIN)] == ["old"]


@pytest.mark.parametrize(
    ("is_descending", "order"), [(True, ["b", "c", "a", "none"]), (False, ["a", "c", "b", "none"])]
)
def test_runs_are_sorted_by_score_and_those_without_come_last(
    store: Store, owner: str, is_descending: bool, order: list[str]
) -> None:
    for name, value in {"a": 0.1, "none": None, "b": 0.9, "c": 0.5}.items():
        model_id = start(store, owner, name)
        if value is not None:
            score(store, model_id, value)
    assert names(store, sort="score", is_descending=is_descending) == order


def test_runs_are_sorted_by_an_argument_and_by_a_metric(store: Store, owner: str) -> None:
    for name, imgsz in {"small": 64, "large": 1280}.items():
        score(store, start(store, owner, name, args={"imgsz": imgsz}), imgsz / 2000)
    assert names(store, sort="imgsz") == ["large", "small"]
    assert names(store, sort=SCORES[0], is_descending=False) == ["small", "large"]


def test_runs_come_page_by_page_in_every_order(store: Store, owner: str) -> None:
    for name in "abcde":
        start(store, owner, name)
    for sort in ("name", "state", "progress", "started", "duration", "score"):
        pages = [store.find_runs(RunQuery(sort=sort), ADMIN, limit=2, offset=offset)[0] for offset in (0, 2, 4)]
        assert sorted(run.name for run in itertools.chain(*pages)) == list("abcde")


def test_sample_has_few_rows_of_a_long_run_and_all_of_a_short_one(store: Store, owner: str) -> None:
    short, long = start(store, owner, "short"), start(store, owner, "long")
    store.put_metrics(short, {epoch: {"a": epoch} for epoch in range(5)})
    store.put_metrics(long, {epoch: {"a": epoch} for epoch in range(1000)})
    found = store.sample(store.get_models([short, long], ADMIN))
    assert [row.epoch for row in found[short]] == [0, 1, 2, 3, 4]
    epochs = [row.epoch for row in found[long]]
    assert 16 <= len(epochs) <= 32
    assert {after - before for before, after in itertools.pairwise(epochs)} == {32}


def test_rows_since_an_epoch_come_with_the_number_of_all(store: Store, owner: str) -> None:
    model_id = start(store, owner, "a")
    store.put_metrics(model_id, {epoch: {"a": epoch} for epoch in range(5)})
    rows, count = store.metrics_since(model_id, 3)
    assert ([row.epoch for row in rows], count) == ([3, 4], 5)
    assert store.metrics_since("none", 0) == ([], 0)


def test_numbers_are_read_from_json_on_postgresql_too() -> None:
    text = str(number_in(models.c.args, "imgsz").compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    assert "CAST(models.args AS JSON) ->> " in text
    assert "DOUBLE PRECISION" in text
