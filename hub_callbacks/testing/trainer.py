"""A trainer without Ultralytics.

`StubTrainer` has the attributes of `hub_callbacks.hookspecs.TrainerView` and fires the events in the order in which
Ultralytics fires them, with values that look like a training's.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hub_callbacks.testing.pictures import validator, write_pictures

METRICS = ("metrics/precision(B)", "metrics/recall(B)", "metrics/mAP50(B)", "metrics/mAP50-95(B)")
LOSSES = ("box_loss", "cls_loss", "dfl_loss")


class StubTrainer:
    """A trainer that trains nothing: `train` fires every event and writes real checkpoint files.

    Attributes:
        callbacks: Event name to the functions that are called with the trainer.
        checkpoint_bytes: Size of the checkpoints' payload.
        on_epoch: Called with the trainer at the start of every epoch: the place to change values or to raise.
    """

    def __init__(
        self,
        save_dir: Path,
        *,
        epochs: int = 3,
        callbacks: Mapping[str, Callable[..., None]] | None = None,
        checkpoint_bytes: int = 1000,
        **args: Any,
    ) -> None:
        """Make a trainer that keeps its files in ``save_dir``.

        Args:
            save_dir: The run's folder; made when missing.
            epochs: Number of epochs.
            callbacks: Event name to one function, as a plugin's ``callbacks`` dictionary.
            checkpoint_bytes: Size of the checkpoints' payload.
            **args: More training arguments, for `args`; ``val=False`` and ``save=False``
                are heeded. With ``plots=True`` it writes the pictures of
                `hub_callbacks.testing.pictures` after the last epoch.
        """
        self.save_dir = save_dir
        self.wdir = save_dir / "weights"
        self.wdir.mkdir(parents=True, exist_ok=True)
        self.last, self.best = self.wdir / "last.pt", self.wdir / "best.pt"
        self.csv = save_dir / "results.csv"
        self.args = SimpleNamespace(
            model="yolo11n.yaml", data="coco8.yaml", task="detect", epochs=epochs, save_dir=str(save_dir), **args
        )
        self.callbacks: dict[str, list[Callable[..., None]]] = defaultdict(list)
        for event, function in (callbacks or {}).items():
            self.callbacks[event].append(function)
        self.checkpoint_bytes = checkpoint_bytes
        self.on_epoch: Callable[[StubTrainer], None] | None = None
        self.epochs = epochs
        self.start_epoch = 0
        self.resume = False
        self.device = "cpu"
        self.plots: dict[Path, Any] = {}
        self.validator: Any = None
        self.model: Any = None
        self.data: Mapping[str, Any] | None = None
        self.tloss: Any = None
        self.metrics: dict[str, Any] | None = None
        self.lr: dict[str, float] = {}
        self.epoch = 0
        self.fitness: float | None = None
        self.best_fitness: float | None = None
        self.epoch_time: float | None = None
        self.stop = False

    def run_callbacks(self, event: str) -> None:
        """Call the event's functions; like Ultralytics, without catching what they raise."""
        for callback in self.callbacks[event]:
            callback(self)

    def train(self) -> None:
        """Fire the events of a whole training."""
        self.begin()
        for epoch in range(self.start_epoch, self.epochs):
            self.run_epoch(epoch)
            if self.stop:
                break
        self.end()

    def begin(self) -> None:
        """Fire the events before the first epoch."""
        self.run_callbacks("on_pretrain_routine_start")
        self.metrics = dict.fromkeys((*METRICS, *(f"val/{name}" for name in LOSSES)), 0)
        self.best_fitness = 0.0
        self.run_callbacks("on_pretrain_routine_end")

    def run_epoch(self, epoch: int) -> None:
        """Fire one epoch's events, and write its checkpoint in place as Ultralytics does."""
        self.epoch = epoch
        progress = (epoch + 1) / self.epochs
        self.tloss = dict.fromkeys(LOSSES, 2.0 - progress)
        self.lr = {"lr/pg0": 0.01 * (1.0 - progress)}
        if self.on_epoch:
            self.on_epoch(self)
        self.run_callbacks("on_train_epoch_end")
        is_last = epoch + 1 >= self.epochs or self.stop
        if is_last or getattr(self.args, "val", True):
            self.validate(progress)
        self.write_results()
        if is_last or getattr(self.args, "save", True):
            self.write_checkpoint(self.last)
            if self.best_fitness == self.fitness:
                self.write_checkpoint(self.best)
            self.run_callbacks("on_model_save")
        self.epoch_time = 1.0
        self.run_callbacks("on_fit_epoch_end")

    def validate(self, progress: float) -> None:
        """Take metrics that look like those of a training that has come so far, from 0 to 1."""
        self.metrics = {**dict.fromkeys(METRICS, 0.9 * progress), **{f"val/{name}": 2.1 - progress for name in LOSSES}}
        self.fitness = 0.9 * progress
        self.best_fitness = max(self.best_fitness or 0.0, self.fitness)

    def end(self) -> None:
        """Fire the events after the last epoch."""
        self.metrics = dict.fromkeys(METRICS, 0.91)
        self.epoch += 1  # ultralytics 8.4.100 and later
        self.run_callbacks("on_fit_epoch_end")
        self.epoch -= 1
        if getattr(self.args, "plots", False):
            write_pictures(self.save_dir)
            self.validator = validator()
        self.run_callbacks("on_train_end")

    def label_loss_items(self, loss_items: Mapping[str, float], prefix: str = "train") -> dict[str, float]:
        """The losses by their labels."""
        return {f"{prefix}/{name}": round(value, 5) for name, value in loss_items.items()}

    def write_results(self) -> None:
        """Append the epoch to results.csv; its epochs count from 1."""
        values = {**self.label_loss_items(self.tloss), **(self.metrics or {}), **self.lr}
        row = {"epoch": self.epoch + 1, **{name: value for name, value in values.items() if isinstance(value, float)}}
        header = "" if self.csv.exists() else ",".join(row) + "\n"
        with self.csv.open("a", encoding="utf-8") as file:
            file.write(header + ",".join(f"{value:.6g}" for value in row.values()) + "\n")

    def write_checkpoint(self, path: Path) -> None:
        """Write a checkpoint as torch does, a zip file, in place; its bytes differ from epoch to epoch."""
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", f"epoch {self.epoch}".encode().ljust(self.checkpoint_bytes, b"."))
