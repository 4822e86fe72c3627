"""What a training prints and how it ends, beside a hub that misbehaves: as without us, but for one warning at most."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from hub_callbacks.testing import FaultHub

TIMEOUT_S = 60.0
TRAINING = """
import logging, pathlib, sys
from hub_callbacks.callbacks.hub import callbacks
from hub_callbacks.testing import StubTrainer

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stdout)
trainer = StubTrainer(pathlib.Path(sys.argv[1]), epochs=3, callbacks=callbacks if sys.argv[2] == "with us" else {})
trainer.on_epoch = lambda trainer: print("epoch", trainer.epoch)
trainer.train()
print("trained")
"""
WITHOUT_US = ["epoch 0", "epoch 1", "epoch 2", "trained"]


def answering(status: int) -> Callable[[FaultHub], None]:
    return lambda hub: hub.answer(status)


STATUSES = (408, 425, 429, 500, 502, 503, 504, 400, 401, 403, 404, 413, 422)
SWITCHES: dict[str, Callable[[FaultHub], None]] = {
    **{str(status): answering(status) for status in STATUSES},
    "refused": FaultHub.refuse,
    "reset before the body": FaultHub.reset_before_body,
    "reset within the body": FaultHub.reset_within_body,
    "black hole": FaultHub.hang,
    "one byte a second": FaultHub.trickle,
    "truncated": FaultHub.truncate,
    "captive portal": FaultHub.capture,
    "wrong JSON": FaultHub.garble,
    "redirect": FaultHub.redirect,
}
SHORT = {"500", "401", "403", "refused", "black hole"}


@pytest.fixture
def hub() -> Iterator[FaultHub]:
    with FaultHub() as hub:
        yield hub


@pytest.fixture
def environ(tmp_path: Path, hub: FaultHub) -> Iterator[dict[str, str]]:
    """An environment whose courier, if there will be one, is killed in the end."""
    data_dir = tmp_path / "data"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_CALLBACKS_")}
    ours = {"DATA_DIR": str(data_dir), "API_URL": hub.url, "API_KEY": "a-key", "WAIT_S": "0.5"}
    yield kept | {f"HUB_CALLBACKS_{name}": value for name, value in ours.items()}
    for process in psutil.process_iter(["cmdline"]):  # also one that is only starting
        if any(str(data_dir) in word for word in process.info["cmdline"] or ()):
            process.kill()


def train(folder: Path, us: str, environ: dict[str, str]) -> list[str]:
    """The lines that a training prints."""
    command = [sys.executable, "-c", TRAINING, str(folder), us]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_training_without_us_is_as_we_think(tmp_path: Path, environ: dict[str, str]) -> None:
    assert train(tmp_path, "without us", environ) == WITHOUT_US


@pytest.mark.parametrize(
    "name", [name if name in SHORT else pytest.param(name, marks=pytest.mark.chaos) for name in SWITCHES]
)
def test_training_beside_a_fault_prints_one_warning_more_at_most(
    tmp_path: Path, hub: FaultHub, environ: dict[str, str], name: str
) -> None:
    SWITCHES[name](hub)
    lines = train(tmp_path / "train", "with us", environ)
    assert [line for line in lines if "HUB: " not in line] == WITHOUT_US
    assert len([line for line in lines if line.startswith(("WARNING", "ERROR"))]) <= 1
    assert lines[-1].startswith("INFO HUB: ") or lines[-1] == "trained"
