from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from pytest_mock import MockerFixture

from hub_callbacks import __version__, wire
from hub_callbacks.cli import main
from hub_callbacks.cli.demo import run_of_demo
from hub_callbacks.cli.runs import deliver
from hub_callbacks.outbox import Hub, Outbox, OutboxFolder
from hub_callbacks.records import Metrics, RunStarted
from hub_callbacks.settings import Settings
from tests.unit.leases import due_items


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def test_every_command_is_listed_with_its_help() -> None:
    status, output = run("--help")
    assert status == 0
    for name in ("demo", "serve", "open", "status", "sync", "settings", "doctor"):
        assert any(line.split()[0] == name and len(line.split()) > 3 for line in output.splitlines() if line.strip())


def groups(group: click.Group, context: click.Context) -> Iterator[click.Context]:
    yield context
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from groups(command, click.Context(command, info_name=name, parent=context, terminal_width=78))


def test_help_of_every_group_reads_whole_in_80_columns() -> None:
    contexts = list(groups(main, click.Context(main, info_name="hub-callbacks", terminal_width=78)))
    assert len(contexts) > 4
    listed = [line for context in contexts for line in context.get_help().partition("Commands:")[2].splitlines()]
    assert not [line for line in listed if line.endswith("...") or (line and line[2] == " ")]


def test_version_is_said() -> None:
    assert f"version {__version__}" in run("--version")[1]


def test_settings_are_shown_with_their_sources_and_keys_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_API_KEY", "k" * 38 + "1234")
    status, output = run("settings", "--json")
    shown = json.loads(output)
    assert status == 0
    assert shown["api_key"] == {"value": "****1234", "from": "HUB_API_KEY"}
    assert shown["hub"] == {"value": True, "from": "default"}
    assert "kkkk" not in run("settings")[1]


def test_settings_are_saved_and_read_back(tmp_path: Path) -> None:
    assert run("settings", "hub=false", "port=9000")[0] == 0
    assert json.loads((tmp_path / "data" / "settings.json").read_text()) == {"hub": "false", "port": "9000"}
    assert json.loads(run("settings", "--json")[1])["port"]["value"] == 9000


def test_environment_over_the_file_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_HUB", "1")
    assert "HUB_CALLBACKS_HUB is set and goes before the file" in run("settings", "hub=false")[1]


@pytest.mark.parametrize(
    ("change", "says"), [("hub", "NAME=VALUE"), ("nope=1", "no setting 'nope'"), ("port=many", "takes a port")]
)
def test_wrong_change_is_one_clear_line(change: str, says: str, tmp_path: Path) -> None:
    status, output = run("settings", change)
    assert status != 0
    assert says in output
    assert not (tmp_path / "data").exists()


def test_status_is_watched_until_ctrl_c() -> None:
    command = [sys.executable, "-c", "from hub_callbacks.cli import main; main()", "status", "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert "No run is recorded" in watching.stdout.readline()
        watching.stdout.readline()
        assert "To be delivered: 0" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        _, errors = watching.communicate(timeout=30)
    assert (watching.returncode, errors) == (0, "")


def test_demo_tells_of_its_own_run_whatever_else_trains(outbox: Outbox) -> None:
    for name, started_at in {"demo-before": 5.0, "other": 11.0, "demo": 12.0, "demo2": 13.0, "train": 14.0}.items():
        started = RunStarted(name=name, epochs=1, started_at=started_at)
        outbox.runs.start(wire.new_id(), started, hub=Hub(), heartbeat_s=300)
    found = run_of_demo(outbox.runs.list(), started_at=10.0)
    assert found is not None
    assert found.name == "demo"
    assert run_of_demo(outbox.runs.list(), started_at=14.0) is None


def start(outbox: Outbox, name: str, *, epochs: int = 3, rows: int = 0) -> str:
    """A run with so many rows; its id."""
    record = RunStarted(name=name, epochs=epochs, started_at=1.0)
    outbox.runs.start(run_id := wire.new_id(), record, hub=Hub(), heartbeat_s=9)
    for epoch in range(rows):
        outbox.queue.put(run_id, Metrics(epoch=epoch, values={"loss": 1.0}, recorded_at=1.0), due_at=1.0)
    return run_id


def deliver_all(outbox: Outbox, run_id: str) -> None:
    outbox.queue.ack([item.id for item in due_items(outbox) if item.run_id == run_id])


@pytest.mark.usefixtures("courier_at_work")
def test_demo_waits_for_its_own_run_alone(folder: OutboxFolder, mocker: MockerFixture) -> None:
    outbox = Outbox(folder)
    start(outbox, "other", rows=2)
    deliver_all(outbox, run_id := start(outbox, "demo", rows=2))
    mocker.patch("time.sleep", side_effect=AssertionError("it waits"))
    assert deliver(outbox, Settings.load(), wait_s=60.0, run_id=run_id) == []
    with pytest.raises(AssertionError, match="it waits"):
        deliver(outbox, Settings.load(), wait_s=60.0)
    outbox.close()


@pytest.mark.parametrize(
    ("rows", "epochs", "says"),
    [
        (2, 300, "train  running  2 of 300 planned epochs recorded; 2/2 epochs acknowledged"),
        (3, 3, "train  running  3/3 epochs acknowledged"),
        (2, 0, "train  running  2/2 epochs acknowledged"),
    ],
    ids=["under way", "through", "no plan"],
)
def test_status_tells_planned_from_recorded_epochs(outbox: Outbox, rows: int, epochs: int, says: str) -> None:
    deliver_all(outbox, start(outbox, "train", epochs=epochs, rows=rows))
    assert run("status")[1].splitlines()[0] == says
    (told,) = json.loads(run("status", "--json")[1])["runs"]
    assert (told["epochs_planned"], told["epochs_recorded"], told["epochs_acknowledged"]) == (epochs, rows, rows)


def test_status_tells_a_hub_that_is_not_needed_yet_from_one_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("status")[1].endswith("Hub: the local one, not running; it starts when it is needed.\n")
    monkeypatch.setenv("HUB_CALLBACKS_API_URL", "http://127.0.0.1:9")
    assert run("status")[1].endswith("Hub: http://127.0.0.1:9 (not reachable).\n")


@pytest.mark.parametrize(
    ("status", "headers", "says"),
    [
        (503, {}, "The hub cannot do it now. Try again in a minute; if it stays so, see the hub's log. (GET "),
        (500, {}, "The hub cannot do it now."),
        (503, {"retry_after": "30"}, "The hub asks to be left alone. Try again in 30 s. (GET "),
        (429, {}, "The hub asks to be left alone. Try again in a while. (GET "),
        (404, {}, "The hub says: because (404)"),
    ],
)
def test_refusal_is_told_with_what_to_do(
    script: Any, monkeypatch: pytest.MonkeyPatch, status: int, headers: dict[str, str], says: str
) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_API_URL", script.url)
    script.will_answer(status, b'{"success": false, "message": "because"}', **headers)
    code, output = run("keys", "list")
    assert (code, output.count("\n")) == (1, 1)
    assert output.startswith(f"Error: {says}")


@pytest.fixture
def _no_data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data folder is a link to a disk that is not there: nobody can write to it, root neither."""
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "data")
    monkeypatch.setenv("HUB_CALLBACKS_DATA_DIR", str(tmp_path / "link"))


@pytest.mark.usefixtures("_no_data_dir")
def test_doctor_names_an_unusable_data_folder_and_exits_1() -> None:
    status, output = run("doctor")
    assert status == 1
    assert "trainings are not recorded" in output
    assert "HUB_CALLBACKS_DATA_DIR=" in output


def test_doctor_names_the_data_sets_that_are_here(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "datasets" / "abc"
    folder.mkdir(parents=True)
    folder.with_suffix(".json").write_text(json.dumps({"name": "pets", "size_bytes": 12_340_000}))
    (line,) = [line for line in run("doctor")[1].splitlines() if "data set" in line]
    assert line.startswith("ok  data set     pets, 12.3 MB, last used 20")
    assert line.endswith(f": {folder}")


def test_doctor_names_what_was_set_aside_as_damaged(outbox: Outbox) -> None:
    outbox.folder.journals.mkdir()
    for name in ("journals/r.0.rows.damaged-1", "outbox.db.damaged-1", "outbox.db.damaged-1-wal"):
        (outbox.folder.path / name).write_bytes(b"")
    status, output = run("doctor")
    named = [Path(line.split()[-1]).name for line in output.splitlines() if "damaged, and set aside" in line]
    assert (status, named) == (1, ["r.0.rows.damaged-1", "outbox.db.damaged-1"])


@pytest.mark.usefixtures("_no_data_dir")
@pytest.mark.parametrize("command", ["open", "runs ls", "keys list", "demo"])
def test_unusable_data_folder_is_one_line(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)  # the demo draws before it trains
    status, output = run(*command.split())
    assert (status, output.count("\n")) == (1, 1), output
    assert "hub-callbacks doctor" in output


@pytest.mark.parametrize(
    "command",
    [
        *("open nope", "runs show nope", "runs export nope", "runs reset nope", "train nope"),
        *("keys create --project nope", "keys create --user nope", "keys revoke nope"),
        *("users delete nope", "users change nope --name Ada"),
    ],
)
def test_wrong_form_of_an_id_is_told_before_the_hub_is_asked(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    status, output = run(*command.split())
    assert status == 2
    assert "letters and digits" in output.splitlines()[-1]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "command", ["runs ls", "runs show aaaaaaaaaaaaaaaaaaaa", "runs export", "keys list", "users list"]
)
def test_hub_that_is_not_there_is_told_with_what_to_do(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_API_URL", "http://127.0.0.1:9")
    status, output = run(*command.split())
    assert (status, output.count("\n")) == (1, 1), output
    assert "Is it running? Look: hub-callbacks doctor" in output


def test_address_that_is_none_is_told_before_the_hub_is_asked(tmp_path: Path) -> None:
    status, output = run("users", "create", "Ada", "--email", "nope")
    assert (status, output.splitlines()[-1].endswith("'nope' is no e-mail address, as ada@example.org is.")) == (
        2,
        True,
    )
    assert not (tmp_path / "data").exists()


def test_sync_names_the_folder_in_which_nothing_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("sync", "--from", ".") == (0, f"Nothing is recorded in {tmp_path}.\n")


def test_settings_are_in_columns() -> None:
    lines = run("settings")[1].partition("\n\n")[0].splitlines()
    assert len({line.index(line.split()[1]) for line in lines[::2]}) == 1


def test_status_and_sync_of_a_machine_without_runs(tmp_path: Path) -> None:
    assert "hub-callbacks demo" in run("status")[1]
    assert run("sync") == (0, f"Nothing is recorded in {tmp_path / 'data'}.\n")
    assert not (tmp_path / "data").exists()


def test_unknown_command_is_refused() -> None:
    assert run("nope")[0] == 2
