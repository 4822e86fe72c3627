"""A training on two devices is one run, told by rank 0, whether its child makes the trainer anew or unpickles it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.trainer.conftest import Eventually, Machine
    from tests.trainer.team import Team

DEVICES: dict[str, Any] = {"device": "0,1", "amp": False}
MINE = """
import os
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils import DEFAULT_CFG
from ultralytics.utils.callbacks import get_default_callbacks
EVENTS = ("on_pretrain_routine_end", "on_train_start", "on_train_epoch_end", "on_fit_epoch_end", "on_model_save",
          "on_train_end", "teardown")
def hang_on(callbacks, who):
    def mine(event):
        return lambda trainer: print(f"MINE of {who} in {os.environ.get('RANK', 'parent')}: {event}.", flush=True)
    for event in EVENTS:
        callbacks[event].append(mine(event))
class OwnTrainer(DetectionTrainer):
    def __init__(self, cfg=DEFAULT_CFG, overrides=None, _callbacks=None):
        callbacks = _callbacks or get_default_callbacks()
        hang_on(callbacks, "OwnTrainer")
        super().__init__(cfg, overrides, callbacks)
"""
CALLBACKS = {("OwnTrainer", "0"), ("OwnTrainer", "1")}
OF_MODEL = {("YOLO", "0"), ("YOLO", "1")}


def train_with_callbacks(machine: Machine) -> dict[tuple[str, str], list[str]]:
    """Train with callbacks of a model and of a trainer class; what each said in each process, in order."""
    (machine.folder / "mine.py").write_text(MINE)
    machine = replace(machine, env={**machine.env, "PYTHONPATH": f"{machine.folder}:{machine.env['PYTHONPATH']}"})
    lines = ["from functools import partial", "import mine", "mine.hang_on(model.callbacks, 'YOLO')"]
    output = machine.train(*lines, "model.train = partial(model.train, trainer=mine.OwnTrainer)", **DEVICES)
    said: dict[tuple[str, str], list[str]] = {}
    for who, process, event in re.findall(r"MINE of (\w+) in (\w+): (\w+)\.", output):
        said.setdefault((who, process), []).append(event)
    return said


def test_two_processes_are_one_run(two_devices: Machine) -> None:
    output = two_devices.train(**DEVICES)
    two_devices.assert_all_delivered()
    pages = re.findall(r"HUB: View this run at (\S+/models/(\w+))", output)  # again when the hub has found its port
    assert len({run for _, run in pages}) == 1
    assert len(set(pages)) == len(pages)
    assert output.count("3/3 epochs, best.pt acknowledged") == 1


@pytest.mark.parametrize("release", ["8.4.114", "newest"])
def test_callbacks_of_a_script_are_called_as_without_us(two_devices: Machine, keeps_callbacks_in_ddp: bool) -> None:
    with_us = train_with_callbacks(two_devices)
    two_devices.assert_all_delivered()
    without = train_with_callbacks(replace(two_devices, env={**two_devices.env, "HUB_CALLBACKS_DISABLE": "1"}))
    assert with_us == without
    assert set(with_us) == CALLBACKS | (OF_MODEL if keeps_callbacks_in_ddp else set())
    assert all(events.count("on_train_epoch_end") >= 3 for events in with_us.values())


@pytest.mark.parametrize("release", ["8.4.114", "newest"])
def test_model_of_the_hub_stays_that_model(team: Team, two_devices: Machine) -> None:
    page, machine = team.new_model(epochs=2, device=DEVICES["device"]), team.machine(two_devices, "a")
    output = team.start(machine, page, amp=DEVICES["amp"])
    assert output.count(f"HUB: View this run at {page}") == 1
    team.assert_trained(machine, page)


def test_stop_ends_both_processes_when_the_second_is_late(two_devices: Machine, eventually: Eventually) -> None:
    machine = replace(two_devices, env={**two_devices.env, "SECOND_LATE_S": "1"})
    with machine.start(str(machine.python), "-c", machine.script(epochs=500, **DEVICES)) as process:
        runs = eventually(lambda: machine.runs_on_hub() or process.poll() is not None, timeout_s=300)
        if runs is not True:  # else it has failed
            machine.tell(wire.commands(runs[0]["id"]), {"command": "stop"})
        output = machine.ended(process, timeout_s=300)
    assert output.count("HUB: Stopping after this epoch") == 1
    stopped = machine.delivered()
    assert stopped["state"] == "stopped"
    assert 1 <= stopped["epochs_acknowledged"] < 500
