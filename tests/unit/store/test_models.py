"""Models, with their rows and their lists: what one transaction changes, and what outlives whom."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, update

from hub_callbacks import wire
from hub_callbacks.server.store import IdTakenError, NotFoundError, Store, SupersededError
from hub_callbacks.server.store.claims import Claim, ClaimedReport
from hub_callbacks.server.store.rows import Caller, Report
from hub_callbacks.server.store.schema import checkpoints, metrics, models
from tests.unit.store.arrivals import MAP, new_checkpoint

ADMIN = Caller(user_id="", name="", role="admin")


@pytest.mark.parametrize(
    ("name", "shown"),
    [("/home/me/yolo11n.pt", "yolo11n.pt"), ("C:\\runs\\a.pt", "a.pt"), ("run 1", "run 1"), ("\ud800", "?")],
)
def test_model_is_named_by_the_last_part_of_a_path(store: Store, owner: str, name: str, shown: str) -> None:
    assert store.create_model({"meta": {"name": name}}, owner=owner).name == shown


def test_model_takes_the_runs_own_words(store: Store, owner: str) -> None:
    words = {"project": "p", "task": "pose", "epochs": 7, "args": {"lr0": 0.1}, "environment": {"gpu": "x"}}
    model = store.create_model({"run": {**words, "startedAt": 5.0}}, owner=owner)
    assert {name: getattr(model, name) for name in words} == words
    assert (model.state, model.started_at) == ("running", 5.0)


def test_id_of_another_owner_is_taken(store: Store, owner: str) -> None:
    other = store.create_user("other", "trainer").user_id
    model = store.create_model({}, owner=owner)
    with pytest.raises(IdTakenError):
        store.create_model({"id": model.id}, owner=other)


def test_metrics_and_what_follows_from_them_change_together(store: Store, owner: str) -> None:
    model_id = store.create_model({}, owner=owner).id
    store.put_metrics(model_id, {1: {MAP: 0.4}, 0: {MAP: 0.6}})
    store.put_metrics(model_id, {2: {MAP: math.nan}})
    model = store.get_model(model_id)
    assert model is not None
    assert (model.best, model.last_epoch) == ({MAP: 0.6}, 2)
    assert math.isnan(model.last[MAP])
    assert [row.epoch for row in store.metrics(model_id)] == [0, 1, 2]


def test_metrics_of_no_rows_change_nothing(store: Store, owner: str) -> None:
    model_id = store.create_model({}, owner=owner).id
    store.put_metrics(model_id, {})
    assert store.metrics(model_id) == []


def test_metrics_of_no_model_are_refused(store: Store) -> None:
    with pytest.raises(NotFoundError):
        store.put_metrics(wire.new_id(), {0: {}})


@pytest.mark.parametrize("name", ['"', "\\", "\\n", "a\nb", "\x00", "{}", "'", ",", " ", "", "\u00e9\u2028", "\ud800"])
def test_metrics_of_any_name_are_kept_with_their_epochs(store: Store, owner: str, name: str) -> None:
    one, other = (store.create_model({}, owner=owner).id for _ in range(2))
    reports = [
        Report(model_id=one, rows={0: {name: 0.1, MAP: 1.0}, 1: {}}),
        Report(model_id=other, rows={7: {name: 0.2}}),
    ]
    assert store.put_reports(reports) == [None, None]
    assert [(row.epoch, row.values) for row in store.metrics(one)] == [(0, {name: 0.1, MAP: 1.0}), (1, {})]
    assert [(row.epoch, row.values) for row in store.metrics(other)] == [(7, {name: 0.2})]


def test_metrics_leave_unknown_what_an_earlier_release_did_not_note(store: Store, owner: str) -> None:
    ids = [store.create_model({}, owner=owner).id for _ in range(2)]
    store.put_reports([Report(model_id=model_id, rows={3: {MAP: 0.5}}) for model_id in ids])
    with store.database.write() as connection:
        connection.execute(update(models).values(last_row_at=None, epoch_times=None))
    store.put_reports([Report(model_id=ids[0], rows={2: {MAP: 0.1}}), Report(model_id=ids[1], rows={4: {MAP: 0.1}})])
    found = [store.get_model(model_id) for model_id in ids]
    assert [model and (model.last_row_at, model.last_epoch) for model in found] == [(None, 3), (1000.0, 4)]


def test_reports_taken_together_are_as_if_one_came_after_the_other(store: Store, owner: str) -> None:
    one, other = (store.create_model({}, owner=owner).id for _ in range(2))
    lots = [{one: {0: {MAP: 0.9}, 1: {MAP: 0.4}}, other: {5: {MAP: 0.1}}}, {one: {0: {MAP: 0.2}, 2: {MAP: 0.3}}}]
    reports = [Report(model_id=model_id, rows=rows) for lot in lots for model_id, rows in lot.items()]
    assert store.put_reports(reports) == [None, None, None]
    assert [row.values[MAP] for row in store.metrics(one)] == [0.2, 0.4, 0.3]
    assert [row.epoch for row in store.metrics(other)] == [5]
    model = store.get_model(one)
    assert model is not None
    assert (model.best, model.last, model.last_epoch) == ({MAP: 0.4}, {MAP: 0.3}, 2)


def test_report_that_is_refused_takes_none_with_it(store: Store, owner: str) -> None:
    model_id = store.create_model({"run": {"startedAt": 50.0, "startEpoch": 1}}, owner=owner).id
    late = Report(model_id=model_id, rows={0: {MAP: 0.5}, 1: {MAP: 0.9}}, attempt=49.0)
    reports = [Report(model_id=wire.new_id(), rows={0: {}}), late, Report(model_id=model_id, rows={1: {MAP: 0.1}})]
    problems = store.put_reports(reports)
    assert [type(problem) for problem in problems] == [NotFoundError, SupersededError, type(None)]
    assert [row.values for row in store.metrics(model_id)] == [{MAP: 0.1}]


def test_metrics_of_many_writers_all_arrive(store: Store, owner: str) -> None:
    model_id = store.create_model({}, owner=owner).id

    def write(first: int) -> None:
        for epoch in range(first, 80, 8):
            store.put_metrics(model_id, {epoch: {MAP: epoch / 80}})

    writers = [threading.Thread(target=write, args=(first,)) for first in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    model = store.get_model(model_id)
    assert model is not None
    assert [row.epoch for row in store.metrics(model_id)] == list(range(80))
    assert (model.last_epoch, model.best) == (79, {MAP: 79 / 80})


def test_claimed_reports_of_many_writers_all_arrive(store: Store, owner: str) -> None:
    key = store.create_key(owner)
    claims = [Claim(key, store.create_model({}, owner=owner).id) for _ in range(4)]

    def write(first: int) -> list[Exception | None]:
        told: list[Exception | None] = []
        for epoch in range(first, 40, 4):
            rows = {epoch: {MAP: epoch / 40}}
            lot = [ClaimedReport(claim, Report(model_id=claim.model_id, rows=rows)) for claim in claims]
            told += store.put_claimed(lot[:: 1 if first % 2 else -1], lambda claim, found: None)
        return told

    with ThreadPoolExecutor(4) as writers:
        assert [told for each in writers.map(write, range(4)) for told in each] == [None] * 160
    for claim in claims:
        model = store.get_model(claim.model_id)
        assert model is not None
        assert [row.epoch for row in store.metrics(model.id)] == list(range(40))
        assert (model.last_epoch, model.best) == (39, {MAP: 39 / 40})


@pytest.mark.parametrize("hard", [True, False])
def test_deleted_model_is_gone_with_all_its_parts(store: Store, owner: str, hard: bool) -> None:
    model_id = store.create_model({}, owner=owner).id
    store.put_metrics(model_id, {0: {MAP: 0.5}})
    checkpoint = store.add_checkpoint(model_id, new_checkpoint())
    assert store.delete_model(model_id, hard=hard) == ([checkpoint.blob] if hard else [])
    nothing: tuple[Any, ...] = (None, [], [], None)
    found = (store.get_model(model_id), store.metrics(model_id), store.checkpoints(model_id))
    assert (*found, store.get_checkpoint(checkpoint.id)) == nothing


def test_hard_delete_leaves_no_row(store: Store, owner: str) -> None:
    model_id = store.create_model({}, owner=owner).id
    store.put_metrics(model_id, {0: {MAP: 0.5}})
    store.add_checkpoint(model_id, new_checkpoint())
    store.delete_model(model_id, hard=True)
    with store.database.read() as connection:
        rows = [connection.execute(select(table)).all() for table in (metrics, checkpoints)]
    assert rows == [[], []]


def test_list_goes_on_where_it_was_when_models_come_and_go(store: Store, owner: str) -> None:
    ids = [store.create_model({}, owner=owner).id for _ in range(4)]
    first = store.list_models(ADMIN, limit=2)
    store.create_model({}, owner=owner)
    store.delete_model(ids[2], hard=True)
    second = store.list_models(ADMIN, limit=2, cursor=first.cursor)
    assert [model.id for model in second.models] == [ids[1], ids[0]]
    assert second.cursor is None


@pytest.mark.parametrize(("query", "count"), [("ALPHA", 1), ("100%", 1), ("_", 0), ("", 2)])
def test_list_finds_names_whatever_the_case_and_takes_no_wildcards(
    store: Store, owner: str, query: str, count: int
) -> None:
    for name in ("alpha", "beta 100%"):
        store.create_model({"meta": {"name": name}}, owner=owner)
    assert store.list_models(ADMIN, limit=10, query=query).total == count
