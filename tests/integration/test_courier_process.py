"""The courier's process: who stands down, and what a full disk does to it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from hub_callbacks.outbox import Hub, Outbox, OutboxFolder
from hub_callbacks.records import Metrics, RunFinished, RunStarted
from hub_callbacks.testing import FaultHub
from tests.integration.processes import eventually

TIMEOUT_S = 60.0
RUN = "r" * 20
COURIER = """
import sys
from hub_callbacks.courier import loop, process
loop.AFTER_ERROR_S = loop.LINGER_S = process._FULL_S = 0.2
process._LOCK_TIMEOUT_S = float(sys.argv.pop(1))
process.main()
"""


@pytest.fixture
def hub() -> Iterator[FaultHub]:
    with FaultHub() as hub:
        yield hub


@pytest.fixture
def folder(tmp_path: Path, hub: FaultHub) -> OutboxFolder:
    """An outbox with a run that has ended, and of which nothing is delivered."""
    folder = OutboxFolder(tmp_path / "outbox")
    outbox = Outbox(folder)
    record = RunStarted(name="train", epochs=1, started_at=0.0)
    outbox.runs.start(RUN, record, hub=Hub(api_url=hub.url), heartbeat_s=300)
    outbox.queue.put(RUN, Metrics(epoch=0, values={"loss": 1.0}, recorded_at=0.0), due_at=0)
    outbox.runs.finish(RUN, RunFinished(state="finished", finished_at=0.0))
    outbox.close()
    return folder


def courier(folder: OutboxFolder, *, lock_timeout_s: float = 2.0) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", COURIER, str(lock_timeout_s), "--outbox", str(folder.path)]
    arguments = ["--data-dir", str(folder.path.parent), "--port", "0"]
    return subprocess.Popen([*command, *arguments], env=os.environ, stderr=subprocess.PIPE)


def alter(folder: OutboxFolder, statement: str) -> None:
    with closing(sqlite3.connect(folder.database, timeout=TIMEOUT_S)) as database, database:
        database.execute(statement)


def test_second_courier_does_not_wait_for_the_first(folder: OutboxFolder, hub: FaultHub) -> None:
    with FileLock(folder.courier_turn), FileLock(folder.courier_lock):
        second = courier(folder, lock_timeout_s=100 * TIMEOUT_S)
        _, said = second.communicate(timeout=TIMEOUT_S)
    assert (second.returncode, said) == (0, b"")
    assert hub.requests == []


def test_courier_waits_for_who_only_looks_whether_there_is_one(folder: OutboxFolder, hub: FaultHub) -> None:
    with FileLock(folder.courier_lock):
        only = courier(folder, lock_timeout_s=TIMEOUT_S)
        eventually(folder.courier_turn.exists)
    _, said = only.communicate(timeout=TIMEOUT_S)
    assert (only.returncode, said) == (0, b"")
    assert hub.runs[RUN].rows == {0: {"loss": 1.0}}


@pytest.mark.parametrize(
    "event",
    [
        pytest.param("UPDATE ON items WHEN NEW.state = 'acked'", id="ack"),
        pytest.param("UPDATE ON items", id="everything"),
    ],
)
def test_what_a_full_disk_keeps_from_being_acknowledged_is_delivered_again(
    folder: OutboxFolder, hub: FaultHub, event: str
) -> None:
    full = f"CREATE TRIGGER full BEFORE {event} BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    alter(folder, full)
    process = courier(folder)
    eventually(lambda: "disk is full" in folder.courier_log.read_text() if folder.courier_log.exists() else False)
    alter(folder, "DROP TRIGGER full")
    _, said = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, said) == (0, b"")
    assert hub.runs[RUN].rows == {0: {"loss": 1.0}}
    outbox = Outbox(folder)
    assert (outbox.queue.pending(), outbox.runs.list()[0].buried) == (0, ())
    outbox.close()
    assert folder.courier_log.read_text().count("Traceback (most recent call last)") <= 4  # one line for each change
