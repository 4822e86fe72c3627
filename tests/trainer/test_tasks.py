"""Every task and way of training, for real: each a run of its own, with the rows that Ultralytics has written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hub_callbacks import wire
from hub_callbacks.cli.demo import CLASSES

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine, Rows

BEFORE = """
import threading
import numpy
import torch
from ultralytics import RTDETR, YOLO
from ultralytics.models.yolo.detect import DetectionTrainer

class MyLoop(DetectionTrainer):
    pass

def be_hard_to_please(trainer):
    trainer.stopper.best_fitness = 1.0

def add_scalars(trainer):
    trainer.lr["lr/of_numpy"], trainer.lr["lr/of_torch"] = numpy.float32(0.25), torch.tensor(0.5)
"""


def classify(data: Path, folder: Path) -> Path:
    """The drawings as a data set for classification: by the class of their first object."""
    for split in ("train", "val"):
        for label in (data.parent / "labels" / split).glob("*.txt"):
            target = folder / "classify" / split / CLASSES[int(label.read_text().split()[0])]
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(data.parent / "images" / split / f"{label.stem}.png", target)
    return folder / "classify"


def relabel(data: Path, folder: Path, task: str, **yaml: Any) -> Path:
    """The drawings with labels for another task: their boxes' corners, or points in them."""
    shutil.copytree(data.parent / "images", folder / task / "images")
    for label in data.parent.glob("labels/*/*.txt"):
        target = folder / task / "labels" / label.parent.name / label.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("\n".join(_relabelled(line, task) for line in label.read_text().splitlines()))
    more = "".join(f"{name}: {value}\n" for name, value in yaml.items())
    text = data.read_text().replace(str(data.parent), str(folder / task))
    (folder / task / "dataset.yaml").write_text(text + more)
    return folder / task / "dataset.yaml"


def _relabelled(line: str, task: str) -> str:
    kind, *box = line.split()
    x, y, width, height = map(float, box)
    left, top, right, bottom = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if task == "pose":
        return " ".join([kind, *box, f"{left:.6f} {top:.6f} 2 {right:.6f} {bottom:.6f} 2"])
    corners = (left, top, right, top, right, bottom, left, bottom)
    return " ".join([kind, *(f"{value:.6f}" for value in corners)])


@pytest.fixture
def trained(machine: Machine, data: Path) -> dict[str, tuple[dict[str, Any], Rows, Rows]]:
    """One process after all these trainings: each run by its name, with its rows on the hub and on the disk."""
    folder = machine.folder
    tasks = {
        "classify": ("yolo11n-cls.yaml", classify(data, folder)),
        "segment": ("yolo11n-seg.yaml", relabel(data, folder, "segment")),
        "pose": ("yolo11n-pose.yaml", relabel(data, folder, "pose", kpt_shape=[2, 3])),
        "obb": ("yolo11n-obb.yaml", relabel(data, folder, "obb")),
    }
    lines = [
        machine.training(f"YOLO({model!r})", task, data=str(path), epochs=2) for task, (model, path) in tasks.items()
    ]
    detect = "YOLO('yolo11n.yaml')"
    in_thread = machine.training(detect, "thread", "trainer=MyLoop", epochs=2)
    lines += [
        machine.training("RTDETR('rtdetr-l.yaml')", "rtdetr", epochs=1, batch=4),
        "model = YOLO('yolo11n.yaml')",
        "model.add_callback('on_train_epoch_end', add_scalars)",
        f"thread = threading.Thread(target=lambda: {in_thread.replace(detect, 'model')})",
        "thread.start(); thread.join()",
        f"model = {detect}",
        "model.add_callback('on_train_start', be_hard_to_please)",
        machine.training("model", "early", epochs=9, patience=1),
        machine.training(detect, "unvalidated", epochs=3, val=False),
        machine.training(detect, "unsaved", epochs=2, save=False),
        machine.training(detect, "timed", epochs=100, time=0.0005),
    ]
    machine.run(str(machine.python), "-c", "\n".join([BEFORE, *lines]), timeout_s=1200.0)  # ten trainings
    machine.run(machine.command("hub-callbacks"), "sync", "--wait", "60")
    runs = {run["name"]: run for run in machine.status()["runs"]}
    place = machine.save_dir.parent
    return {
        name: (run, machine.rows_on_hub(run["id"]), machine.rows_on_disk(place / name)) for name, run in runs.items()
    }


METRICS = {
    "classify": "metrics/accuracy_top1",
    "segment": "metrics/mAP50-95(M)",
    "pose": "metrics/mAP50-95(P)",
    "obb": "metrics/mAP50-95(B)",
    "rtdetr": "train/giou_loss",
    "thread": "train/dfl_loss",
}


def test_every_way_to_train_is_recorded_rightly(trained: Any, machine: Machine) -> None:
    assert set(trained) == {*METRICS, "early", "unvalidated", "unsaved", "timed"}
    for name, (run, on_hub, on_disk) in trained.items():
        assert (run["state"], run["left"], run["epochs_acknowledged"]) == ("finished", [], len(on_disk)), name
        assert sorted(on_hub) == sorted(on_disk) == list(range(len(on_disk))), name
        weights = machine.save_dir.parent / name / "weights" / "best.pt"
        assert machine.best_on_hub(run["id"]) == weights.read_bytes(), name
        for epoch, row in on_hub.items():
            shared = {key: row[key] for key in row.keys() & on_disk[epoch].keys() if name != "unvalidated"}
            assert shared == pytest.approx({key: on_disk[epoch][key] for key in shared}, rel=1e-3, abs=1e-5), name
    for name, metric in METRICS.items():
        assert metric in trained[name][1][0], name

    (_, thread, _) = trained["thread"]
    assert (thread[0]["lr/of_numpy"], thread[0]["lr/of_torch"]) == (0.25, 0.5)
    assert 1 <= len(trained["early"][1]) < 9
    validated = ["metrics/mAP50-95(B)" in row for _, row in sorted(trained["unvalidated"][1].items())]
    assert validated == [False, False, True]
    (timed, rows, _) = trained["timed"]
    assert machine.ask(wire.model(timed["id"]))["run"]["epochs"] == len(rows) < 100
