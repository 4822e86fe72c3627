"""Trainings that fail leave no orphan run, or one that says what happened; the error stays the user's."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine

TELL = "model.add_callback('on_train_epoch_start', lambda trainer: print('EPOCH', trainer.epoch))"
OUT_OF_MEMORY = """
def fail(batch, *args):
    raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
def use_it_up(trainer):
    if trainer.epoch == {epoch}:
        trainer.model.loss = fail
model.add_callback("on_train_epoch_start", use_it_up)
"""


def test_wrong_data_set_leaves_no_run(machine: Machine) -> None:
    output = machine.train(returncode=1, data="nowhere.yaml")
    assert "nowhere.yaml" in output.splitlines()[-1]
    assert machine.status()["runs"] == []
    assert machine.processes() == []


def test_interrupted_training_says_so(machine: Machine) -> None:
    with machine.start(str(machine.python), "-c", machine.script(TELL)) as process:
        assert process.stdout is not None
        assert any(line.startswith("EPOCH 1") for line in process.stdout)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in output.splitlines()[-1]
    assert "epochs acknowledged" in output
    assert_ended(machine, state="stopped", reason="Interrupted.", epochs=1)


def test_training_that_runs_out_of_memory_says_so(machine: Machine) -> None:
    output = machine.train(OUT_OF_MEMORY.format(epoch=1), returncode=1)
    assert output.splitlines()[-1].startswith("RuntimeError: CUDA out of memory")
    reason = "RuntimeError: CUDA out of memory. Tried to allocate 20.00 GiB"
    assert_ended(machine, state="failed", reason=reason, epochs=1)


def test_training_that_runs_out_of_memory_at_once_says_so(machine: Machine) -> None:
    """In the first epoch Ultralytics tries again, three times, with smaller batches."""
    output = machine.train(OUT_OF_MEMORY.format(epoch=0), returncode=1)
    assert "retrying (3/3)" in output
    reason = "RuntimeError: CUDA out of memory. Tried to allocate 20.00 GiB"
    assert_ended(machine, state="failed", reason=reason, epochs=0)


def assert_ended(machine: Machine, *, state: str, reason: str, epochs: int) -> None:
    run = machine.delivered()
    assert (run["state"], run["epochs_recorded"], run["epochs_acknowledged"]) == (state, epochs, epochs)
    on_hub = machine.ask(wire.model(run["id"]))["run"]
    assert (on_hub["state"], on_hub["reason"]) == (state, reason)
    assert len(machine.rows_on_hub(run["id"])) == epochs


def test_name_of_no_file_is_said_in_a_line(machine: Machine) -> None:
    output = machine.run(machine.command("hub-callbacks"), "train", "nope.yaml", returncode=1)
    assert "There is no file 'nope.yaml' here" in output.splitlines()[-1]
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("argument", "says"),
    [("epochs=x", "'epochs=x' is of invalid type str"), ("epoch=3", "'epoch' is not a valid YOLO argument.")],
)
def test_argument_that_ultralytics_does_not_take_is_one_line(machine: Machine, argument: str, says: str) -> None:
    command = machine.command("hub-callbacks")
    output = machine.run(command, "train", machine.model, f"data={machine.data}", argument, returncode=2)
    *usage, line = [line for line in output.splitlines() if "Ultralytics Settings" not in line]
    assert line.startswith(f"Error: Ultralytics does not take this: {says}")
    assert [line.split()[0] for line in usage if line and not line.startswith(("Update", "View"))] == ["Usage:", "Try"]
