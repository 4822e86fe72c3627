"""A training with one large checkpoint, in a process that looks at its own memory, its courier's and its watch.

It prints one line of JSON: ``trainer_mb``, ``courier_mb`` and ``hub_mb``, their growth while a checkpoint was copied
and delivered; ``end_s``, what the end of the training took.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from hub_callbacks.callbacks.hub import callbacks
from hub_callbacks.courier.process import pid
from hub_callbacks.outbox import Outbox, OutboxFolder, RunStatus
from hub_callbacks.settings import Settings
from hub_callbacks.testing import StubTrainer
from memory import forget_peak, peak_mb

_POLL_S = 0.02
_TIMEOUT_S = 500.0
_ZIP = b"PK\x03\x04"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--last-bytes", type=int, default=0, help="size of a sparse last.pt, delivered before the end")
    parser.add_argument("--hub", type=int, default=0, help="the hub's process, whose memory is looked at, too")
    parser.add_argument("--best", type=Path, help="the final model; none when not given")
    parser.add_argument("--no-hub", dest="is_hub_alive", action="store_false", help="expect no delivery")
    given = parser.parse_args()
    trainer = StubTrainer(given.folder / "train", epochs=1, callbacks=callbacks)
    trainer.begin()
    trainer.tloss, trainer.fitness = {"box_loss": 1.0}, 0.5
    trainer.run_callbacks("on_train_epoch_end")
    trainer.run_callbacks("on_fit_epoch_end")
    if given.is_hub_alive:
        _wait(lambda run: run.pending == 0)  # until then, the courier is still starting
    said = _deliver(trainer, given.last_bytes, hub=given.hub) if given.last_bytes else {}
    if given.best:
        trainer.best.hardlink_to(given.best)
    began = time.perf_counter()
    trainer.run_callbacks("on_train_end")
    sys.stdout.write(json.dumps({**said, "end_s": time.perf_counter() - began}) + "\n")


def _deliver(trainer: StubTrainer, size_bytes: int, *, hub: int) -> dict[str, float]:
    """Save a checkpoint, wait until the hub has it, and see what that took."""
    with trainer.last.open("wb") as file:
        file.write(_ZIP)
        file.truncate(size_bytes)
    courier = pid(OutboxFolder.under(Settings.load().data_dir))
    assert courier is not None
    processes = {"trainer_mb": os.getpid(), "courier_mb": courier, "hub_mb": hub}
    before = {name: forget_peak(process) for name, process in processes.items()}
    trainer.run_callbacks("on_model_save")
    _wait(lambda run: run.checkpoints_acknowledged == 1)
    return {name: peak_mb(process) - before[name] for name, process in processes.items()}


def _wait(condition: Callable[[RunStatus], bool]) -> None:
    outbox = Outbox(OutboxFolder.under(Settings.load().data_dir))
    give_up_at = time.monotonic() + _TIMEOUT_S
    while not condition(outbox.runs.list()[0]):
        if time.monotonic() > give_up_at:
            raise TimeoutError(outbox.runs.list())
        time.sleep(_POLL_S)
    outbox.close()


if __name__ == "__main__":
    main()
