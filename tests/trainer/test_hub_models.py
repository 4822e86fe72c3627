"""Models of a hub in real trainings: started, continued on another machine, and used when they are trained.

One hub, and machines that share nothing but its address and a key. Nothing here depends on the release of Ultralytics.
"""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.conftest import HubServer
    from tests.trainer.conftest import Machine

ARCHITECTURE = "yolov8n"  # in every release
EPOCHS = 6
TOLD = "model.add_callback('on_train_epoch_start', lambda trainer: print('EPOCH', trainer.epoch, flush=True))"


def eventually(condition: Callable[[], Any], *, timeout_s: float = 60) -> Any:
    give_up_at = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < give_up_at, "it did not come true in time"
        time.sleep(0.1)
    return value


@pytest.fixture
def team_hub(start_hub: Callable[[Path], HubServer], tmp_path: Path) -> HubServer:
    return start_hub(tmp_path / "team")


@pytest.fixture
def machines(machine: Machine, team_hub: HubServer) -> Iterator[Callable[[str], Machine]]:
    """Machines of one team, each with a folder of its own."""
    made: list[Machine] = []

    def make(name: str) -> Machine:
        env = {
            "HUB_CALLBACKS_API_URL": team_hub.url,
            "HUB_CALLBACKS_API_KEY": team_hub.key,
            "HUB_CALLBACKS_CKPT_S": "0",
        }
        (machine.folder / name).mkdir()
        made.append(replace(machine, folder=machine.folder / name, env=env))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def new_model(hub: HubServer, data: str, **config: Any) -> str:
    """A model that was made on the hub; its page."""
    body = {
        "meta": {"name": "made on the hub"},
        "config": {"epochs": EPOCHS, "batchSize": 8, "imageSize": 64, "device": "cpu", **config},
        "dataset": {"name": data},
        "lineage": {"architecture": {"name": ARCHITECTURE}},
    }
    return hub.url + wire.page(hub.ask("POST", wire.MODELS, json=body)["id"])


def script(machine: Machine, page: str, *before: str, **arguments: Any) -> str:
    """A plain script that trains what an identifier names."""
    own = {"project": str(machine.save_dir.parent), "name": machine.save_dir.name, "workers": 0, "plots": False}
    lines = ["from ultralytics import YOLO", f"model = YOLO({page!r})", *before]
    return "\n".join([*lines, f"model.train(**{own | arguments!r})"])


def train(machine: Machine, page: str, *before: str, returncode: int = 0, **arguments: Any) -> str:
    return machine.run(str(machine.python), "-c", script(machine, page, *before, **arguments), returncode=returncode)


def epochs_on(hub: HubServer, model_id: str) -> list[int]:
    curves = hub.ask("GET", wire.metrics(model_id))
    (losses,) = [curve["data"] for curve in curves if curve["meta"]["name"] == "train/box_loss"]
    return sorted(map(int, losses))


def assert_trained(hub: HubServer, machine: Machine, page: str, *, epochs: int = EPOCHS) -> None:
    """The page's model is the only one, whole: one curve, and the best checkpoint of the machine that ended it."""
    model_id = page.rpartition("/")[2]
    (model,) = hub.ask("GET", wire.MODELS)["results"]
    assert (model["id"], model["status"], model["run"]["state"]) == (model_id, "trained", "finished")
    assert epochs_on(hub, model_id) == list(range(epochs))
    (final,) = [one for one in hub.ask("GET", wire.checkpoints(model_id)) if one["isFinal"]]
    best = (machine.save_dir / "weights" / "best.pt").read_bytes()
    assert final["sha256"] == hashlib.sha256(best).hexdigest()


def kill_in_epoch(machine: Machine, page: str, epoch: int) -> None:
    """Start a training, and kill it when that epoch, 0-based, begins."""
    with machine.start(str(machine.python), "-c", script(machine, page, TOLD)) as process:
        assert process.stdout is not None
        output = []
        for line in process.stdout:
            output.append(line)
            if line.startswith(f"EPOCH {epoch}"):
                break
        else:
            pytest.fail("".join(output))
        process.kill()
        assert process.wait() == -signal.SIGKILL


def wait_for_checkpoint(hub: HubServer, page: str, epoch: int) -> None:
    path = wire.checkpoints(page.rpartition("/")[2])
    eventually(lambda: epoch in [one["epoch"] for one in hub.ask("GET", path)])


def test_model_made_on_the_hub_is_trained_with_its_arguments(
    team_hub: HubServer, machines: Callable[[str], Machine], data: Path
) -> None:
    page, machine = new_model(team_hub, str(data), epochs=2), machines("a")
    output = train(machine, page, epochs=9, batch=2)
    assert "epochs=2 (not 9)" in output
    assert "batch=8 (not 2)" in output
    assert_trained(team_hub, machine, page, epochs=2)


def test_killed_training_is_continued_on_another_machine(
    team_hub: HubServer, machines: Callable[[str], Machine], data: Path
) -> None:
    page, first, second = new_model(team_hub, str(data)), machines("a"), machines("b")
    kill_in_epoch(first, page, 2)
    wait_for_checkpoint(team_hub, page, 1)
    place = [f"project={second.save_dir.parent}", f"name={second.save_dir.name}", "workers=0", "plots=False"]
    output = second.run(second.command("hub-callbacks"), "train", page, *place)
    assert f"HUB: View this run at {page}" in output
    assert_trained(team_hub, second, page)
    assert not (second.save_dir / "results.csv").read_text().splitlines()[1].startswith("1,")
