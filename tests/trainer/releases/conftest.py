"""The same trainings on several releases of Ultralytics, which borrow the newest one's torch; and the table of them."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine

NEWEST = "newest"  # the one in this environment
RELEASES = ("8.0.100", "8.0.150", "8.1.0", "8.2.77", "8.3.0", "8.3.252", "8.4.0", "8.4.114", "8.4.115", NEWEST)
IN_SHORT = ("8.4.114", NEWEST)
PATCHES = Path(__file__).parents[2] / "third_party" / "patches"

BUILT_IN_SESSION = """
import importlib, sys
class Session:
    client = type("Client", (), {"authenticated": False})
    def __init__(self, *args):
        print("BUILT-IN SESSION")
    create_session = classmethod(lambda cls, *args: print("BUILT-IN SESSION"))
for name in ("ultralytics.hub.session", "ultralytics.utils.callbacks.hub"):  # 8.1 opens it in train, later a callback
    try:
        module = importlib.import_module(name)
    except ImportError:  # up to 8.0.135 the second, from 8.4.115 on both
        continue
    if hasattr(module, "HUBTrainingSession") and "ultralytics.utils" in sys.modules:
        module.HUBTrainingSession = Session
        sys.modules["ultralytics.utils"].SETTINGS["api_key"] = "0" * 42
"""

COLUMNS = ("start", "resume", "trained", "local", "ddp")  # the modules test_<column>.py
TABLE = re.compile(r"(?<=<!-- table -->\n).*(?=<!-- end of the table -->)", re.DOTALL)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    own = [mark for mark in metafunc.definition.iter_markers("parametrize") if mark.args[0] == "release"]
    if "release" in metafunc.fixturenames and not own:
        chosen = metafunc.config.getoption("--release").removeprefix("trainer-")  # as tox names its environments
        metafunc.parametrize("release", {"": IN_SHORT, "all": RELEASES}.get(chosen, (chosen,)))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if page := config.getoption("--table"):
        reports = [
            report for outcome in ("passed", "failed", "error") for report in terminalreporter.getreports(outcome)
        ]
        page.write_text(TABLE.sub("\n".join([*table(reports), ""]), page.read_text("utf-8")), "utf-8")


def table(reports: Iterable[pytest.TestReport]) -> list[str]:
    """The table's lines; a cell says yes when every test of its module has passed on its release."""
    cells: dict[tuple[str, str], bool] = {}
    for report in reports:
        if found := re.search(r"test_(\w+)\.py::\w+\[([\w.]+)", report.nodeid):
            cells[found[2], found[1]] = cells.get((found[2], found[1]), True) and report.passed
    words = {True: "yes", False: "no", None: "not run"}
    rows = [(name_of(release), *(words[cells.get((release, column))] for column in COLUMNS)) for release in RELEASES]
    ran_on = f"Python {platform.python_version()}, torch {version('torch')}, {platform.system()}"
    return [
        f"| {' | '.join(['Ultralytics', *COLUMNS[:-1], 'DDP'])} |",
        f"| {' | '.join(['---'] * (1 + len(COLUMNS)))} |",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        f"It ran on {ran_on}.",
    ]


def name_of(release: str) -> str:
    return version("ultralytics") if release == NEWEST else release


def is_before(release: str, *numbers: int) -> bool:
    return release != NEWEST and tuple(map(int, release.split("."))) < numbers


@pytest.fixture
def old_machine(machine: Machine, release: str, ultralytics_env: Callable[[str], dict[str, str]]) -> Machine:
    """A machine with that release of Ultralytics."""
    env = {"PYTHONPATH": str(PATCHES)} if release == NEWEST else ultralytics_env(release)
    path = filter(None, [env["PYTHONPATH"], os.environ.get("PYTHONPATH")])
    return replace(machine, model="yolov8n.yaml", env={**env, "PYTHONPATH": os.pathsep.join(path)})


@pytest.fixture
def two_devices(old_machine: Machine) -> Machine:
    """That machine with two devices, which are two processes on the CPU: see ``tests/third_party/patches``."""
    return replace(old_machine, env={**old_machine.env, "TWO_CPUS": "1"})


@pytest.fixture
def ultralytics_version(release: str) -> str:
    return name_of(release)


@pytest.fixture
def keeps_callbacks_in_ddp(release: str) -> bool:
    """Whether a model's own callbacks are called in the processes of a DDP training."""
    return not is_before(release, 8, 4, 140)


@pytest.fixture
def built_in_session() -> str:
    """Lines that put a note in the place of Ultralytics' own session, which would need a key and a network."""
    return BUILT_IN_SESSION
