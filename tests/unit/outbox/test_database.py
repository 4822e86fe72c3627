from __future__ import annotations

import contextlib
import itertools
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hub_callbacks.errors import OutboxDamagedError, OutboxError
from hub_callbacks.outbox import Hub, Outbox, OutboxFolder
from hub_callbacks.outbox.schema import MIGRATIONS
from hub_callbacks.records import to_json
from tests.unit.outbox.items import RUN, STARTED, lease, metrics


def test_row_survives_kill_9_right_after_put(outbox: Outbox, tmp_path: Path) -> None:
    outbox.runs.start(RUN, STARTED, hub=Hub(), heartbeat_s=300)
    program = (
        "import os, pathlib, sys\n"
        "from hub_callbacks.outbox import Outbox, OutboxFolder\n"
        "from hub_callbacks.records import Metrics\n"
        "outbox = Outbox(OutboxFolder(pathlib.Path(sys.argv[1])))\n"
        "outbox.queue.put(sys.argv[2], Metrics(epoch=7, values={}, recorded_at=0), due_at=0)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, outbox.folder.path, RUN], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert outbox.runs.list()[0].epochs_recorded == 1


def test_outbox_is_for_its_user_alone(outbox: Outbox) -> None:
    assert outbox.folder.database.stat().st_mode & 0o077 == 0
    assert outbox.folder.path.stat().st_mode & 0o077 == 0


def test_outbox_of_a_newer_version_is_refused(outbox: Outbox) -> None:
    outbox._database.execute("PRAGMA user_version = 99")
    with pytest.raises(OutboxError, match="newer"):
        Outbox(outbox.folder)


def test_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(OutboxError, match="data"):
        Outbox(OutboxFolder(tmp_path / "data"))


@pytest.mark.parametrize("damage", [b"not a database at all" * 300, b""])
def test_damaged_outbox_is_set_aside_and_recording_goes_on(
    created: Outbox, folder: OutboxFolder, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    created.close()
    folder.database.write_bytes(damage)
    again = Outbox(folder)
    again.runs.start(RUN, STARTED, hub=Hub(), heartbeat_s=300)
    assert again.queue.pending() == 1
    again.close()
    if damage:
        (aside,) = folder.path.glob("outbox.db.damaged-*")
        assert aside.read_bytes() == damage
        assert str(aside) in caplog.text


def test_outbox_notices_that_it_was_set_aside_by_another(created: Outbox, folder: OutboxFolder) -> None:
    assert created.is_current()
    Outbox(folder).set_aside(OutboxDamagedError("malformed"))
    assert not created.is_current()


def test_outbox_of_version_2_is_brought_up_to_date_with_its_items(folder: OutboxFolder) -> None:
    folder.path.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(folder.database)) as old, old:
        for statement in itertools.chain(*MIGRATIONS[:2]):
            old.execute(statement)
        old.execute("INSERT INTO hubs (id, api_url, web_url, api_key) VALUES (1, '', '', '')")
        old.execute("INSERT INTO runs VALUES (?, 1, ?, 'train', 'running', 3, 300, NULL, 0, '')", (RUN, RUN))
        values = [(4, RUN, to_json(metrics(0)), "queued"), (9, RUN, "", "acked")]
        put = "INSERT INTO items (id, run_id, kind, epoch, body, state, due_at) VALUES (?, ?, 'metrics', 0, ?, ?, 0)"
        old.executemany(put, values)
        old.execute("PRAGMA user_version = 2")
    outbox = Outbox(folder)
    outbox.queue.put(RUN, metrics(1), due_at=0)
    assert [(item.id, item.record) for item in lease(outbox)] == [(4, metrics(0)), (10, metrics(1))]
    assert outbox.runs.list()[0].epochs_recorded == 2
    outbox.close()


def test_row_writes_two_pages(created: Outbox) -> None:
    wal = created.folder.database.with_name("outbox.db-wal")
    created.queue.put(RUN, metrics(0), due_at=0)
    before = wal.stat().st_size
    created.queue.put(RUN, metrics(1), due_at=0)
    assert wal.stat().st_size - before == 2 * (24 + 4096)


def test_trainer_does_not_begin_the_wal_anew_after_a_checkpoint(created: Outbox, folder: OutboxFolder) -> None:
    """Who begins it syncs its header (bytes 12 to 16 count how often: sqlite.org/fileformat2.html, 4.1)."""
    courier = Outbox(folder)
    created.queue.put(RUN, metrics(0), due_at=0)
    courier.checkpoint()
    header = folder.database.with_name("outbox.db-wal").read_bytes()[:32]
    created.queue.put(RUN, metrics(1), due_at=0)
    assert folder.database.with_name("outbox.db-wal").read_bytes()[:32] == header
    courier.close()


def test_checkpoint_leaves_an_outbox_alone_that_nobody_has_written_to(created: Outbox, folder: OutboxFolder) -> None:
    courier = Outbox(folder)
    courier.checkpoint()
    before = folder.database.with_name("outbox.db-wal").read_bytes()
    courier.checkpoint()
    assert folder.database.with_name("outbox.db-wal").read_bytes() == before
    courier.close()
