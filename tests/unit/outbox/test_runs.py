from __future__ import annotations

from dataclasses import replace

from hub_callbacks.outbox import Hub, Outbox
from hub_callbacks.records import RunFinished
from tests.unit.outbox.items import RUN, STARTED, checkpoint, lease, metrics


def test_only_the_creation_is_leased_before_the_hub_knows_the_run(outbox: Outbox) -> None:
    outbox.runs.start(RUN, STARTED, hub=Hub(), heartbeat_s=300)
    outbox.queue.put(RUN, metrics(0), due_at=0)
    (creation,) = lease(outbox)
    assert creation.record == STARTED
    outbox.runs.set_remote_id(RUN, "other")
    outbox.queue.ack([creation.id])
    (row,) = lease(outbox)
    assert (row.record, row.remote_id, row.attempts) == (metrics(0), "other", 1)


def test_nothing_of_a_continued_run_goes_before_its_beginning(created: Outbox) -> None:
    created.queue.put(RUN, metrics(0), due_at=0)
    created.runs.start(RUN, replace(STARTED, start_epoch=1), hub=Hub(), heartbeat_s=300)
    created.queue.put(RUN, metrics(1), due_at=0)
    created.queue.put(RUN, checkpoint(1), due_at=0, file="a.pt")
    earlier, beginning = lease(created)
    assert (earlier.record, beginning.record) == (metrics(0), replace(STARTED, start_epoch=1))
    assert lease(created) == lease(created, files=True) == []  # while it is on its way
    created.queue.retry([beginning.id], due_at=50.0, reason="503")
    assert lease(created) == lease(created, files=True) == []  # and while it waits for another try
    (beginning,) = lease(created, now=50.0)
    created.queue.ack([beginning.id])
    assert [item.record for item in lease(created, now=51.0)] == [metrics(1)]
    assert [item.record for item in lease(created, now=51.0, files=True)] == [checkpoint(1)]


def test_final_model_is_in_the_receipt(created: Outbox) -> None:
    created.queue.put(RUN, checkpoint(2, is_final=True), due_at=0, file="a.pt")
    (run,) = created.runs.list()
    assert (run.checkpoints_pending, run.bytes_pending, run.is_final_acknowledged) == (1, 100, False)
    (item,) = lease(created, files=True)
    created.queue.note_sent(item.id, 60)
    assert created.runs.list()[0].bytes_pending == 40
    created.queue.ack([item.id])
    assert created.runs.list()[0].receipt() == "0/0 epochs, best.pt acknowledged"


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
