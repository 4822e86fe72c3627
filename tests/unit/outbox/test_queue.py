from __future__ import annotations

import contextlib
import math
import sqlite3
from dataclasses import replace

import pytest

from hub_callbacks.outbox import Hub, Outbox, OutboxFolder
from tests.unit.outbox.items import RUN, STARTED, checkpoint, lease, metrics


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


def put_unreadable(outbox: Outbox, kind: str, body: str) -> None:
    with contextlib.closing(sqlite3.connect(outbox.folder.database)) as other, other:
        other.execute(
            "INSERT INTO items (run_id, kind, epoch, body, file, size_bytes, due_at) VALUES (?, ?, 0, ?, '', 0, 0)",
            (RUN, kind, body),
        )


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [("hologram", "{}", "hologram"), ("metrics", "{", "metrics"), ("metrics", '{"epoch": 1}', "metrics")],
)
def test_item_that_cannot_be_read_is_buried_and_holds_nothing_up(
    created: Outbox, kind: str, body: str, reason: str
) -> None:
    put_unreadable(created, kind, body)
    created.queue.put(RUN, metrics(7), due_at=0)
    assert [item.record for item in lease(created)] == [metrics(7)]
    ((buried_kind, said),) = created.runs.list()[0].buried
    assert buried_kind == kind
    assert reason in said


def test_newer_checkpoint_supersedes_older_ones_but_not_one_under_way_nor_the_final(created: Outbox) -> None:
    for epoch, name in enumerate(("sent.pt", "old.pt")):
        created.queue.put(RUN, checkpoint(epoch), due_at=epoch, file=name)
    created.queue.put(RUN, checkpoint(2, is_final=True), due_at=9, file="final.pt")
    lease(created, files=True, now=0, limit=1)
    assert created.queue.supersede(RUN, checkpoint(3), file="new.pt") == ["old.pt"]
    assert created.queue.spooled() == {"sent.pt", "final.pt", "new.pt"}
    assert created.runs.list()[0].dropped == (("checkpoint", "superseded by a newer checkpoint"),)


def test_checkpoint_that_cannot_be_read_is_in_no_trainers_way(created: Outbox) -> None:
    put_unreadable(created, "checkpoint", "{")
    assert created.queue.drop_oldest_periodic(1.0, "no room") is None
    assert created.queue.supersede(RUN, checkpoint(1), file="new.pt") == []
    created.runs.start(RUN, STARTED, hub=Hub(), heartbeat_s=300)
    assert lease(created, files=True) == []
    assert [kind for kind, _ in created.runs.list()[0].buried] == ["checkpoint"]


def test_final_model_whose_map_is_nan_is_a_final_model(created: Outbox) -> None:
    """SQLite before 3.42 does not take NaN for JSON."""
    created.queue.put(RUN, replace(checkpoint(1, is_final=True), map=math.nan), due_at=0, file="final.pt")
    assert created.queue.supersede(RUN, checkpoint(2), file="new.pt") == []
    created.queue.ack([item.id for item in lease(created, files=True)])
    assert created.runs.list()[0].is_final_acknowledged


def test_oldest_periodic_checkpoint_makes_room_and_the_final_stays(created: Outbox) -> None:
    created.queue.put(RUN, checkpoint(1, is_final=True), due_at=0, file="final.pt")
    created.queue.put(RUN, checkpoint(2), due_at=0, file="periodic.pt")
    assert created.queue.drop_oldest_periodic(1.0, "no room") == "periodic.pt"
    assert created.queue.drop_oldest_periodic(1.0, "no room") is None
    assert created.runs.list()[0].dropped == (("checkpoint", "no room"),)


def test_clock_set_back_does_not_hold_deliveries_back(created: Outbox) -> None:
    created.queue.put(RUN, metrics(0), due_at=4000.0)
    assert lease(created, now=3600.0) == []
    assert len(lease(created, now=400.0)) == 1  # an hour earlier: nothing waits that long
