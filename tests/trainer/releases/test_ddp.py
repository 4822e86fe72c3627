"""A training on two devices is one run, told by rank 0, whether its child makes the trainer anew or unpickles it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.trainer.conftest import Eventually, Machine

DEVICES: dict[str, Any] = {"device": "0,1", "amp": False}
MINE = """
import os
tell = lambda trainer: print(f"MINE {os.environ['RANK']}:{trainer.epoch}.", flush=True)
model.add_callback("on_train_epoch_end", tell)
"""
EVERY_EPOCH_ON_BOTH = {(rank, epoch) for rank in "01" for epoch in "012"}


def test_two_processes_are_one_run(two_devices: Machine, keeps_callbacks_in_ddp: bool) -> None:
    output = two_devices.train(MINE, **DEVICES)
    two_devices.assert_all_delivered()
    assert output.count("HUB: View this run at") == 1
    assert output.count("3/3 epochs, best.pt acknowledged") == 1
    mine = re.findall(r"MINE (\d):(\d)\.", output)
    assert sorted(mine) == sorted(EVERY_EPOCH_ON_BOTH if keeps_callbacks_in_ddp else ())


def test_stop_ends_both_processes(two_devices: Machine, eventually: Eventually) -> None:
    machine = replace(two_devices, env={**two_devices.env, "HUB_CALLBACKS_HEARTBEAT_S": "1"})
    with machine.start(str(machine.python), "-c", machine.script(epochs=500, **DEVICES)) as process:
        (run,) = eventually(machine.runs_on_hub, timeout_s=120)
        machine.tell(wire.commands(run["id"]), {"command": "stop"})
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert output.count("HUB: Stopping after this epoch") == 1
    stopped = machine.delivered()
    assert stopped["state"] == "stopped"
    assert 1 <= stopped["epochs_acknowledged"] < 500
