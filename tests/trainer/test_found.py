"""A training that does not mention us is found, recorded and delivered whole, however it is started."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine


def test_script_is_delivered_whole(machine: Machine) -> None:
    output = machine.train()
    run_id = machine.assert_all_delivered()
    assert output.count("3/3 epochs, best.pt acknowledged") == 1
    assert run_id in output


def test_yolo_command_is_delivered_whole(machine: Machine) -> None:
    arguments = [f"{name}={value}" for name, value in machine.arguments(model="yolo11n.yaml").items()]
    machine.run(machine.command("yolo"), "train", *arguments)
    machine.assert_all_delivered()


def test_pytest_is_delivered_whole(machine: Machine) -> None:
    lines = machine.script().replace("\n", "\n    ")
    (machine.folder / "test_training.py").write_text(f"def test_training():\n    {lines}\n")
    machine.run(str(machine.python), "-m", "pytest", "-q", "test_training.py")
    machine.assert_all_delivered()


def test_interrupted_training_continues_its_run_when_it_is_resumed(machine: Machine) -> None:
    told = "model.add_callback('on_train_epoch_start', lambda trainer: print('EPOCH', trainer.epoch))"
    with machine.start(str(machine.python), "-c", machine.script(told, epochs=4)) as process:
        assert process.stdout is not None
        assert any(line.startswith("EPOCH 2") for line in process.stdout)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    interrupted = machine.delivered()
    assert (interrupted["state"], interrupted["epochs_acknowledged"]) == ("stopped", 2)
    last = Path(machine.save_dir / "weights" / "last.pt")
    machine.run(
        str(machine.python), "-c", f"from ultralytics import YOLO; YOLO({str(last)!r}).train(resume=True, device='cpu')"
    )
    assert machine.assert_all_delivered(epochs=4) == interrupted["id"]
