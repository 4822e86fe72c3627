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
from hub_callbacks.outbox import Hub, Item, Outbox, OutboxFolder
from hub_callbacks.outbox.filesystem import is_on_network
from hub_callbacks.outbox.schema import MIGRATIONS
from hub_callbacks.records import Checkpoint, Metrics, RunFinished, RunStarted, to_json

RUN = "r" * 20
STARTED = RunStarted(name="train", epochs=3, started_at=0.0)


def metrics(epoch: int) -> Metrics:
    return Metrics(epoch=epoch, values={"loss": 1.0}, recorded_at=0.0)


def checkpoint(epoch: int, *, is_final: bool = False) -> Checkpoint:
    return Checkpoint(epoch=epoch, filename="last.pt", size_bytes=100, is_final=is_final, recorded_at=0.0)


def lease(outbox: Outbox, *, now: float = 1.0, files: bool = False, limit: int = 100) -> list[Item]:
    return outbox.queue.lease(files=files, limit=limit, now=now, lease_s=60)


@pytest.fixture
def created(outbox: Outbox) -> Outbox:
    """An outbox with one run that the hub knows."""
    outbox.runs.start(RUN, STARTED, hub=Hub(), heartbeat_s=300)
    outbox.queue.ack([item.id for item in lease(outbox)])
    outbox.runs.set_remote_id(RUN, RUN)
    return outbox


def test_only_the_creation_is_leased_before_the_hub_knows_the_run(outbox: Outbox) -> None:
    outbox.runs.start(RUN, STARTED, hub=Hub(), heartbeat_s=300)
    outbox.queue.put(RUN, metrics(0), due_at=0)
    (creation,) = lease(outbox)
    assert creation.record == STARTED
    outbox.runs.set_remote_id(RUN, "other")
    outbox.queue.ack([creation.id])
    (row,) = lease(outbox)
    assert (row.record, row.remote_id, row.attempts) == (metrics(0), "other", 1)


def test_item_is_leased_when_due_and_not_before(created: Outbox) -> None:
    created.queue.put(RUN, metrics(0), due_at=10)
    assert lease(created, now=9.9) == []
    assert len(lease(created, now=10)) == 1


def test_make_due_hastens_what_was_never_tried(created: Outbox) -> None:
    created.queue.put(RUN, metrics(0), due_at=10)
    created.queue.make_due(RUN, 1.0)
    (item,) = lease(created)
    created.queue.retry([item.id], due_at=10, reason="503")
    created.queue.make_due(RUN, 1.0)
    assert lease(created) == []


def test_leased_item_is_nobody_elses_until_the_lease_ends(created: Outbox, folder: OutboxFolder) -> None:
    created.queue.put(RUN, metrics(0), due_at=0)
    other = Outbox(folder)
    assert len(lease(created, now=1)) == 1
    assert lease(other, now=60.9) == []
    assert [item.attempts for item in lease(other, now=61)] == [2]
    other.close()


def test_release_takes_back_the_leases_of_a_dead_courier(created: Outbox) -> None:
    created.queue.put(RUN, metrics(0), due_at=0)
    lease(created)
    created.queue.release()
    assert len(lease(created)) == 1


def test_acknowledged_item_is_counted_and_not_leased_again(created: Outbox) -> None:
    created.queue.put(RUN, metrics(0), due_at=0)
    created.queue.put(RUN, metrics(1), due_at=50)
    created.queue.ack([item.id for item in lease(created)])
    assert lease(created) == []
    (run,) = created.runs.list()
    assert (run.epochs_recorded, run.epochs_acknowledged, run.pending) == (2, 1, 1)
    assert run.receipt() == "1/2 epochs acknowledged"
    assert run.left() == ["1 epoch"]


def test_epoch_that_is_recorded_again_is_open_again(created: Outbox) -> None:
    created.queue.put(RUN, metrics(0), due_at=0)
    created.queue.ack([item.id for item in lease(created)])
    created.queue.put(RUN, metrics(0), due_at=0)
    (run,) = created.runs.list()
    assert (run.epochs_recorded, run.epochs_acknowledged) == (1, 0)


def test_retried_item_waits_for_its_time(created: Outbox) -> None:
    created.queue.put(RUN, metrics(0), due_at=0)
    (item,) = lease(created)
    created.queue.retry([item.id], due_at=20, reason="503")
    assert lease(created, now=19) == []
    assert [item.attempts for item in lease(created, now=20)] == [2]


def test_buried_item_is_kept_with_its_reason_and_revived(created: Outbox) -> None:
    created.queue.put(RUN, metrics(0), due_at=0)
    created.queue.bury([item.id for item in lease(created)], "422: no")
    (run,) = created.runs.list()
    assert run.buried == (("metrics", "422: no"),)
    assert run.left() == ["1 epoch", "metrics refused: 422: no"]
    assert not created.queue.has_work()
    created.queue.revive(5.0)
    assert [item.record for item in lease(created, now=5)] == [metrics(0)]


def test_final_model_is_in_the_receipt(created: Outbox) -> None:
    created.queue.put(RUN, checkpoint(2, is_final=True), due_at=0, file="a.pt")
    (run,) = created.runs.list()
    assert (run.checkpoints_pending, run.bytes_pending, run.is_final_acknowledged) == (1, 100, False)
    (item,) = lease(created, files=True)
    created.queue.note_sent(item.id, 60)
    assert created.runs.list()[0].bytes_pending == 40
    created.queue.ack([item.id])
    assert created.runs.list()[0].receipt() == "0/0 epochs, best.pt acknowledged"


def test_newer_checkpoint_supersedes_older_ones_but_not_one_under_way_nor_the_final(created: Outbox) -> None:
    for epoch, name in enumerate(("sent.pt", "old.pt")):
        created.queue.put(RUN, checkpoint(epoch), due_at=epoch, file=name)
    created.queue.put(RUN, checkpoint(2, is_final=True), due_at=9, file="final.pt")
    lease(created, files=True, now=0, limit=1)
    assert created.queue.supersede(RUN, checkpoint(3), file="new.pt") == ["old.pt"]
    assert created.queue.spooled() == {"sent.pt", "final.pt", "new.pt"}
    assert created.runs.list()[0].dropped == (("checkpoint", "superseded by a newer checkpoint"),)


def test_hub_that_asked_for_time_gets_it_whatever_else_it_answers(created: Outbox) -> None:
    created.queue.put(RUN, metrics(0), due_at=0)
    created.hubs.postpone("", until=10, reason="429")
    created.hubs.release("", 9)
    assert lease(created, now=9) == []
    assert created.runs.list()[0].trouble == "429"
    assert len(lease(created, now=10)) == 1
    created.hubs.release("", 10)
    assert created.runs.list()[0].trouble == ""


def test_held_and_paused_hubs_are_left_alone(created: Outbox) -> None:
    created.queue.put(RUN, metrics(0), due_at=0)
    created.hubs.hold("", until=10, reason="refused")
    assert lease(created, now=9) == []
    assert created.hubs.failures("") == 1
    assert created.queue.has_work()
    created.hubs.release("", 9)
    assert created.hubs.failures("") == 0
    assert len(lease(created, now=9)) == 1
    created.queue.release()
    created.hubs.pause("", "401")
    assert lease(created) == []
    assert not created.queue.has_work()
    created.hubs.save(Hub(api_key="another"))
    assert len(lease(created)) == 1


def test_run_of_a_refused_creation_is_no_work(outbox: Outbox) -> None:
    outbox.runs.start(RUN, STARTED, hub=Hub(), heartbeat_s=300)
    outbox.queue.put(RUN, metrics(0), due_at=0)
    assert outbox.queue.has_work()
    outbox.queue.bury([item.id for item in lease(outbox)], "403")
    assert not outbox.queue.has_work()
    assert outbox.queue.pending() == 1


def test_first_end_of_a_run_counts(created: Outbox) -> None:
    created.queue.put(RUN, metrics(0), due_at=99)
    assert created.runs.finish(RUN, RunFinished(state="finished", finished_at=2.0))
    assert not created.runs.finish(RUN, RunFinished(state="crashed", finished_at=3.0))
    assert created.runs.list()[0].state == "finished"
    assert [item.record.kind for item in lease(created, now=2)] == ["metrics", "run_finished"]


def test_resumed_run_goes_on_and_is_created_anew_on_another_hub(created: Outbox) -> None:
    created.runs.finish(RUN, RunFinished(state="crashed", finished_at=2.0))
    created.runs.start(RUN, STARTED, hub=Hub(), heartbeat_s=300)
    assert [(run.state, run.remote_id) for run in created.runs.list(state="running")] == [("running", RUN)]
    created.runs.start(RUN, STARTED, hub=Hub(api_url="https://other.example"), heartbeat_s=300)
    assert created.runs.list()[0].remote_id is None


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


def test_clock_set_back_does_not_hold_deliveries_back(created: Outbox) -> None:
    created.queue.put(RUN, metrics(0), due_at=4000.0)
    assert lease(created, now=3600.0) == []
    assert len(lease(created, now=400.0)) == 1  # an hour earlier: nothing waits that long


def test_oldest_periodic_checkpoint_makes_room_and_the_final_stays(created: Outbox) -> None:
    created.queue.put(RUN, checkpoint(1, is_final=True), due_at=0, file="final.pt")
    created.queue.put(RUN, checkpoint(2), due_at=0, file="periodic.pt")
    assert created.queue.drop_oldest_periodic(1.0, "no room") == "periodic.pt"
    assert created.queue.drop_oldest_periodic(1.0, "no room") is None
    assert created.runs.list()[0].dropped == (("checkpoint", "no room"),)


@pytest.mark.parametrize(
    ("folder_path", "is_network"),
    [("/home/user/data", False), ("/mnt/team/data", True), ("/mnt/my disk/x", True), ("/mnt/teammate", False)],
)
def test_network_file_systems_are_told_by_the_mount_table(tmp_path: Path, folder_path: str, is_network: bool) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda1 / ext4 rw 0 0\nserver:/team /mnt/team nfs4 rw 0 0\nuser@host: /mnt/my\\040disk fuse.sshfs rw 0 0\n"
    )
    assert is_on_network(Path(folder_path), mounts=mounts) is is_network


def test_without_a_mount_table_nothing_is_a_network(tmp_path: Path) -> None:
    assert not is_on_network(Path("/mnt"), mounts=tmp_path / "missing")


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


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [("hologram", "{}", "hologram"), ("metrics", "{", "metrics"), ("metrics", '{"epoch": 1}', "metrics")],
)
def test_item_that_cannot_be_read_is_buried_and_holds_nothing_up(
    created: Outbox, kind: str, body: str, reason: str
) -> None:
    with contextlib.closing(sqlite3.connect(created.folder.database)) as other, other:
        other.execute(
            "INSERT INTO items (run_id, kind, epoch, body, file, size_bytes, due_at) VALUES (?, ?, 0, ?, '', 0, 0)",
            (RUN, kind, body),
        )
    created.queue.put(RUN, metrics(7), due_at=0)
    assert [item.record for item in lease(created)] == [metrics(7)]
    ((buried_kind, said),) = created.runs.list()[0].buried
    assert buried_kind == kind
    assert reason in said
