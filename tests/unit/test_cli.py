from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub_callbacks import __version__
from hub_callbacks.cli import main


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def test_every_command_is_listed_with_its_help() -> None:
    status, output = run("--help")
    assert status == 0
    for name in ("demo", "serve", "open", "status", "sync", "settings", "doctor"):
        assert any(line.split()[0] == name and len(line.split()) > 3 for line in output.splitlines() if line.strip())


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


def test_status_and_sync_of_a_machine_without_runs(tmp_path: Path) -> None:
    assert "hub-callbacks demo" in run("status")[1]
    assert run("sync") == (0, f"Nothing is recorded in {tmp_path / 'data'}.\n")
    assert not (tmp_path / "data").exists()


def test_unknown_command_is_refused() -> None:
    assert run("nope")[0] == 2
