from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub_callbacks.errors import SettingsError
from hub_callbacks.settings import Settings, env_name, resolve, save, table, user_file


def environ(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"HUB_CALLBACKS_DATA_DIR": str(tmp_path), **more}


def test_settings_have_their_defaults(tmp_path: Path) -> None:
    settings = Settings.load(environ(tmp_path))
    assert (settings.hub, settings.api_url, settings.port) == (True, "", 8420)
    assert (settings.metrics_s, settings.ckpt_s, settings.heartbeat_s, settings.wait_s) == (3, 900, 300, 30)
    assert settings.is_local


def test_wait_is_an_hour_on_colab(tmp_path: Path) -> None:
    assert Settings.load(environ(tmp_path, COLAB_RELEASE_TAG="release")).wait_s == 3600


def test_environment_goes_before_file_and_file_before_ultralytics(tmp_path: Path) -> None:
    ultralytics = {"hub": False, "api_key": "from-ultralytics"}
    variables = environ(tmp_path)
    assert resolve(variables, ultralytics=ultralytics)["api_key"] == ("from-ultralytics", "Ultralytics")
    save({"api_key": "from-file", "hub": "yes"}, variables)
    assert resolve(variables, ultralytics=ultralytics)["api_key"] == ("from-file", str(user_file(variables)))
    assert resolve(variables, ultralytics=ultralytics)["hub"].value is True
    variables["HUB_API_KEY"] = "from-old-variable"
    assert resolve(variables)["api_key"] == ("from-old-variable", "HUB_API_KEY")
    variables["HUB_CALLBACKS_API_KEY"] = "from-own-variable"
    assert resolve(variables)["api_key"] == ("from-own-variable", "HUB_CALLBACKS_API_KEY")


def test_key_of_ultralytics_platform_is_not_taken(tmp_path: Path) -> None:
    assert Settings.load(environ(tmp_path), ultralytics={"api_key": "ul_platform"}).api_key == ""


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("hub", "0", False),
        ("hub", "On", True),
        ("api_url", "https://hub.example/", "https://hub.example"),
        ("metrics_s", " 0.5 ", 0.5),
        ("port", "0", 0),
        ("block", "wandb, other,", ("wandb", "other")),
    ],
)
def test_texts_are_read(tmp_path: Path, name: str, text: str, value: Any) -> None:
    assert getattr(Settings.load(environ(tmp_path, **{env_name(name): text})), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hub", "maybe"),
        ("api_url", "hub.example"),
        ("api_url", "ftp://hub.example"),
        ("metrics_s", "soon"),
        ("metrics_s", "-1"),
        ("ckpt_s", "nan"),
        ("port", "99999"),
        ("api_key", "two words"),
    ],
)
def test_a_bad_value_names_setting_value_and_what_is_allowed(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load(environ(tmp_path, **{env_name(name): text}))
    allowed = next(row.metadata["kind"].allowed for row in table() if row.name == name)
    for part in (repr(name), repr(text), env_name(name), allowed):
        assert part in str(caught.value)


def test_save_keeps_the_file_to_its_user_and_the_rest_of_it(tmp_path: Path) -> None:
    save({"port": "9000"}, environ(tmp_path))
    path = save({"hub": "false"}, environ(tmp_path))
    assert json.loads(path.read_text()) == {"port": "9000", "hub": "false"}
    assert path.stat().st_mode & 0o777 == 0o600
    save({"port": ""}, environ(tmp_path))
    assert json.loads(path.read_text()) == {"hub": "false"}


@pytest.mark.parametrize("changes", [{"nope": "1"}, {"hub": "false", "port": "many"}])
def test_save_changes_nothing_when_a_change_is_wrong(tmp_path: Path, changes: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        save(changes, environ(tmp_path))
    assert not user_file(environ(tmp_path)).exists()


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(SettingsError, match=r"settings\.json"):
        Settings.load(environ(tmp_path))
