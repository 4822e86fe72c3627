"""Real trainings on the CPU, and what the hub and the disk say of them afterwards."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import psutil
import pytest
import requests

from hub_callbacks import wire
from hub_callbacks.cli.demo import draw_dataset
from tests.trainer.team import Team

if TYPE_CHECKING:
    from typing import Protocol

    from tests.environments import Environment
    from tests.hubs import HubServer

    class Eventually(Protocol):
        def __call__(self, condition: Callable[[], Any], *, timeout_s: float) -> Any: ...

    CreateEnvironment = Callable[[Path], Environment]

Rows: TypeAlias = "dict[int, dict[str, float]]"  # epoch, 0-based, to metric to value


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine as its user sees it: an interpreter, a data folder, and nothing that mentions us.

    Attributes:
        folder: Working directory; every file that a training writes lies under it.
        data: The data set's YAML file.
        python: The interpreter, in its virtual environment.
        model: What is trained.
        env: Environment variables, in addition to our own.
    """

    folder: Path
    data: Path
    python: Path = Path(sys.executable)
    model: str = "yolo11n.yaml"
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def save_dir(self) -> Path:
        return self.folder / "runs" / "mine"

    def arguments(self, **changes: Any) -> dict[str, Any]:
        """Arguments of a training of seconds."""
        arguments = {
            "data": str(self.data),
            "epochs": 3,
            "imgsz": 64,
            "batch": 8,
            "device": "cpu",
            "workers": 0,
            "plots": False,
            "project": str(self.save_dir.parent),
            "name": self.save_dir.name,
        }
        return arguments | changes

    def script(self, *before: str, **changes: Any) -> str:
        """A plain script: a model, lines of the user's, a training."""
        lines = ["from ultralytics import YOLO", f"model = YOLO({self.model!r})", *before]
        return "\n".join([*lines, f"model.train(**{self.arguments(**changes)!r})"])

    def training(self, model: str, name: str, *options: str, **changes: Any) -> str:
        """A line that trains, in a folder of that name; options are further arguments, as code."""
        arguments = self.arguments(name=name, **changes)
        return f"{model}.train({', '.join([*options, f'**{arguments!r}'])})"

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_CALLBACKS_")}
        config_dir, temporary = self.folder / "ultralytics", self.folder / "tmp"
        config_dir.mkdir(exist_ok=True)  # from 8.4 on, /tmp/Ultralytics is everybody's where it is missing
        temporary.mkdir(exist_ok=True)  # DDP leaves its logs there
        local = {
            "HUB_CALLBACKS_DATA_DIR": str(self.data_dir),
            "HUB_CALLBACKS_PORT": "0",
            "OMP_NUM_THREADS": "1",  # enough for trainings this small, and twice as fast on a busy machine
            "TMPDIR": str(temporary),
            "YOLO_CONFIG_DIR": str(config_dir),
            "YOLO_AUTOINSTALL": "false",
            "PYTHONUNBUFFERED": "1",
            "PYTHONFAULTHANDLER": "1",  # a process that dies of a signal, a rank of DDP too, says where
        }
        return kept | local | dict(self.env)

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command; its output is one stream."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: str, returncode: int = 0, timeout_s: float = 900.0) -> str:
        """Run a command to its end; its output."""
        with self.start(*command) as process:
            return self.ended(process, returncode=returncode, timeout_s=timeout_s)

    def ended(self, process: subprocess.Popen[str], *, returncode: int = 0, timeout_s: float) -> str:
        """Wait for the end of what was started, which has to be this one; its output."""
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            for child in psutil.Process(process.pid).children(recursive=True):  # they hold the stream open
                child.kill()
            process.kill()
            pytest.fail(f"It did not end within {timeout_s} s: {_closing(process.communicate()[0])}")
        assert process.returncode == returncode, _closing(output)
        return output

    def train(self, *before: str, returncode: int = 0, **changes: Any) -> str:
        """Run a plain script; its output."""
        return self.run(str(self.python), "-c", self.script(*before, **changes), returncode=returncode)

    def install(self, wheel: Path) -> None:
        """Install a wheel, as a person would, but for its dependencies: they are there."""
        self.run(sys.executable, "-m", "pip", "--python", str(self.python), "install", "--no-deps", str(wheel))

    def command(self, name: str) -> str:
        """A command of the virtual environment."""
        return str(self.python.with_name(name))

    def status(self) -> dict[str, Any]:
        """What ``hub-callbacks status --json`` says."""
        report: dict[str, Any] = json.loads(self.run(self.command("hub-callbacks"), "status", "--json"))
        return report

    def delivered(self) -> dict[str, Any]:
        """The only run, after everything is delivered."""
        self.run(self.command("hub-callbacks"), "sync", "--wait", "60")
        report = self.status()
        assert report["pending"] == 0
        (run,) = report["runs"]
        return dict(run)

    def ask(self, path: str) -> Any:
        """Data of a reply of the local hub."""
        hub = self._hub()
        reply = requests.get(hub.url + path, headers={wire.API_KEY_HEADER: hub.key}, timeout=30)
        assert reply.ok, reply.text
        return reply.json()["data"]

    def tell(self, path: str, body: dict[str, Any]) -> None:
        """Post to the local hub."""
        hub = self._hub()
        reply = requests.post(hub.url + path, json=body, headers={wire.API_KEY_HEADER: hub.key}, timeout=30)
        assert reply.ok, reply.text

    def runs_on_hub(self) -> list[dict[str, Any]]:
        """What the local hub lists; nothing before it has started."""
        return list(self.ask(wire.MODELS)["results"]) if wire.LocalHub.read(self.data_dir) else []

    def rows_on_hub(self, run_id: str) -> Rows:
        rows: Rows = {}
        for curve in self.ask(wire.metrics(run_id)):
            for epoch, value in curve["data"].items():
                rows.setdefault(int(epoch), {})[curve["meta"]["name"]] = value
        return rows

    def rows_on_disk(self, save_dir: Path | None = None) -> Rows:
        with ((save_dir or self.save_dir) / "results.csv").open(encoding="utf-8") as file:
            lines = [{name.strip(): float(value) for name, value in line.items()} for line in csv.DictReader(file)]
        first = min(line["epoch"] for line in lines)  # 0 in 8.0, then 1
        return {int(line.pop("epoch") - first): line for line in lines}

    def best_on_hub(self, run_id: str) -> bytes:
        reply = requests.get(self.ask(wire.model(run_id))["weights"], timeout=30)
        assert reply.ok, reply.text
        return reply.content

    def assert_all_delivered(self, *, epochs: int = 3) -> str:
        """Everything that the training wrote is on the hub, and nothing else; the run's id."""
        run = self.delivered()
        assert (run["state"], run["epochs_recorded"], run["epochs_acknowledged"]) == ("finished", epochs, epochs)
        on_hub, on_disk = self.rows_on_hub(run["id"]), self.rows_on_disk()
        assert sorted(on_hub) == sorted(on_disk) == list(range(epochs))
        for epoch, row in on_disk.items():
            row.pop("time", None)  # of the epoch's end: not a metric
            shared = {name: on_hub[epoch][name] for name in row}
            assert shared == pytest.approx(row, rel=1e-4)  # results.csv has six digits, in 8.0 five
        assert self.best_on_hub(run["id"]) == (self.save_dir / "weights" / "best.pt").read_bytes()
        return str(run["id"])

    def processes(self) -> list[psutil.Process]:
        """The processes that work on this machine's data folder."""
        return [process for process in psutil.process_iter() if _data_dir(process) == str(self.data_dir)]

    def stop(self) -> None:
        """End what works on this machine's data folder: the courier and the local hub."""
        left = self.processes()
        for process in left:
            process.terminate()
        psutil.wait_procs(left, timeout=10)

    def _hub(self) -> wire.LocalHub:
        hub = wire.LocalHub.read(self.data_dir)
        assert hub is not None
        return hub


def _closing(output: str) -> str:
    """The end of an output, which tells why: without the states of progress bars, which fill a log to its limit."""
    return re.sub(r"[^\n]*\r(?!\n)", "", output)[-20_000:]


def _data_dir(process: psutil.Process) -> str | None:
    try:
        data_dir: str | None = process.environ().get("HUB_CALLBACKS_DATA_DIR")
    except psutil.Error:  # it ended, or is not ours
        return None
    return data_dir


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--release", default="", help="For tests/trainer/releases: a release, or all.")
    parser.addoption("--table", type=Path, help="For tests/trainer/releases: the page that gets their results.")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("dataset"))


@pytest.fixture
def machine(tmp_path: Path, data: Path) -> Iterator[Machine]:
    """A machine with this project installed as it is here."""
    machine = Machine(folder=tmp_path, data=data)
    yield machine
    machine.stop()


@pytest.fixture
def fresh_machine(tmp_path: Path, data: Path, create_environment: CreateEnvironment) -> Iterator[Machine]:
    """A machine with Ultralytics and without this project, in an environment of its own."""
    environment = create_environment(tmp_path / "environment")
    machine = Machine(folder=tmp_path, data=data, python=environment.bin / "python")
    yield machine
    machine.stop()


@pytest.fixture
def team(start_hub: Callable[[Path], HubServer], machine: Machine, data: Path) -> Iterator[Team]:
    """A team with a hub of its own; its machines lie under ``machine``'s folder."""
    team = Team(hub=start_hub(machine.folder / "team"), data=data)
    yield team
    for folder in machine.folder.iterdir():
        replace(machine, folder=folder).stop()


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Waits until a condition holds; what it gave."""

    def wait(condition: Callable[[], Any], *, timeout_s: float) -> Any:
        give_up_at = time.monotonic() + timeout_s
        while not (value := condition()):
            assert time.monotonic() < give_up_at, "it did not come true in time"
            time.sleep(0.1)
        return value

    return wait
