"""What a trainer's attributes say, as records: plain finite or non-finite floats, whatever the release.

The attributes, and from which event on they are there: `hub_callbacks.hookspecs.TrainerView`.
"""

from __future__ import annotations

import csv
import json
import platform
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hub_callbacks.callbacks import tuning
from hub_callbacks.hookspecs import TrainerView
from hub_callbacks.records import RunStarted

_MAP_KEYS = ("metrics/mAP50-95(M)", "metrics/mAP50-95(P)", "metrics/mAP50-95(B)")


def run_started(trainer: TrainerView) -> RunStarted:
    """What the run is, at the end of the pre-training routine."""
    args = vars(trainer.args)
    name, project = tuning.place(Path(trainer.save_dir).name, Path(str(args.get("project") or "")).name)
    return RunStarted(
        name=name,
        project=project,
        task=str(args.get("task") or ""),
        model=Path(str(args.get("model") or "")).name,
        dataset=str(args.get("data") or ""),
        epochs=int(trainer.epochs),
        start_epoch=int(getattr(trainer, "start_epoch", 0)),
        args=json.loads(json.dumps(args, default=str)),
        environment=_environment(trainer),
        started_at=time.time(),
    )


def epoch_row(trainer: TrainerView, *, is_validated: bool = True) -> dict[str, float]:
    """The epoch's row: training losses, validation metrics, learning rates; what is not a number is left out.

    Args:
        trainer: The trainer.
        is_validated: Whether its metrics are of this epoch, and belong into the row.
    """
    losses = trainer.label_loss_items(trainer.tloss, prefix="train") if trainer.tloss is not None else {}
    metrics = (trainer.metrics or {}) if is_validated else {}
    return plain({**losses, **metrics, **(getattr(trainer, "lr", None) or {})})


def results(trainer: TrainerView) -> dict[int, dict[str, float]]:
    """What Ultralytics itself has noted in results.csv: epoch, 0-based, to its row; nothing when there is no file."""
    try:
        with Path(trainer.csv).open(encoding="utf-8", newline="") as file:
            rows = [plain(row) for row in csv.DictReader(file, skipinitialspace=True)]
    except (OSError, AttributeError):
        return {}
    stripped = [{name.strip(): value for name, value in row.items()} for row in rows]
    noted = {int(row.pop("epoch")): row for row in stripped if "epoch" in row}
    first = 0 if max(noted, default=0) == trainer.epoch else 1  # 8.0.150 counts from 0, as trainers do
    return {epoch - first: row for epoch, row in noted.items()}


def model_info(trainer: TrainerView) -> dict[str, float]:
    """Size and cost of the network, as Ultralytics computes them for loggers: parameters, GFLOPs, speed."""
    utils = sys.modules.get("ultralytics.utils.torch_utils") or sys.modules.get("ultralytics.yolo.utils.torch_utils")
    info = getattr(utils, "model_info_for_loggers", None)
    return plain(info(trainer)) if info else {}


def final_map(trainer: TrainerView) -> float:
    """mAP50-95 of the best checkpoint; 0 for tasks without it."""
    metrics = plain(trainer.metrics or {})
    return next((metrics[key] for key in reversed(_MAP_KEYS) if key in metrics), 0.0)


def is_best(trainer: TrainerView) -> bool:
    """Whether the epoch that was just saved is the best so far."""
    return bool(trainer.fitness is not None and trainer.best_fitness == trainer.fitness)


def plain(values: Mapping[str, Any]) -> dict[str, float]:
    """The values that are one number each (Python's, NumPy's, torch's) as floats; the others are left out."""
    numbers: dict[str, float] = {}
    for name, value in values.items():  # a loop: a generator would cost half as much again
        number = value if type(value) is float else _number(value)
        if number is not None:
            numbers[str(name)] = number
    return numbers


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):  # torch raises RuntimeError for more than one element
        return None


def _environment(trainer: TrainerView) -> dict[str, str]:
    return {
        "ultralytics": _version("ultralytics"),
        "torch": _version("torch"),
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "host": platform.node(),
        "device": str(getattr(trainer, "device", "")),
    }


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
