"""Real trainings on the CPU, and what the hub and the disk say of them afterwards."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import os
import signal
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

if TYPE_CHECKING:
    from typing import Protocol

    from tests.conftest import Environment, HubServer

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

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_CALLBACKS_")}
        local = {
            "HUB_CALLBACKS_DATA_DIR": str(self.data_dir),
            "HUB_CALLBACKS_PORT": "0",
            "YOLO_CONFIG_DIR": str(self.folder / "ultralytics"),
            "YOLO_AUTOINSTALL": "false",
            "PYTHONUNBUFFERED": "1",
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

    def run(self, *command: str, returncode: int = 0) -> str:
        """Run a command to its end; its output."""
        with self.start(*command) as process:
            output, _ = process.communicate(timeout=300)
        assert process.returncode == returncode, output
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

    def rows_on_disk(self) -> Rows:
        with (self.save_dir / "results.csv").open(encoding="utf-8") as file:
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


def _data_dir(process: psutil.Process) -> str | None:
    try:
        data_dir: str | None = process.environ().get("HUB_CALLBACKS_DATA_DIR")
    except psutil.Error:  # it ended, or is not ours
        return None
    return data_dir


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """One hub, and machines that share nothing but its address and a key; nothing depends on the release."""

    hub: HubServer
    data: Path
    epochs: int = 6

    def machine(self, machine: Machine, name: str) -> Machine:
        """A machine of the team like the given one, with a folder of its own under that one's."""
        env = {"API_URL": self.hub.url, "API_KEY": self.hub.key, "CKPT_S": "0"}
        folder = machine.folder / name
        folder.mkdir()
        own = {f"HUB_CALLBACKS_{name}": value for name, value in env.items()}
        return replace(machine, folder=folder, env={**machine.env, **own})

    def new_model(self, **config: Any) -> str:
        """A model that was made on the hub; its page."""
        given = {"epochs": self.epochs, "batchSize": 8, "imageSize": 64, "device": "cpu", **config}
        body = {
            "meta": {"name": "made on the hub"},
            "config": given,
            "dataset": {"name": str(self.data)},
            "lineage": {"architecture": {"name": "yolov8n"}},  # in every release
        }
        return self.hub.url + wire.page(self.hub.ask("POST", wire.MODELS, json=body)["id"])

    def script(self, machine: Machine, page: str, *before: str, **arguments: Any) -> str:
        """A plain script that trains a model of the hub."""
        place = {"project": str(machine.save_dir.parent), "name": machine.save_dir.name}
        lines = ["from ultralytics import YOLO", f"model = YOLO({page!r})", *before]
        return "\n".join([*lines, f"model.train(**{place | {'workers': 0, 'plots': False} | arguments!r})"])

    def start(self, machine: Machine, page: str, **arguments: Any) -> str:
        """Train a new model of the hub to its end; the output."""
        return machine.run(str(machine.python), "-c", self.script(machine, page, **arguments))

    def kill(self, machine: Machine, page: str, *, epoch: int) -> None:
        """Start a training, kill it when that epoch, 0-based, begins, and wait for the checkpoint before it."""
        told = "model.add_callback('on_train_epoch_start', lambda trainer: print('EPOCH', trainer.epoch, flush=True))"
        with machine.start(str(machine.python), "-c", self.script(machine, page, told)) as process:
            assert process.stdout is not None
            output = list(itertools.takewhile(lambda line: not line.startswith(f"EPOCH {epoch}"), process.stdout))
            process.kill()
            assert process.wait() == -signal.SIGKILL, "".join(output)
        path = wire.checkpoints(page.rpartition("/")[2])
        give_up_at = time.monotonic() + 60
        while epoch - 1 not in [one["epoch"] for one in self.hub.ask("GET", path)]:
            assert time.monotonic() < give_up_at, "the checkpoint did not come in time"
            time.sleep(0.1)

    def resume(self, machine: Machine, page: str) -> str:
        """Continue a model of the hub by the command; the output."""
        place = [f"project={machine.save_dir.parent}", f"name={machine.save_dir.name}", "workers=0", "plots=False"]
        command = "import sys; from hub_callbacks.cli import main; sys.argv[0] = 'hub-callbacks'; main()"
        return machine.run(str(machine.python), "-c", command, "train", page, *place)

    def use(self, machine: Machine, page: str) -> str:
        """Predict with a trained model of the hub, validate and export it; the output."""
        image = next(self.data.parent.glob("images/val/*.png"))
        lines = [
            "from ultralytics import YOLO",
            f"model = YOLO({page!r})",
            f"print('FOUND', len(model.predict({str(image)!r}, imgsz=64, verbose=False)))",
            f"model.val(data={str(self.data)!r}, imgsz=64, plots=False, workers=0, device='cpu')",
            "print('EXPORTED', model.export(format='torchscript', imgsz=64))",
        ]
        return machine.run(str(machine.python), "-c", "\n".join(lines))

    def assert_trained(self, machine: Machine, page: str) -> None:
        """The page's model is whole: one curve of every epoch once, and the best checkpoint of that machine."""
        model_id = page.rpartition("/")[2]
        model = self.hub.ask("GET", wire.model(model_id))
        assert (model["status"], model["run"]["state"]) == ("trained", "finished")
        curves = self.hub.ask("GET", wire.metrics(model_id))
        (losses,) = [curve["data"] for curve in curves if curve["meta"]["name"] == "train/box_loss"]
        assert sorted(map(int, losses)) == list(range(model["epochs"]))
        (final,) = [one for one in self.hub.ask("GET", wire.checkpoints(model_id)) if one["isFinal"]]
        best = (machine.save_dir / "weights" / "best.pt").read_bytes()
        assert final["sha256"] == hashlib.sha256(best).hexdigest()
        assert [one["id"] for one in self.hub.ask("GET", wire.MODELS)["results"]] == [model_id]


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
