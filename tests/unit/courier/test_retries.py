"""What waits and is tried again, for how long, and what waits with it."""

from __future__ import annotations

from typing import Any

import pytest

from hub_callbacks.courier.connections import Connections
from hub_callbacks.courier.deliver import BACKOFF_CAP_S, Delivery
from hub_callbacks.courier.watch import Watch
from hub_callbacks.outbox import Hub, Outbox
from hub_callbacks.records import Checkpoint, RunStarted, Summary
from hub_callbacks.testing import FaultHub
from hub_callbacks.transport import HubApi
from tests.unit.courier.deliveries import INFO, NOW, RUN, deliver, no_local_hub, put_rows


def test_what_can_heal_waits_exponentially_and_at_most_five_minutes(
    run: Outbox, delivery: Delivery, script: Any
) -> None:
    put_rows(run, 1)
    script.will_answer(200, INFO)
    now = NOW
    for attempt in range(12):
        script.will_answer(503)
        now = NOW + attempt * BACKOFF_CAP_S
        assert deliver(run, delivery, now=now) == 1
    (row,) = run._database.rows("SELECT due_at, attempts, reason FROM items WHERE state = 'queued'")
    assert row["attempts"] == 12
    assert NOW < row["due_at"] <= NOW + BACKOFF_CAP_S
    assert "503" in row["reason"]


def test_hub_may_ask_for_its_own_pause(run: Outbox, delivery: Delivery, script: Any) -> None:
    put_rows(run, 1)
    script.will_answer(200, INFO)
    script.will_answer(429, retry_after="17")
    deliver(run, delivery)
    assert deliver(run, delivery, now=NOW + 16.9) == 0
    script.will_answer(200, {})
    assert deliver(run, delivery, now=NOW + 17) == 1


@pytest.mark.parametrize(("status", "headers"), [(429, {"retry_after": "17"}), (503, {"retry_after": "17"}), (429, {})])
def test_hub_that_asks_for_a_pause_gets_it_from_all(
    training: Outbox, delivery: Delivery, script: Any, status: int, headers: dict[str, str]
) -> None:
    put_rows(training, 1)
    training.queue.put(RUN, Summary(values={"mAP": 1.0}, recorded_at=0), due_at=0)
    script.will_answer(200, INFO)
    script.will_answer(status, **headers)
    deliver(training, delivery)
    until = training.runs.list()[0].hub.retry_at
    assert NOW < until <= NOW + 17
    heard = len(script.heard)
    put_rows(training, 2)
    assert deliver(training, delivery, now=until - 0.01) == 0
    Watch(training, Connections(no_local_hub), clock=lambda: until - 0.01).look()
    assert len(script.heard) == heard
    assert str(status) in training.runs.list()[0].trouble


def test_heartbeat_that_is_told_to_wait_holds_the_hub(training: Outbox, delivery: Delivery, script: Any) -> None:
    put_rows(training, 1)
    script.will_answer(200, INFO)
    script.will_answer(429, retry_after="17")
    Watch(training, Connections(no_local_hub), clock=lambda: NOW).look()
    assert deliver(training, delivery, now=NOW + 16.9) == 0
    script.will_answer(200, INFO)
    script.will_answer(200)
    assert deliver(training, delivery, now=NOW + 17) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 407, 413])
def test_refusal_by_something_in_between_is_tried_again(
    run: Outbox, delivery: Delivery, script: Any, status: int
) -> None:
    put_rows(run, 3)
    script.will_answer(200, INFO)
    script.will_answer(status, b"<h1>Welcome to the airport's Wi-Fi</h1>")
    deliver(run, delivery)
    standing = run.runs.list()[0]
    assert (standing.pending, standing.buried, standing.hub.paused) == (3, (), "")
    assert "in between" in standing.trouble
    assert str(status) in standing.trouble
    script.will_answer(200)
    assert deliver(run, delivery, now=NOW + BACKOFF_CAP_S) == 3
    standing = run.runs.list()[0]
    assert (standing.pending, standing.trouble) == (0, "")


def test_unknown_key_pauses_the_hub_and_buries_nothing(run: Outbox, delivery: Delivery, script: Any) -> None:
    put_rows(run, 2)
    script.will_answer(401)
    deliver(run, delivery)
    status = run.runs.list()[0]
    assert "401" in status.hub.paused
    assert (status.pending, status.buried) == (2, ())
    assert deliver(run, delivery) == 0


def test_hub_without_an_answer_is_held_for_all_its_runs(outbox: Outbox, delivery: Delivery) -> None:
    hub = Hub(api_url="http://127.0.0.1:9")
    outbox.runs.start(RUN, RunStarted(name="train", epochs=3, started_at=0.0), hub=hub, heartbeat_s=300)
    deliver(outbox, delivery)
    status = outbox.runs.list()[0]
    assert "refused" in status.hub.trouble
    assert NOW < status.hub.retry_at <= NOW + BACKOFF_CAP_S
    assert outbox.hubs.failures(hub.api_url) == 1


def test_hub_without_an_answer_is_asked_once_a_round(outbox: Outbox, delivery: Delivery) -> None:
    hub = Hub(api_url="http://127.0.0.1:9")
    for number in range(5):
        record = RunStarted(name="train", epochs=3, started_at=0.0)
        outbox.runs.start(f"{number}" * 20, record, hub=hub, heartbeat_s=300)
    deliver(outbox, delivery)
    assert outbox.hubs.failures(hub.api_url) == 1
    assert [status.pending for status in outbox.runs.list()] == [1] * 5
    outbox.hubs.resume()
    assert len(outbox.queue.lease(files=False, limit=9, now=NOW, lease_s=60)) == 5


def test_upload_that_breaks_while_all_else_arrives_waits_longer_each_time(run: Outbox, delivery: Delivery) -> None:
    run.folder.spool.mkdir()
    (run.folder.spool / "copy.pt").write_bytes(b"PK")
    record = Checkpoint(epoch=2, filename="last.pt", size_bytes=2, recorded_at=0)
    with FaultHub() as hub:
        run._database.execute("UPDATE hubs SET api_url = ?", (hub.url,))
        run._database.execute("UPDATE runs SET remote_id = id")
        HubApi(hub.url, "").create(RUN, RunStarted(name="train", epochs=3, started_at=0.0))
        run.queue.put(RUN, record, due_at=0, file="copy.pt")
        hub.reset_before_body(on="checkpoint")
        for _ in range(12):
            run.hubs.resume()
            run.queue.revive(NOW)
            assert deliver(run, delivery, files=True) == 1
            put_rows(run, 1)
            run.hubs.resume()
            deliver(run, delivery)
        assert run.hubs.failures(hub.url) == 0
    (row,) = run._database.rows("SELECT due_at FROM items WHERE state = 'queued'")
    assert row["due_at"] > NOW + 30
