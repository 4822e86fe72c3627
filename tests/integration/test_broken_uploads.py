"""Uploads that break off go on where they broke, whoever was killed: at most one chunk is sent twice."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hub_callbacks import wire
from hub_callbacks.courier.process import pid
from hub_callbacks.outbox import OutboxFolder
from tests.integration.processes import eventually, kill

if TYPE_CHECKING:
    from tests.integration.conftest import Line

TIMEOUT_S = 120.0
SIZE_BYTES = 6 * wire.TUS_CHUNK_BYTES
OVERHEAD_BYTES = 200_000  # headers, rows, heartbeats
TRAINING = """
import pathlib, sys
from hub_callbacks.callbacks.hub import callbacks
from hub_callbacks.testing import StubTrainer
StubTrainer(pathlib.Path(sys.argv[1]), epochs=1, callbacks=callbacks, checkpoint_bytes=int(sys.argv[2])).train()
"""


@pytest.fixture
def hub(start_hub: Callable[[Path], Any], tmp_path: Path) -> Any:
    return start_hub(tmp_path / "hub")


@pytest.fixture
def line(hub: Any, create_line: Callable[..., Line]) -> Line:
    return create_line(hub)


@pytest.fixture
def machine(line: Line, hub: Any, tmp_path: Path) -> Iterator[Path]:
    """The data folder of a machine on which a training with a big checkpoint has just ended."""
    environ = {
        **os.environ,
        "HUB_CALLBACKS_DATA_DIR": str(tmp_path / "data"),
        "HUB_CALLBACKS_API_URL": line.url,
        "HUB_CALLBACKS_API_KEY": hub.key,
        "HUB_CALLBACKS_WAIT_S": "0",
    }
    command = [sys.executable, "-c", TRAINING, str(tmp_path / "runs"), str(SIZE_BYTES)]
    line.cut_at_bytes = int(0.9 * SIZE_BYTES)
    subprocess.run(command, env=environ, timeout=TIMEOUT_S, check=True)
    yield tmp_path / "data"
    for _ in range(2):  # a second one may have waited for the first to end
        kill(pid(OutboxFolder.under(tmp_path / "data")))


def stored(hub: Any) -> list[dict[str, Any]]:
    models = hub.ask("GET", wire.MODELS)["results"]
    return [checkpoint for model in models for checkpoint in hub.ask("GET", wire.checkpoints(model["id"]))]


def sync(data_dir: Path, hub: Any, line: Line) -> subprocess.CompletedProcess[str]:
    environ = {
        **os.environ,
        "HUB_CALLBACKS_DATA_DIR": str(data_dir),
        "HUB_CALLBACKS_API_URL": line.url,
        "HUB_CALLBACKS_API_KEY": hub.key,
    }
    command = [sys.executable, "-c", "from hub_callbacks.cli import main; main()", "sync", "--wait", "100"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def assert_whole(hub: Any, line: Line, runs: Path) -> None:
    (checkpoint,) = stored(hub)
    assert checkpoint["sha256"] == hashlib.sha256((runs / "weights" / "best.pt").read_bytes()).hexdigest()
    assert line.sent_bytes <= SIZE_BYTES + wire.TUS_CHUNK_BYTES + OVERHEAD_BYTES


def test_line_cut_at_90_percent_costs_at_most_a_chunk(machine: Path, hub: Any, line: Line, tmp_path: Path) -> None:
    eventually(lambda: line.cut_at_bytes is None, timeout_s=TIMEOUT_S)
    assert sync(machine, hub, line).returncode == 0
    assert_whole(hub, line, tmp_path / "runs")


def test_killed_courier_costs_at_most_a_chunk(machine: Path, hub: Any, line: Line, tmp_path: Path) -> None:
    line.cut_at_bytes = None
    eventually(lambda: line.sent_bytes > SIZE_BYTES // 2, timeout_s=TIMEOUT_S)
    kill(pid(OutboxFolder.under(machine)))
    assert sync(machine, hub, line).returncode == 0
    assert_whole(hub, line, tmp_path / "runs")


def test_killed_hub_costs_at_most_a_chunk(machine: Path, hub: Any, line: Line, tmp_path: Path) -> None:
    line.cut_at_bytes = None
    eventually(lambda: line.sent_bytes > SIZE_BYTES // 2, timeout_s=TIMEOUT_S)
    hub.process.kill()
    hub.process.wait()
    port = hub.url.rpartition(":")[2]
    command = [sys.executable, "-m", "hub_callbacks.server", "--data-dir", str(hub.data_dir), "--port", port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as again:
        try:
            assert again.stdout is not None
            assert hub.url in again.stdout.readline()
            synced = sync(machine, hub, line)
            assert synced.returncode == 0, synced.stdout
            assert_whole(hub, line, tmp_path / "runs")
        finally:
            again.terminate()
