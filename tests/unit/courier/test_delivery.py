"""What goes to the hub, in which form, and what is left of it then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub_callbacks import wire
from hub_callbacks.courier.connections import Connections
from hub_callbacks.courier.deliver import Delivery
from hub_callbacks.courier.loop import Lane
from hub_callbacks.errors import OutboxError
from hub_callbacks.outbox import Hub, Outbox
from hub_callbacks.records import Artifact, Checkpoint, RunStarted
from hub_callbacks.testing import FaultHub
from tests.unit.courier.deliveries import INFO, NOW, RUN, deliver, put_rows


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


def test_only_the_refused_row_of_a_batch_is_buried(run: Outbox, delivery: Delivery, script: Any) -> None:
    put_rows(run, 3)
    script.will_answer(200, INFO)
    for code in (422, 200, 422, 200):  # all three, then each alone
        script.will_answer(code, {})
    deliver(run, delivery)
    status = run.runs.list()[0]
    assert (status.epochs_acknowledged, len(status.buried), status.pending) == (2, 1, 0)


def test_what_an_error_leaves_leased_is_delivered_after_it(outbox: Outbox) -> None:
    """The outbox may be locked or its disk full just when a delivery is to be acknowledged."""
    hub = FaultHub()
    other = Outbox(outbox.folder)

    def lock_the_outbox() -> wire.LocalHub:
        if not hub.requests:
            other._database.execute("BEGIN IMMEDIATE")
        return wire.LocalHub(url=hub.url, key="a-key", seal="s", pid=0)

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
