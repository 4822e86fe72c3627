"""The store's tables on real engines: who makes them, and what an engine must have on its disk."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, event, inspect, text

from hub_callbacks.server.store import NewerStoreError, Store, UnreachableStoreError, open_store
from hub_callbacks.server.store.claims import Claim, ClaimedReport
from hub_callbacks.server.store.database import migrations
from hub_callbacks.server.store.rows import Report
from hub_callbacks.server.store.schema import metadata
from tests.unit.store.arrivals import MAP, new_checkpoint


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


@pytest.mark.parametrize("where", ["postgresql"], indirect=True)
def test_postgresql_plans_once_what_is_written_again_and_again(store: Store) -> None:
    def setting(transaction: AbstractContextManager[Connection]) -> Any:
        with transaction as connection:
            said = connection.exec_driver_sql("SELECT pg_backend_pid(), current_setting('plan_cache_mode')").one()
            connection.rollback()
        return tuple(said)

    database = store.database
    with database.write():  # on the connection that migrated: the next one is new, and is rolled back at once
        turns = [setting(turn()) for turn in (database.write, database.note, database.write)]
    assert turns == [(turns[0][0], "force_generic_plan")] * 3
    assert [setting(turn())[1] for turn in (database.read, database.snapshot)] == ["auto", "auto"]


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
def test_store_writes_through_to_the_disk_but_for_notes(store: Store) -> None:
    def setting(name: str, transaction: AbstractContextManager[Connection]) -> Any:
        with transaction as connection:
            return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()

    database = store.database
    assert [setting(name, database.write()) for name in ("journal_mode", "foreign_keys")] == ["wal", 1]
    turns = [database.write(), database.note(), database.write()]
    assert [setting("synchronous", turn) for turn in turns] == [2, 1, 2]


def test_secret_is_made_once(store: Store) -> None:
    assert store.secret("signing") == store.secret("signing") != store.secret("other")


def test_postgresql_without_its_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UnreachableStoreError, match=r'^For PostgreSQL, install "hub-callbacks\[postgres\]"\.$'):
        open_store("postgresql://hub@127.0.0.1/hub")


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
def test_sqlite_finds_the_runs_of_many_reports_by_their_ids(store: Store, owner: str) -> None:
    said: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        said.append((statement, parameters))

    key = store.create_key(owner)
    ids = [store.create_model({}, owner=owner).id for _ in range(20)]
    event.listen(store.database.engine, "before_cursor_execute", note)
    claims = [Claim(key, model_id) for model_id in ids]
    found = store.find_claims(claims)
    store.put_reports([Report(model_id=model_id, rows={}) for model_id in ids])
    reports = [ClaimedReport(claim, Report(model_id=claim.model_id, rows={})) for claim in claims]
    assert store.put_claimed(reports, lambda claim, finding: None) == [None] * len(ids)
    event.remove(store.database.engine, "before_cursor_execute", note)
    looked_up = [
        (statement, parameters) for statement, parameters in said if " models " in statement.replace("\n", " ")
    ]
    with store.database.read() as connection:
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {told}", given).all() for told, given in looked_up]
    assert len(plans) == 3
    assert all("SEARCH models USING INDEX sqlite_autoindex_models_1 (id=?)" in str(plan) for plan in plans)
    assert len(found) == len(ids)
