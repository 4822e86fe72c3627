"""Real trainings that are killed, that have no hub, or that the hub stops: what is true arrives, by itself."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import requests

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.trainer.conftest import Eventually, Machine

TELL = "model.add_callback('on_train_epoch_start', lambda trainer: print('EPOCH', trainer.epoch))"
SLOW = "import time; model.add_callback('on_train_epoch_end', lambda trainer: time.sleep(0.5))"


def test_killed_training_is_shown_as_crashed_within_30_seconds(machine: Machine, eventually: Eventually) -> None:
    with machine.start(str(machine.python), "-c", machine.script(TELL, epochs=5)) as process:
        assert process.stdout is not None
        assert any(line.startswith("EPOCH 2") for line in process.stdout)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    killed_at = time.time()
    (listed,) = eventually(machine.runs_on_hub, timeout_s=30)
    path = wire.model(listed["id"])
    eventually(lambda: machine.ask(path)["run"]["state"] == "crashed", timeout_s=30)
    run = machine.ask(path)["run"]
    assert killed_at - 1 <= run["finishedAt"] <= killed_at + 30
    assert sorted(machine.rows_on_hub(listed["id"])) == [0, 1]


def test_training_without_a_hub_arrives_when_it_is_served_again(machine: Machine, eventually: Eventually) -> None:
    serve = [machine.command("hub-callbacks"), "serve", "--data-dir", str(machine.folder / "team")]
    with machine.start(*serve, "--port", "0") as hub:
        assert hub.stdout is not None
        url, key = (hub.stdout.readline().split()[-1] for _ in range(2))
        hub.terminate()
    env = {"HUB_CALLBACKS_API_URL": url, "HUB_CALLBACKS_API_KEY": key, "HUB_CALLBACKS_WAIT_S": "0"}
    away = replace(machine, env=env)
    assert "Delivery goes on in the background." in away.train()
    assert away.status()["pending"] > 0
    with machine.start(*serve, "--port", url.rpartition(":")[2]) as hub:
        eventually(lambda: away.status()["pending"] == 0, timeout_s=120)
        headers = {wire.API_KEY_HEADER: key}
        (run,) = requests.get(url + wire.MODELS, headers=headers, timeout=30).json()["data"]["results"]
        assert (run["status"], run["run"]["lastEpoch"], run["run"]["state"]) == ("trained", 2, "finished")
        hub.terminate()


def test_training_stops_after_its_epoch_when_the_hub_is_asked_to(machine: Machine, eventually: Eventually) -> None:
    with machine.start(str(machine.python), "-c", machine.script(SLOW, epochs=200)) as process:
        (run,) = eventually(machine.runs_on_hub, timeout_s=60)
        machine.tell(wire.commands(run["id"]), {"command": "stop"})
        output = machine.ended(process, timeout_s=90)  # the next heartbeat is 30 s away
    assert "HUB: Stopping after this epoch" in output
    stopped = machine.delivered()
    assert stopped["state"] == "stopped"
    assert 1 <= stopped["epochs_acknowledged"] < 200
    assert machine.best_on_hub(run["id"]) == (machine.save_dir / "weights" / "best.pt").read_bytes()
