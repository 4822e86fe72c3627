from __future__ import annotations

import json
import platform
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from hub_callbacks import wire
from hub_callbacks.courier.connections import Connections
from hub_callbacks.courier.deliver import BACKOFF_CAP_S, Delivery
from hub_callbacks.courier.loop import Lane
from hub_callbacks.courier.watch import Watch, is_training
from hub_callbacks.errors import OutboxError
from hub_callbacks.outbox import Hub, Outbox
from hub_callbacks.records import Artifact, Checkpoint, Metrics, RunFinished, RunStarted, Summary
from hub_callbacks.testing import FaultHub
from hub_callbacks.transport import HubApi

RUN = "r" * 20
NOW = 1000.0
INFO = {"name": "hub", "version": "1", "features": ["proposed-ids", "run-state", "sha256", "summary"]}


def no_local_hub() -> wire.LocalHub:
    raise AssertionError("no local hub is asked for here")


@pytest.fixture
def delivery(outbox: Outbox) -> Delivery:
    return Delivery(outbox, Connections(no_local_hub), clock=lambda: NOW, rng=random.Random(0))


@pytest.fixture
def run(outbox: Outbox, script: Any) -> Outbox:
    """An outbox with a run of a scripted hub, created there."""
    hub = Hub(api_url=script.url, api_key="a-key")
    outbox.runs.start(RUN, RunStarted(name="train", epochs=3, started_at=0.0), hub=hub, heartbeat_s=300)
    outbox.queue.ack([item.id for item in outbox.queue.lease(files=False, limit=9, now=NOW, lease_s=60)])
    outbox.runs.set_remote_id(RUN, "remote")
    return outbox


def put_rows(outbox: Outbox, count: int) -> None:
    for epoch in range(count):
        outbox.queue.put(RUN, Metrics(epoch=epoch, values={"loss": 1.0}, recorded_at=0.0), due_at=0)


def deliver(outbox: Outbox, delivery: Delivery, *, files: bool = False, now: float = NOW) -> int:
    items = outbox.queue.lease(files=files, limit=1000, now=now, lease_s=60)
    delivery.deliver(items)
    return len(items)


def test_creation_maps_the_id_that_the_hub_gives(outbox: Outbox, delivery: Delivery, script: Any) -> None:
    hub = Hub(api_url=script.url, api_key="a-key")
    outbox.runs.start(RUN, RunStarted(name="train", epochs=3, started_at=0.0), hub=hub, heartbeat_s=300)
    script.will_answer(404)
    script.will_answer(200, {"id": "theirs"})
    deliver(outbox, delivery)
    run = outbox.runs.get(RUN)
    assert run is not None
    assert (run.remote_id, run.pending) == ("theirs", 0)


def test_rows_go_by_the_hundred_and_are_acknowledged(run: Outbox, delivery: Delivery, script: Any) -> None:
    put_rows(run, 250)
    script.will_answer(200, INFO)
    for _ in range(3):
        script.will_answer(200, {})
    deliver(run, delivery)
    assert [path for _, path, _ in script.heard] == ["/v1/hub", *["/v1/models/remote"] * 3]
    assert run.runs.list()[0].receipt() == "250/250 epochs acknowledged"


def test_checkpoints_copy_is_discarded_when_the_hub_has_it(run: Outbox, delivery: Delivery, script: Any) -> None:
    run.folder.spool.mkdir()
    copy = run.folder.spool / "copy.pt"
    copy.write_bytes(b"PK")
    record = Checkpoint(epoch=2, filename="best.pt", size_bytes=2, is_final=True, recorded_at=0)
    run.queue.put(RUN, record, due_at=0, file=copy.name)
    script.will_answer(200, INFO)
    script.will_answer(503)
    deliver(run, delivery, files=True)
    assert copy.exists()
    script.will_answer(200, {})
    assert deliver(run, delivery, files=True, now=NOW + 60) == 1
    assert not copy.exists()
    assert run.runs.list()[0].is_final_acknowledged


def put_artifact(outbox: Outbox, name: str = "results.png") -> Path:
    outbox.folder.spool.mkdir(exist_ok=True)
    copy = outbox.folder.spool / f"copy-{name}"
    copy.write_bytes(b"a picture")
    record = Artifact(name=name, artifact_kind="plot", size_bytes=9, sha256="5e" * 32, recorded_at=0)
    outbox.queue.put(RUN, record, due_at=0, file=copy.name)
    return copy


def test_artifact_goes_as_a_form_with_its_kind_and_hash(run: Outbox, delivery: Delivery, script: Any) -> None:
    copy = put_artifact(run)
    script.will_answer(200, {**INFO, "features": ["artifacts"]})
    script.will_answer(200, {})
    assert deliver(run, delivery, files=True) == 1
    method, path, body = script.heard[-1]
    assert (method, path) == ("POST", "/v1/models/remote/artifacts")
    assert b'name="kind"\r\n\r\nplot\r\n' in body
    assert b"5e" * 32 in body
    assert b'filename="results.png"' in body
    assert b"a picture" in body
    assert not copy.exists()
    assert run.runs.list()[0].receipt() == "0/0 epochs, 1 artifact acknowledged"


def test_artifacts_are_given_up_with_a_reason_where_the_hub_takes_none(
    run: Outbox, delivery: Delivery, script: Any
) -> None:
    copy = put_artifact(run)
    script.will_answer(200, INFO)
    assert deliver(run, delivery, files=True) == 1
    status = run.runs.list()[0]
    assert (status.pending, status.dropped) == (0, (("artifact", "the hub takes no artifacts"),))
    assert len(script.heard) == 1
    assert not copy.exists()


def test_artifacts_are_leased_behind_checkpoints_and_counted_apart(run: Outbox) -> None:
    put_artifact(run)
    record = Checkpoint(epoch=2, filename="best.pt", size_bytes=2_000_000, is_final=True, recorded_at=0)
    run.queue.put(RUN, record, due_at=0, file="copy.pt")
    status = run.runs.list()[0]
    assert status.left() == ["1 checkpoint (2.0 MB)", "1 artifact (0.0 MB)"]
    assert status.bytes_pending == 2_000_009
    leased = run.queue.lease(files=True, limit=9, now=NOW, lease_s=60)
    assert [item.record.kind for item in leased] == ["checkpoint", "artifact"]


def test_lost_copy_is_buried_with_its_name(run: Outbox, delivery: Delivery, script: Any) -> None:
    record = Checkpoint(epoch=2, filename="best.pt", size_bytes=2, recorded_at=0)
    run.queue.put(RUN, record, due_at=0, file="gone.pt")
    script.will_answer(200, INFO)
    deliver(run, delivery, files=True)
    ((kind, reason),) = run.runs.list()[0].buried
    assert kind == "checkpoint"
    assert "gone.pt" in reason


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


def test_only_the_refused_row_of_a_batch_is_buried(run: Outbox, delivery: Delivery, script: Any) -> None:
    put_rows(run, 3)
    script.will_answer(200, INFO)
    for code in (422, 200, 422, 200):  # all three, then each alone
        script.will_answer(code, {})
    deliver(run, delivery)
    status = run.runs.list()[0]
    assert (status.epochs_acknowledged, len(status.buried), status.pending) == (2, 1, 0)


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


@pytest.mark.parametrize("status", [400, 403, 422])
def test_refusal_to_say_what_the_hub_can_is_no_plain_hub_v1(
    run: Outbox, delivery: Delivery, script: Any, status: int
) -> None:
    run.queue.put(RUN, RunFinished(state="finished", finished_at=0), due_at=0)
    script.will_answer(status)
    deliver(run, delivery)
    ((kind, reason),) = run.runs.list()[0].buried
    assert kind == "run_finished"
    assert str(status) in reason
    run.queue.revive(NOW)
    script.will_answer(200, INFO)
    script.will_answer(200, {})
    deliver(run, delivery)
    assert run.runs.list()[0].pending == 0


def test_plain_hub_v1_is_spared_our_extensions(run: Outbox, delivery: Delivery, script: Any) -> None:
    run.queue.put(RUN, Summary(values={"mAP": 1.0}, recorded_at=0), due_at=0)
    run.queue.put(RUN, RunFinished(state="finished", finished_at=0), due_at=0)
    script.will_answer(404)
    script.will_answer(404)
    deliver(run, delivery)
    assert [path for _, path, _ in script.heard] == ["/v1/hub", "/v1/hub"]
    assert run.runs.list()[0].pending == 0


def test_end_waits_while_only_a_gateway_says_what_the_hub_can(run: Outbox, delivery: Delivery, script: Any) -> None:
    put_rows(run, 1)
    run.queue.put(RUN, Summary(values={"mAP": 1.0}, recorded_at=0), due_at=0)
    run.queue.put(RUN, RunFinished(state="finished", finished_at=0), due_at=0)
    gateway = b"<h1>nginx</h1>"
    for status, body in ((404, gateway), (200, None), (404, gateway), (404, gateway)):
        script.will_answer(status, body)
    deliver(run, delivery)
    standing = run.runs.list()[0]
    assert (standing.epochs_acknowledged, standing.pending, standing.buried) == (1, 2, ())
    assert "/v1/hub" in standing.trouble
    for data in (INFO, {}, {}):
        script.will_answer(200, data)
    deliver(run, delivery, now=NOW + BACKOFF_CAP_S)
    assert [path for _, path, _ in script.heard][-2:] == ["/v1/models/remote", "/v1/models/remote/state"]
    assert run.runs.list()[0].pending == 0


def test_gateway_that_says_404_for_a_while_makes_no_plain_hub_v1(run: Outbox, delivery: Delivery, script: Any) -> None:
    script.will_answer(404)
    script.will_answer(404)
    put_rows(run, 1)
    deliver(run, delivery)
    assert len(run.runs.list()[0].buried) == 1
    run.queue.put(RUN, RunFinished(state="finished", finished_at=0), due_at=0)
    script.will_answer(200, INFO)
    script.will_answer(200, {})
    deliver(run, delivery)
    assert [path for _, path, _ in script.heard][2:] == ["/v1/hub", "/v1/models/remote/state"]


def test_run_without_a_trainer_is_a_crash(run: Outbox) -> None:
    assert not is_training(run.folder, RUN)
    Watch(run, Connections(no_local_hub), clock=lambda: NOW).look()
    (status,) = run.runs.list()
    assert (status.state, status.pending) == ("crashed", 1)


@pytest.fixture
def training(run: Outbox) -> Iterator[Outbox]:
    """An outbox whose run is being trained."""
    path = run.folder.run_lock(RUN)
    path.parent.mkdir()
    with FileLock(path, is_singleton=False):
        yield run


def test_run_that_is_resumed_just_as_its_end_is_noticed_has_not_crashed(run: Outbox) -> None:
    from filelock import FileLock

    (status,) = run.runs.list()
    path = run.folder.run_lock(RUN)
    path.parent.mkdir()
    with FileLock(path, is_singleton=False):
        Watch(run, Connections(no_local_hub), clock=lambda: NOW)._record_crash(status)
        assert path.exists()
    assert run.runs.list()[0].state == "running"


def test_living_trainer_beats_at_its_interval_and_keeps_the_agents_id(training: Outbox, script: Any) -> None:
    now = NOW
    watch = Watch(training, Connections(no_local_hub), clock=lambda: now)
    script.will_answer(200, INFO)
    script.will_answer(200, {"agentId": "agent-7"})
    watch.look()
    now = NOW + 299.0
    watch.look()
    assert len(script.heard) == 2
    script.will_answer(200, None)
    now = NOW + 300.0
    watch.look()
    assert b'"agentId": "agent-7"' in script.heard[-1][2]
    assert training.runs.list()[0].agent_id == "agent-7"


@pytest.mark.parametrize(("variable", "place"), [("COLAB_RELEASE_TAG", "colab"), ("PATH", "local")])
def test_heartbeat_says_where_it_comes_from(
    training: Outbox, script: Any, monkeypatch: pytest.MonkeyPatch, variable: str, place: str
) -> None:
    monkeypatch.setenv(variable, "x")
    script.will_answer(200, INFO)
    script.will_answer(200, None)
    Watch(training, Connections(no_local_hub), clock=lambda: NOW).look()
    assert json.loads(script.heard[-1][2])["agent"] == f"python-{platform.python_version()}-{place}"


def test_hub_sets_the_interval_and_stops_the_training(training: Outbox, script: Any) -> None:
    now = NOW
    watch = Watch(training, Connections(no_local_hub), clock=lambda: now)
    script.will_answer(200, INFO)
    script.will_answer(200, {"agentId": "a", "interval": 20, "commands": []})
    watch.look()
    assert training.runs.stop_reason(RUN) == ""
    now = NOW + 20.0
    script.will_answer(200, {"agentId": "a", "interval": 20, "commands": [{"command": "stop", "reason": "By Ada."}]})
    watch.look()
    assert training.runs.stop_reason(RUN) == "By Ada."


def test_run_that_is_trained_is_no_crash(training: Outbox) -> None:
    assert is_training(training.folder, RUN)
    assert training.runs.list()[0].state == "running"


def test_clock_set_back_does_not_hold_heartbeats_back(run: Outbox, script: Any) -> None:
    from filelock import FileLock

    now = NOW + 3600.0
    watch = Watch(run, Connections(no_local_hub), clock=lambda: now)
    path = run.folder.run_lock(RUN)
    path.parent.mkdir()
    with FileLock(path, is_singleton=False):
        script.will_answer(200, INFO)
        script.will_answer(200, None)
        watch.look()
        now = NOW
        script.will_answer(200, None)
        watch.look()
    assert len(script.heard) == 3


def test_what_an_error_leaves_leased_is_delivered_after_it(outbox: Outbox) -> None:
    """The outbox may be locked or its disk full just when a delivery is to be acknowledged."""
    hub = FaultHub()
    other = Outbox(outbox.folder)

    def lock_the_outbox() -> wire.LocalHub:
        if not hub.requests:
            other._database.execute("BEGIN IMMEDIATE")
        return wire.LocalHub(url=hub.url, key="a-key", pid=0)

    outbox.runs.start(RUN, RunStarted(name="train", epochs=3, started_at=0.0), hub=Hub(), heartbeat_s=300)
    lane = Lane(outbox, Delivery(outbox, Connections(lock_the_outbox)), files=False, limit=9)
    with pytest.raises(OutboxError, match="locked"):
        lane.step()
    assert list(hub.runs) == [RUN]
    other._database.execute("ROLLBACK")
    assert not lane.step()
    other.queue.revive(NOW)
    assert lane.step()
    assert outbox.runs.list()[0].pending == 0
    other.close()
    hub.close()
