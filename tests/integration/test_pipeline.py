"""Trainer, courier and hub as real processes: what is recorded arrives, whatever happens in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub_callbacks import wire
from hub_callbacks.courier.process import pid
from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.transport import HubApi
from tests.integration.processes import eventually, kill

TIMEOUT_S = 60.0
TRAINING = """
import pathlib, signal, sys
from hub_callbacks.callbacks.hub import callbacks
from hub_callbacks.testing import StubTrainer

trainer = StubTrainer(pathlib.Path(sys.argv[1]), epochs=int(sys.argv[2]), callbacks=callbacks)
die_at = int(sys.argv[3])
trainer.on_epoch = lambda trainer: signal.raise_signal(signal.SIGKILL) if trainer.epoch == die_at else None
trainer.train()
"""


class Machine:
    """One user's machine: a data folder, and what runs on it."""

    def __init__(self, folder: Path) -> None:
        self.runs = folder / "runs"
        self.data_dir = folder / "data"
        self.outbox_folder = OutboxFolder.under(self.data_dir)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_CALLBACKS_")}
        self.environ = {**kept, "HUB_CALLBACKS_DATA_DIR": str(self.data_dir), "HUB_CALLBACKS_PORT": "0"}

    def train(self, name: str = "train", *, epochs: int = 3, die_at: int = -1) -> int:
        command = [sys.executable, "-c", TRAINING, str(self.runs / name), str(epochs), str(die_at)]
        return subprocess.run(command, env=self.environ, timeout=TIMEOUT_S, check=False).returncode

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = "from hub_callbacks.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=2 * TIMEOUT_S,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.command("status", "--json").stdout)
        return report

    def hub(self) -> wire.LocalHub:
        hub = wire.LocalHub.read(self.data_dir)
        assert hub is not None
        return hub

    def ask(self, method: str, path: str) -> Any:
        hub = self.hub()
        return HubApi(hub.url, hub.key)._request(method, path)

    def courier(self) -> int | None:
        return pid(self.outbox_folder)

    def kill_couriers(self) -> None:
        """Kill the courier, and the one that was waiting to take over."""
        while process := self.courier():
            kill(process)

    def clean_up(self) -> None:
        self.kill_couriers()
        kill(getattr(wire.LocalHub.read(self.data_dir), "pid", None))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.clean_up()


def rows(machine: Machine, run_id: str) -> dict[str, dict[str, float]]:
    """The run's rows on the hub: metric name to epoch to value."""
    return {metric["meta"]["name"]: metric["data"] for metric in machine.ask("GET", wire.metrics(run_id))}


def test_training_ends_with_its_receipt_on_the_local_hub(machine: Machine) -> None:
    assert machine.train() == 0
    (run,) = machine.status()["runs"]
    assert (run["state"], run["epochs_recorded"], run["epochs_acknowledged"]) == ("finished", 3, 3)
    assert (run["checkpoints_pending"], run["checkpoints_acknowledged"], run["buried"]) == (0, 1, [])
    assert run["url"] == f"{machine.hub().url}/models/{run['id']}"
    assert sorted(rows(machine, run["id"])["metrics/mAP50-95(B)"]) == ["0", "1", "2"]
    model = machine.ask("GET", wire.model(run["id"]))
    assert (model["status"], model["id"]) == ("trained", run["id"])


def test_status_has_the_documented_shape(machine: Machine) -> None:
    machine.train()
    report = machine.status()
    (run,) = report["runs"]
    assert {"id", "name", "url", "state", "epochs_planned", "epochs_recorded", "epochs_acknowledged"} <= run.keys()
    assert {"checkpoints_pending", "checkpoints_acknowledged", "buried"} <= run.keys()
    assert {"artifacts_pending", "artifacts_acknowledged"} <= run.keys()
    assert report["pending"] == 0
    assert set(report["courier"]) == {"alive", "pid"}
    assert report["hub"] == {"url": machine.hub().url, "reachable": True, "local": True}


def test_killed_trainer_is_a_crash_with_all_rows_that_it_recorded(machine: Machine) -> None:
    assert machine.train(epochs=5, die_at=2) == -signal.SIGKILL
    run = eventually(lambda: [run for run in machine.status()["runs"] if run["state"] == "crashed"])[0]
    eventually(lambda: machine.status()["pending"] == 0)
    assert sorted(rows(machine, run["id"])["train/box_loss"]) == ["0", "1"]
    assert machine.ask("GET", wire.model(run["id"]))["run"]["state"] == "crashed"


def test_killed_couriers_work_is_finished_by_the_next(machine: Machine) -> None:
    machine.environ |= {"HUB_CALLBACKS_API_URL": "http://127.0.0.1:9", "HUB_CALLBACKS_WAIT_S": "0"}
    assert machine.train() == 0
    eventually(machine.courier)
    machine.kill_couriers()
    outbox = Outbox(machine.outbox_folder)
    outbox._database.execute("UPDATE hubs SET api_url = ''")
    outbox.close()
    del machine.environ["HUB_CALLBACKS_API_URL"]
    synced = machine.command("sync", "--wait", "60")
    assert (synced.returncode, synced.stdout) == (0, "Nothing is left to deliver.\n")
    assert machine.status()["runs"][0]["epochs_acknowledged"] == 3


def test_sync_names_what_is_left_of_a_dead_hub(machine: Machine) -> None:
    machine.environ |= {"HUB_CALLBACKS_API_URL": "http://127.0.0.1:9", "HUB_CALLBACKS_WAIT_S": "0"}
    assert machine.train() == 0
    synced = machine.command("sync", "--wait", "1")
    assert synced.returncode == 1
    epochs, checkpoint = synced.stdout.splitlines()
    assert "3 epochs" in epochs
    assert "Connection refused" in epochs
    assert "1 checkpoint" in checkpoint


def test_courier_leaves_when_there_is_nothing_to_do(machine: Machine) -> None:
    assert machine.train() == 0
    eventually(lambda: machine.courier() is None)


def test_trainings_side_by_side_share_one_courier(machine: Machine) -> None:
    command = [sys.executable, "-c", TRAINING]
    trainings = [
        subprocess.Popen([*command, str(machine.runs / f"train{n}"), "20", "-1"], env=machine.environ) for n in range(3)
    ]
    assert [training.wait(TIMEOUT_S) for training in trainings] == [0, 0, 0]
    eventually(lambda: machine.status()["pending"] == 0)
    assert [run["epochs_acknowledged"] for run in machine.status()["runs"]] == [20, 20, 20]
    logs = list(machine.outbox_folder.path.glob("courier.err"))
    assert all(log.read_text() == "" for log in logs)


def test_flag_off_leaves_no_trace(machine: Machine) -> None:
    machine.environ["HUB_CALLBACKS_HUB"] = "false"
    assert machine.train() == 0
    assert not machine.data_dir.exists()


def test_open_prints_an_address_that_signs_in(machine: Machine) -> None:
    import requests

    opened = machine.command("open", "--no-browser")
    assert opened.returncode == 0, opened.stderr
    page = requests.get(opened.stdout.strip(), timeout=30)
    assert page.ok
    assert "token=" not in page.url


def test_doctor_is_content_with_a_new_machine(machine: Machine) -> None:
    report = {finding["subject"]: finding for finding in json.loads(machine.command("doctor", "--json").stdout)}
    assert report["plugins"]["fact"] == "hub"
    assert report["hub"]["advice"] == report["courier"]["advice"] == report["queue"]["advice"] == ""


def test_doctor_names_a_bad_setting_and_exits_1(machine: Machine) -> None:
    machine.environ["HUB_CALLBACKS_METRICS_S"] = "soon"
    checked = machine.command("doctor")
    assert checked.returncode == 1
    assert "'metrics_s' has the value 'soon'" in checked.stdout


def test_doctor_names_a_dead_hub(machine: Machine) -> None:
    machine.environ["HUB_CALLBACKS_API_URL"] = "http://127.0.0.1:9"
    checked = machine.command("doctor")
    assert checked.returncode == 1
    assert "http://127.0.0.1:9 does not answer" in checked.stdout
