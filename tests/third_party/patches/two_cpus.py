"""Lets Ultralytics train on two CPU processes over gloo when it is asked for the GPUs 0 and 1, in any release.

Everything else is real: the parent, its launcher `torch.distributed.run`, the file that it writes for its children, and
what they exchange. Train with ``amp=False``, whose check runs a prediction on the device.

With ``SECOND_LATE_S``, the second process comes so many seconds late to the end of each epoch, where they agree on
whether it was the last: what must hold when one is slower than the other, and a training that leaves time to others.
"""

from __future__ import annotations

import importlib
import os
import time
from typing import Any

import torch
import torch.distributed
from torch.nn.parallel import DistributedDataParallel

DEVICES = "0,1"
CPU = torch.device("cpu")


class _Wrapper(DistributedDataParallel):
    def __init__(self, module: Any, device_ids: Any = None, **kwargs: Any) -> None:
        super().__init__(module, **kwargs)


def patch() -> None:
    """Replace the device selection, the process group, the DDP wrapper and the barrier."""
    trainer, validator = _engine("trainer"), _engine("validator")
    trainer.select_device = validator.select_device = _select_device
    trainer.BaseTrainer._setup_ddp = _setup_ddp
    if os.environ.get("RANK") == "1":
        trainer.BaseTrainer.run_callbacks = _late(trainer.BaseTrainer.run_callbacks)
    validator.AutoBackend = _on_cpu(validator.AutoBackend)
    torch.nn.parallel.DistributedDataParallel = _Wrapper
    if hasattr(trainer, "DDP"):  # 8.0.100
        trainer.DDP = _Wrapper
    torch.distributed.barrier = _without_device_ids(torch.distributed.barrier)
    torch.cuda.current_device, torch.cuda.device_count = (lambda: 0), (lambda: len(DEVICES.split(",")))


def _engine(name: str) -> Any:
    try:
        return importlib.import_module(f"ultralytics.engine.{name}")
    except ModuleNotFoundError:
        return importlib.import_module(f"ultralytics.yolo.engine.{name}")


def _select_device(device: Any = "", *args: Any, **kwargs: Any) -> torch.device:
    if str(device) != DEVICES:
        return CPU
    os.environ["CUDA_VISIBLE_DEVICES"] = DEVICES  # up to 8.4.100 read again as the device's name
    return torch.device("cuda:0")


def _setup_ddp(self: Any, *args: Any) -> None:
    self.device = CPU
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    torch.distributed.init_process_group("gloo", rank=rank, world_size=world_size)


def _late(run_callbacks: Any) -> Any:
    def run(self: Any, event: str) -> None:
        if event == "on_fit_epoch_end":
            time.sleep(float(os.environ.get("SECOND_LATE_S", "0")))
        run_callbacks(self, event)

    return run


def _on_cpu(backend: Any) -> Any:
    def make(*args: Any, **kwargs: Any) -> Any:
        return backend(*args, **kwargs | {"device": CPU})

    return make


def _without_device_ids(barrier: Any) -> Any:
    def wait(*args: Any, device_ids: Any = None, **kwargs: Any) -> Any:
        return barrier(*args, **kwargs)

    return wait
