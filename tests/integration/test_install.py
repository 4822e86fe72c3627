"""The built wheel, in a fresh virtual environment: it arms by being there, and is gone when it is removed."""

from __future__ import annotations

import json
import pkgutil
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.environments import Environment

    CreateEnvironment = Callable[[Path], Environment]

SOURCE = Path(__file__).parents[2]
THIRD_PARTY = SOURCE / "tests" / "third_party"

ARMED = "import hub_callbacks._bootstrap as b; print(b.armed_by() is not None)"
TRAIN = "from ultralytics import YOLO; YOLO().train(epochs=1); print('trained')"
HEAVY = {
    "torch",
    "fastapi",
    "sqlalchemy",
    "hub_sdk",
    "requests",
    "pluggy",
    "click",
    "platformdirs",
    "logging",
    "typing",
}


@pytest.fixture(scope="module")
def environment(
    create_environment: CreateEnvironment, tmp_path_factory: pytest.TempPathFactory, wheel: Path
) -> Environment:
    environment = create_environment(tmp_path_factory.mktemp("environment"))
    environment.install(wheel)
    return environment


def test_wheel_carries_both_triggers_at_its_root(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert {name for name in names if "/" not in name} == {"hub_callbacks.pth", "hub_callbacks.start"}
        assert {name.split("/")[0] for name in names if "/" in name} == {"hub_callbacks", f"{stem(wheel)}.dist-info"}
        (line,) = archive.read("hub_callbacks.pth").decode().splitlines()
        start = archive.read("hub_callbacks.start").decode().splitlines()
    assert line == 'import hub_callbacks._bootstrap as _b; _b.install("pth")'
    (callable_name,) = [line for line in start if not line.startswith("#")]
    assert pkgutil.resolve_name(callable_name)() is None


@pytest.mark.parametrize("flag", ["-u", "-I", "-E", "-s", "-O", "-OO"])
def test_interpreter_starts_armed(environment: Environment, flag: str) -> None:
    assert environment.run(flag, "-c", ARMED).stdout == "True\n"


def test_interpreter_starts_armed_in_a_child(environment: Environment) -> None:
    code = f"import multiprocessing as m; m.get_context('spawn').Process(target=exec, args=({ARMED!r},)).start()"
    assert environment.run("-c", code).stdout == "True\n"


def test_interpreter_start_loads_our_two_files_and_nothing_heavy(environment: Environment) -> None:
    code = "import sys, hub_callbacks; print(*(m for m in sys.modules if m.split('.')[0] in {*%r, 'hub_callbacks'}))"
    loaded = environment.run("-I", "-c", code % HEAVY).stdout.split()
    assert loaded == ["hub_callbacks", "hub_callbacks._bootstrap"]


def test_kill_switch_leaves_the_interpreter_as_it_is(environment: Environment) -> None:
    done = environment.run("-c", "import sys; print(sys.meta_path)", env={"HUB_CALLBACKS_DISABLE": "1"})
    assert "hub_callbacks" not in done.stdout


def test_torch_can_load_its_entry_point(environment: Environment) -> None:
    """As ``torch._import_device_backends`` does: an error there would stop ``import torch``."""
    code = "import os; del os.environ['HUB_CALLBACKS_DISABLE']; from importlib.metadata import entry_points\n"
    code += "(entry,) = entry_points(group='torch.backends', name='hub_callbacks'); entry.load()()\n"
    assert environment.run("-c", code + ARMED, env={"HUB_CALLBACKS_DISABLE": "1"}).stdout == "True\n"


def test_uninstall_removes_every_file(create_environment: CreateEnvironment, wheel: Path, tmp_path: Path) -> None:
    fresh = create_environment(tmp_path)
    before = {path.name for path in fresh.site.iterdir()}
    fresh.install(wheel)
    assert {"hub_callbacks.pth", "hub_callbacks.start"} <= {path.name for path in fresh.site.iterdir()}
    fresh.pip("uninstall", "--yes", "hub-callbacks")
    assert {path.name for path in fresh.site.iterdir()} == before
    done = fresh.run("-c", "import sys; print(sys.meta_path)")
    assert ("hub_callbacks" in done.stdout, done.stderr) == (False, "")


def test_editable_install_arms_too(create_environment: CreateEnvironment, tmp_path: Path) -> None:
    fresh = create_environment(tmp_path)
    flags = [] if find_spec("hatchling") is None or find_spec("editables") is None else ["--no-build-isolation"]
    fresh.pip("install", "--no-deps", *flags, "--editable", str(SOURCE))
    done = fresh.run("-c", f"{ARMED}; import hub_callbacks; print(hub_callbacks.__file__)")
    assert done.stdout.splitlines() == ["True", str(SOURCE / "hub_callbacks" / "__init__.py")]


def test_broken_installation_does_not_stop_an_interpreter(
    create_environment: CreateEnvironment, wheel: Path, tmp_path: Path
) -> None:
    fresh = create_environment(tmp_path)
    fresh.install(wheel)
    (fresh.site / "hub_callbacks" / "callbacks" / "attach.py").unlink()
    stub = {"PYTHONPATH": str(THIRD_PARTY / "ultralytics_8_4_190")}
    done = fresh.run("-c", TRAIN, env=stub)
    assert done.stdout == "trained\n"
    assert "trainings go on without it" in done.stderr


@pytest.mark.parametrize("release", ["8_4_190", "8_0_100"])
def test_third_party_plugin_is_told_when_it_is_installed(
    environment: Environment, spy_wheel: Path, tmp_path: Path, release: str
) -> None:
    env = {
        "PYTHONPATH": str(THIRD_PARTY / f"ultralytics_{release}"),
        "HUB_CALLBACKS_BLOCK": "hub",
        "SPY_FILE": str(tmp_path / "told.jsonl"),
    }
    environment.install(spy_wheel)
    try:
        assert environment.run("-c", TRAIN, env=env).stderr == ""
        raising = environment.run("-c", TRAIN, env=env | {"SPY_RAISES": "1"})
    finally:
        environment.pip("uninstall", "--yes", "hub-callbacks-spy")
    told = told_in(tmp_path / "told.jsonl")
    assert [line["event"] for line in told[:8]] == [
        "on_pretrain_routine_start",
        "on_pretrain_routine_end",
        "on_train_epoch_end",
        "on_model_save",
        "on_fit_epoch_end",
        "on_fit_epoch_end",
        "on_train_end",
        "teardown",
    ]
    assert [line["event"] for line in told[:8]] == [line["event"] for line in told[8:]]
    assert (raising.stdout, len(raising.stderr.splitlines())) == ("trained\n", 1)
    assert "'spy'" in raising.stderr


@pytest.mark.parametrize("env", [{"HUB_CALLBACKS_DISABLE": "1"}, {"HUB_CALLBACKS_HUB": "0"}])
def test_training_leaves_no_file_and_no_line_when_off(environment: Environment, env: dict[str, str]) -> None:
    stub = {"PYTHONPATH": str(THIRD_PARTY / "ultralytics_8_4_190")}
    done = environment.run("-c", TRAIN, env=stub | env)
    assert (done.stdout, done.stderr) == ("trained\n", "")
    assert not (environment.folder / "data").exists()


def stem(wheel: Path) -> str:
    return "-".join(wheel.name.split("-")[:2])


def told_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
