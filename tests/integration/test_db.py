"""``hub-callbacks db`` on hubs that are served, stopped, damaged and moved."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from click.testing import CliRunner, Result

from hub_callbacks import wire
from hub_callbacks.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.hubs import HubServer
    from tests.stores import Bucket

    Start = Callable[..., HubServer]


@pytest.fixture
def hub(start_hub: Start, tmp_path: Path) -> Iterator[HubServer]:
    """A running hub on SQLite and a folder, with a run of three epochs and a checkpoint."""
    hub = start_hub(tmp_path / "served")
    model_id = hub.ask("POST", wire.MODELS, json={"meta": {"name": "moved"}})["id"]
    rows = {str(epoch): '{"loss": 1}' for epoch in range(3)}
    hub.ask("POST", wire.model(model_id), json={"type": "metrics", "metrics": rows})
    content = b"PK\x03\x04" + bytes(10_000)
    form = {"epoch": 1, "type": "final", wire.SHA256_FIELD: hashlib.sha256(content).hexdigest()}
    hub.ask("POST", wire.upload(model_id), data=form, files={"best.pt": content})
    yield hub
    stop(hub)


def stop(hub: HubServer) -> None:
    hub.process.terminate()
    hub.process.wait(30)


def db(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["db", *map(str, arguments)])


def holds(hub: HubServer) -> tuple[list[str], list[str], bytes]:
    """Names, epochs and the checkpoint of its only run."""
    (model,) = hub.ask("GET", wire.MODELS)["results"]
    (loss,) = hub.ask("GET", wire.metrics(model["id"]))
    (found,) = hub.ask("GET", wire.checkpoints(model["id"]))
    return [model["meta"]["name"]], list(loss["data"]), requests.get(found["url"], timeout=30).content


def blob_file(hub: HubServer) -> Path:
    (name,) = hub.blobs()
    return hub.data_dir / "hub" / "blobs" / name[:2] / name


def test_backup_of_a_served_hub_can_be_served(hub: HubServer, start_hub: Start, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    assert db("backup", backup, "--data-dir", hub.data_dir).output.endswith("and 1 files that were not there yet.\n")
    assert db("check", "--deep", "--data-dir", backup).output == "Everything is in order.\n"
    assert holds(start_hub(backup, key=hub.key)) == holds(hub)
    assert "and 0 files" in db("backup", tmp_path / "backup", "--data-dir", hub.data_dir).output


def test_check_of_a_served_hub_finds_everything_in_order(hub: HubServer) -> None:
    done = db("check", "--deep", "--data-dir", hub.data_dir)
    assert (done.exit_code, done.output) == (0, "Everything is in order.\n")


def test_check_names_a_file_that_is_damaged_short_or_gone(hub: HubServer) -> None:
    file = blob_file(hub)
    file.write_bytes(b"PK\x03\x04" + b"x" * 10_000)
    assert db("check", "--data-dir", hub.data_dir).exit_code == 0
    assert "is damaged" in db("check", "--deep", "--data-dir", hub.data_dir).output
    file.write_bytes(b"PK")
    assert "has 2 bytes, not 10004" in db("check", "--data-dir", hub.data_dir).output
    file.unlink()
    done = db("check", "--data-dir", hub.data_dir)
    assert (done.exit_code, done.output) == (1, f"The file {file.name} of checkpoints is not there.\n1 problem.\n")


def test_check_names_rows_that_refer_to_none(hub: HubServer) -> None:
    stop(hub)
    with closing(sqlite3.connect(hub.data_dir / "hub" / "hub.db")) as store, store:
        store.execute("DELETE FROM models")  # SQLite's own shell does not check references
    found = db("check", "--data-dir", hub.data_dir).output
    assert "3 rows of metrics refer to models that are not there." in found


def test_check_names_damaged_pages(hub: HubServer) -> None:
    stop(hub)
    file = hub.data_dir / "hub" / "hub.db"
    with closing(sqlite3.connect(file)) as store:
        (page,) = store.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_models_list'").fetchone()
        (size,) = store.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as pages:
        pages.seek((page - 1) * size + size - 40)
        pages.write(bytes(40))
    done = db("check", "--data-dir", hub.data_dir)
    assert done.exit_code == 1
    assert done.output.endswith((" problem.\n", " problems.\n"))


def test_hub_moves_to_postgresql_and_a_bucket(
    hub: HubServer, create_database: Callable[[], str], create_bucket: Callable[[], Bucket], start_hub: Start,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    url, bucket, held = create_database(), create_bucket(), holds(hub)
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value)
    copy = ("copy", "--to", url, "--blobs-to", bucket.url, "--data-dir", hub.data_dir)
    assert "Another process serves" in db(*copy).output
    stop(hub)
    done = db(*copy)
    assert done.exit_code == 0, done.output
    assert "3  metrics" in done.output
    assert "1  files" in done.output
    assert "is not empty" in db(*copy).output
    place = ("--database-url", url, "--blobs-url", bucket.url)
    assert db("check", "--deep", *place).output == "Everything is in order.\n"
    again = start_hub(tmp_path / "new", "--database-url", url, bucket=bucket, key=hub.key)
    assert holds(again) == held
    assert again.ask("POST", wire.MODELS, json={})["id"]  # its row number is one that was not copied


def test_postgresql_is_left_to_pg_dump(create_database: Callable[[], str], tmp_path: Path) -> None:
    url = create_database()
    assert db("check", "--database-url", url, "--data-dir", tmp_path).output.startswith(
        "The tables are at revision None"
    )
    assert db("upgrade", "--database-url", url).output.startswith("From None to ")
    assert "up to date" in db("upgrade", "--database-url", url).output
    done = db("backup", tmp_path / "backup", "--database-url", url)
    assert (done.exit_code, done.output) == (
        1, "Error: This store is in PostgreSQL. Back it up with PostgreSQL's own pg_dump.\n"
    )  # fmt: skip


@pytest.mark.parametrize("command", [("check",), ("upgrade",), ("backup", "elsewhere"), ("copy", "--to", "sqlite://")])
def test_folder_without_a_hub_stays_empty(command: tuple[str, ...], tmp_path: Path) -> None:
    done = db(*command, "--data-dir", tmp_path)
    assert (done.exit_code, done.output) == (
        1, f"Error: There is no hub in {str(tmp_path)!r}. Pass its --data-dir or its --database-url.\n"
    )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("db", "check"), ("serve", "--port", "0")], ids=lambda words: words[-1])
def test_file_that_is_no_database_is_said_in_a_line(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "hub.db").write_text("no database" * 100)
    result = CliRunner().invoke(main, [*command, "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "file is not a database" in result.output.splitlines()[-1]
