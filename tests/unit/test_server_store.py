"""The store on real engines: what one transaction changes, and what outlives whom."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, select, text

from hub_callbacks import wire
from hub_callbacks.server.store import (
    IdTakenError,
    NewerStoreError,
    NotFoundError,
    Store,
    UnreachableStoreError,
    open_store,
)
from hub_callbacks.server.store.database import migrations
from hub_callbacks.server.store.rows import Caller, NewCheckpoint
from hub_callbacks.server.store.schema import checkpoints, metadata, metrics
from hub_callbacks.server.store.uploads import TTL_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

MAP = "metrics/mAP50-95(B)"
ADMIN = Caller(user_id="", name="", role="admin")


@pytest.fixture
def store(where: Path | str) -> Iterator[Store]:
    store = open_store(where, clock=lambda: 1000.0)
    yield store
    store.close()


@pytest.fixture
def owner(store: Store) -> str:
    return store.create_user("admin", "admin").user_id


def new_checkpoint(
    epoch: int = 0, *, is_best: bool = False, is_final: bool = False, sha256: str = "a"
) -> NewCheckpoint:
    return NewCheckpoint(
        filename="last.pt",
        epoch=epoch,
        is_best=is_best,
        is_final=is_final,
        map=0.0,
        size_bytes=1,
        sha256="a" * 64,
        blob=wire.new_id(),
    )


def test_migrations_make_the_tables_that_the_code_uses(store: Store) -> None:
    with store.database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_store_of_an_earlier_release_is_brought_up_to_date(where: Path | str, store: Store, owner: str) -> None:
    model_id = store.create_model({"meta": {"name": "kept"}}, owner=owner).id
    with store.database.write() as connection:
        command.downgrade(migrations(connection), "0001")
        assert "uploads" not in inspect(connection).get_table_names()
    again = open_store(where)
    model = again.get_model(model_id)
    assert model is not None
    assert (model.name, model.last_row_at, model.epoch_s, model.stop_reason) == ("kept", None, None, None)
    again.create_upload(model_id, new_checkpoint())
    again.close()


def test_store_opens_again_with_what_it_held(where: Path | str, store: Store, owner: str) -> None:
    model = store.create_model({"meta": {"name": "kept"}}, owner=owner)
    store.put_metrics(model.id, {0: {MAP: 0.5}})
    again = open_store(where)
    assert again.get_model(model.id) == store.get_model(model.id)
    again.close()


def test_store_of_a_later_release_is_left_alone(where: Path | str, store: Store) -> None:
    with store.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerStoreError):
        open_store(where)


@pytest.mark.parametrize("where", ["postgresql"], indirect=True)  # the folder's lock lets one process to SQLite
def test_processes_that_begin_at_once_make_the_tables_once(where: Path | str) -> None:
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(open_store, [where] * 4))
    assert len({store.secret("signing") for store in stores}) == 1
    for store in stores:
        store.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://user:hidden@127.0.0.1:9/hub", "cannot be reached"),
        ("mysql://host/hub", "'mysql'"),
        ("nothing", "no URL"),
    ],
)
def test_store_that_cannot_be_opened_says_why_without_its_password(url: str, reason: str) -> None:
    with pytest.raises(UnreachableStoreError, match=reason) as caught:
        open_store(url)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("where", ["postgresql"], indirect=True)
def test_postgresql_keeps_what_it_acknowledged_but_for_notes(store: Store) -> None:
    def setting(transaction: AbstractContextManager[Connection]) -> Any:
        with transaction as connection:
            return connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()

    database = store.database
    assert [setting(turn()) for turn in (database.write, database.note, database.write)] == ["on", "off", "on"]


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
def test_store_writes_through_to_the_disk_but_for_notes(store: Store) -> None:
    def setting(name: str, transaction: AbstractContextManager[Connection]) -> Any:
        with transaction as connection:
            return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()

    database = store.database
    assert [setting(name, database.write()) for name in ("journal_mode", "foreign_keys")] == ["wal", 1]
    turns = [database.write(), database.note(), database.write()]
    assert [setting("synchronous", turn) for turn in turns] == [2, 1, 2]


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


@pytest.mark.parametrize(
    ("arrivals", "status", "resume", "weights"),
    [
        ([new_checkpoint(1)], "training", 1, None),
        ([new_checkpoint(1, is_best=True), new_checkpoint(2)], "training", 2, 1),
        ([new_checkpoint(2), new_checkpoint(1, is_best=True)], "training", 2, 1),
        ([new_checkpoint(9, is_final=True), new_checkpoint(5, is_best=True)], "trained", 5, 9),
        ([new_checkpoint(9, is_final=True)], "trained", None, 9),
    ],
)
def test_model_points_to_its_checkpoints_in_every_order_of_arrival(
    store: Store, owner: str, arrivals: list[NewCheckpoint], status: str, resume: int | None, weights: int | None
) -> None:
    model_id = store.create_model({}, owner=owner).id
    epochs: dict[str | None, int | None] = {None: None}
    for arrival in arrivals:
        epochs[store.add_checkpoint(model_id, arrival).id] = arrival.epoch
    model = store.get_model(model_id)
    assert model is not None
    assert (model.status, epochs[model.resume_id], epochs[model.weights_id]) == (status, resume, weights)


def test_checkpoint_of_the_same_bytes_is_kept_once(store: Store, owner: str) -> None:
    model_id = store.create_model({}, owner=owner).id
    first, second = store.add_checkpoint(model_id, new_checkpoint()), store.add_checkpoint(model_id, new_checkpoint())
    assert first == second
    assert store.checkpoints(model_id) == [first]


def test_checkpoints_are_newest_first(store: Store, owner: str) -> None:
    model_id = store.create_model({}, owner=owner).id
    for epoch in range(3):
        store.add_checkpoint(model_id, new_checkpoint(epoch))
    assert [checkpoint.epoch for checkpoint in store.checkpoints(model_id)] == [2, 1, 0]


def test_prune_keeps_the_newest_the_best_and_the_final_checkpoint(store: Store, owner: str) -> None:
    model_id = store.create_model({}, owner=owner).id
    made = [new_checkpoint(epoch, is_best=epoch == 1) for epoch in range(6)]
    for new in made:
        store.add_checkpoint(model_id, new)
    assert set(store.prune_checkpoints(model_id, keep=2)) == {made[epoch].blob for epoch in (0, 2, 3)}
    assert [checkpoint.epoch for checkpoint in store.checkpoints(model_id)] == [5, 4, 1]
    store.add_checkpoint(model_id, new_checkpoint(5, is_final=True))
    assert set(store.prune_checkpoints(model_id, keep=1)) == {made[1].blob, made[4].blob}
    assert [(found.epoch, found.is_final) for found in store.checkpoints(model_id)] == [(5, True), (5, False)]


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


def test_upload_advances_and_is_kept_for_a_day_from_then(where: Path | str) -> None:
    now = [1000.0]
    store = open_store(where, clock=lambda: now[0])
    model_id = store.create_model({}, owner=store.create_user("a", "admin").user_id).id
    upload = store.create_upload(model_id, new_checkpoint())
    assert (upload.offset_bytes, upload.is_published, upload.expires_at) == (0, False, 1000.0 + TTL_S)
    now[0] += TTL_S - 1
    assert store.advance_upload(upload, 7) == now[0] + TTL_S
    assert store.advance_upload(upload, 8) is None
    now[0] += TTL_S - 1
    assert store.expire_uploads() == []
    found = store.get_upload(model_id, upload.id)
    assert found is not None
    assert (found.offset_bytes, found.expires_at) == (7, now[0] + 1)
    now[0] += 1
    assert store.expire_uploads() == [upload.blob]
    assert store.get_upload(model_id, upload.id) is None
    store.close()


def test_upload_becomes_its_checkpoint_in_one_step(store: Store, owner: str) -> None:
    model_id, new = store.create_model({}, owner=owner).id, new_checkpoint()
    upload = store.create_upload(model_id, new)
    store.add_checkpoint(model_id, new, upload_id=upload.id)
    found = store.get_upload(model_id, upload.id)
    assert found is not None
    assert found.is_published
    assert store.create_upload(model_id, replace(new, blob="another")).is_published
    assert store.expire_uploads() == []


def test_hard_delete_and_reset_name_the_blobs_of_unfinished_uploads(store: Store, owner: str) -> None:
    for forget in (store.reset_model, lambda model_id: store.delete_model(model_id, hard=True)):
        model_id, new = store.create_model({}, owner=owner).id, new_checkpoint()
        upload = store.create_upload(model_id, new)
        assert forget(model_id) == [new.blob]
        assert store.get_upload(model_id, upload.id) is None


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


def test_secret_is_made_once(store: Store) -> None:
    assert store.secret("signing") == store.secret("signing") != store.secret("other")
