"""Writes every event that it is told of into the file ``$SPY_FILE``, one JSON object a line.

With ``SPY_RAISES`` set, every hook then raises.
"""

import json
import os
import threading
from pathlib import Path

from hub_callbacks import hookimpl


@hookimpl
def on_pretrain_routine_start(trainer):
    _write("on_pretrain_routine_start", trainer)


@hookimpl
def on_pretrain_routine_end(trainer):
    _write("on_pretrain_routine_end", trainer)


@hookimpl
def on_train_epoch_end(trainer):
    _write("on_train_epoch_end", trainer)


@hookimpl
def on_model_save(trainer):
    _write("on_model_save", trainer)


@hookimpl
def on_fit_epoch_end(trainer):
    _write("on_fit_epoch_end", trainer)


@hookimpl
def on_train_end(trainer):
    _write("on_train_end", trainer)


@hookimpl
def teardown(trainer, error):
    _write("teardown", trainer, error=repr(error) if error else None)


def _write(event, trainer, **more):
    line = {
        "event": event,
        "trainer": type(trainer).__name__,
        "epoch": getattr(trainer, "epoch", None),
        "pid": os.getpid(),
        "thread": threading.current_thread().name,
        **more,
    }
    with Path(os.environ["SPY_FILE"]).open("a") as file:
        file.write(json.dumps(line) + "\n")
    if "SPY_RAISES" in os.environ:
        raise RuntimeError(f"the spy was caught in {event}")
