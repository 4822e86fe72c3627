from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub_callbacks.errors import PermanentError, RetryableError, TransportError, UnreachableError
from hub_callbacks.records import Checkpoint, Metrics, RunFinished, RunStarted, Summary
from hub_callbacks.testing import FaultHub
from hub_callbacks.transport import HubApi, Upload

RUN = "r" * 20
STARTED = RunStarted(name="train", epochs=3, started_at=0.0)
ROW = Metrics(epoch=0, values={"loss": 0.5}, recorded_at=0.0)


@pytest.fixture
def hub() -> Iterator[FaultHub]:
    with FaultHub() as hub:
        yield hub


@pytest.fixture
def api(hub: FaultHub) -> Iterator[HubApi]:
    """A client of the hub that has created a run there."""
    api = HubApi(hub.url, "any-key")
    assert api.create(RUN, STARTED) == RUN
    yield api
    api.close()


def upload_of(path: Path, *, size_bytes: int = 300_000) -> Upload:
    path.write_bytes(b"PK\r\n--" * (size_bytes // 6))
    record = Checkpoint(epoch=2, filename="best.pt", size_bytes=size_bytes, is_final=True, map=0.5, recorded_at=0.0)
    return Upload(checkpoint=record, path=path, on_created=lambda _: None, on_progress=lambda _: None)


def test_hub_keeps_all_that_a_run_sends(hub: FaultHub, api: HubApi, tmp_path: Path) -> None:
    upload = upload_of(tmp_path / "copy.pt")
    api.put_metrics(RUN, [ROW, Metrics(epoch=1, values={"loss": 0.25}, recorded_at=0.0)])
    api.put_summary(RUN, Summary(values={"mAP": 0.5}, recorded_at=0.0))
    api.upload(RUN, upload)
    reply = api.heartbeat(RUN, {"agent": "test", "agentId": None})
    api.put_state(RUN, RunFinished(state="finished", finished_at=1.0))
    (run,) = hub.runs.values()
    assert (run.creation["meta"], run.rows) == ({"name": "train"}, {0: {"loss": 0.5}, 1: {"loss": 0.25}})
    assert (run.summary, len(run.heartbeats), run.states[0]["state"]) == ({"mAP": 0.5}, 1, "finished")
    (checkpoint,) = run.checkpoints
    assert (checkpoint.filename, checkpoint.epoch, checkpoint.is_final) == ("best.pt", 2, True)
    assert (checkpoint.size_bytes, checkpoint.sha256) == (
        upload.path.stat().st_size,
        hashlib.sha256(upload.path.read_bytes()).hexdigest(),
    )
    assert checkpoint.fields["map"] == "0.5"
    assert reply is not None
    assert reply["agentId"]
    assert hub.met() == []


def test_hub_without_proposed_ids_gives_its_own(tmp_path: Path) -> None:
    with FaultHub(features=()) as hub:
        api = HubApi(hub.url, "")
        run_id = api.create(RUN, STARTED)
        assert run_id != RUN
        assert list(hub.runs) == [run_id]
        assert api.info()["features"] == []
        api.close()


def test_heartbeats_are_asked_for_at_an_interval() -> None:
    with FaultHub(heartbeat_s=7.0) as hub:
        api = HubApi(hub.url, "")
        api.create(RUN, STARTED)
        reply = api.heartbeat(RUN, {"agent": "test", "agentId": None})
        api.close()
    assert reply is not None
    assert reply["interval"] == 7.0


def test_unknown_run_is_404(hub: FaultHub) -> None:
    api = HubApi(hub.url, "")
    with pytest.raises(PermanentError, match="no model") as caught:
        api.put_metrics(RUN, [ROW])
    assert caught.value.status == 404
    api.close()


def test_checkpoint_that_is_not_what_was_meant_is_422(
    hub: FaultHub, api: HubApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Upload, "sha256", lambda self: "0" * 64)
    with pytest.raises(PermanentError) as caught:
        api.upload(RUN, upload_of(tmp_path / "copy.pt"))
    assert caught.value.status == 422
    assert hub.runs[RUN].checkpoints == []


BREAK = "reset|Broken pipe|closed connection"  # as the client was reading, sending, or between the two
SWITCHES: dict[str, tuple[Callable[[FaultHub], None], type[TransportError], str]] = {
    "503": (lambda hub: hub.answer(503), RetryableError, "503"),
    "422": (lambda hub: hub.answer(422), PermanentError, "422"),
    "redirect": (lambda hub: hub.redirect(), RetryableError, "hub.example"),
    "portal": (lambda hub: hub.capture(), RetryableError, "in between"),
    "wrong JSON": (lambda hub: hub.garble(), RetryableError, "in between"),
    "truncated": (lambda hub: hub.truncate(), UnreachableError, "IncompleteRead|incomplete|broken"),
    "reset before": (lambda hub: hub.reset_before_body(), UnreachableError, BREAK),
    "reset within": (lambda hub: hub.reset_within_body(), UnreachableError, BREAK),
    "refused": (lambda hub: hub.refuse(), UnreachableError, "refused"),
}


@pytest.mark.parametrize("name", SWITCHES)
def test_switch_works_until_it_is_healed(hub: FaultHub, api: HubApi, name: str) -> None:
    switch, error, message = SWITCHES[name]
    switch(hub)
    for _ in range(2):
        with pytest.raises(error, match=message):
            api.put_metrics(RUN, [ROW])
    assert len(hub.met("metrics")) == (0 if name == "refused" else 2)
    hub.heal()
    api.put_metrics(RUN, [ROW])
    assert hub.runs[RUN].rows == {0: {"loss": 0.5}}


def test_upload_is_reset_within_its_body(hub: FaultHub, api: HubApi, tmp_path: Path) -> None:
    hub.reset_within_body(on="checkpoint")
    with pytest.raises(UnreachableError):
        api.upload(RUN, upload_of(tmp_path / "copy.pt", size_bytes=20_000_000))
    hub.heal()
    api.upload(RUN, upload_of(tmp_path / "copy.pt", size_bytes=20_000_000))
    assert len(hub.runs[RUN].checkpoints) == 1


def test_what_a_truncated_reply_is_about_has_been_done(hub: FaultHub, api: HubApi) -> None:
    hub.truncate()
    with pytest.raises(UnreachableError):
        api.put_metrics(RUN, [ROW])
    assert hub.runs[RUN].rows == {0: {"loss": 0.5}}


def test_retry_after_is_asked_for(hub: FaultHub, api: HubApi) -> None:
    hub.answer(429, retry_after_s=17, on="metrics")
    with pytest.raises(RetryableError) as caught:
        api.put_metrics(RUN, [ROW])
    assert caught.value.retry_after_s == 17


def test_switch_of_one_endpoint_goes_before_that_of_all_and_spares_the_others(hub: FaultHub, api: HubApi) -> None:
    hub.answer(422, on="metrics")
    api.put_summary(RUN, Summary(values={}, recorded_at=0.0))
    hub.answer(503)
    with pytest.raises(PermanentError):
        api.put_metrics(RUN, [ROW])
    hub.heal(on="metrics")
    with pytest.raises(RetryableError):
        api.put_metrics(RUN, [ROW])
    assert [(request.endpoint, request.fault) for request in hub.met()] == [
        ("metrics", "answer 422"),
        ("metrics", "answer 503"),
    ]


def test_black_hole_says_nothing_until_it_is_healed(hub: FaultHub) -> None:
    hub.hang()
    with socket.create_connection(("127.0.0.1", hub.port), timeout=60) as client:
        client.sendall(b"GET /v1/hub HTTP/1.1\r\n\r\n")
        hub.wait_for(lambda hub: hub.met("info"))
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(60)
        hub.heal()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_trickle_gives_the_whole_reply_in_time(hub: FaultHub) -> None:
    hub.trickle(interval_s=0.001)
    api = HubApi(hub.url, "")
    started_at = time.monotonic()
    assert api.info()["name"] == "FaultHub"
    assert time.monotonic() - started_at > 0.1
    api.close()


def test_wait_is_over_when_the_last_request_makes_it_true(hub: FaultHub, api: HubApi) -> None:
    sender = threading.Thread(target=api.put_metrics, args=(RUN, [ROW]))
    sender.start()
    assert hub.wait_for(lambda hub: hub.runs[RUN].rows) == {0: {"loss": 0.5}}
    sender.join()
    with pytest.raises(TimeoutError, match="requests"):
        hub.wait_for(lambda hub: hub.met(), timeout_s=0.01)


def test_closed_hub_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with FaultHub() as hub:
        hub.hang()
        client = socket.create_connection(("127.0.0.1", hub.port), timeout=60)
        client.sendall(b"GET /v1/hub HTTP/1.1\r\n\r\n")
        hub.wait_for(lambda hub: hub.met())
        started: list[Any] = [thread for thread in threading.enumerate() if thread not in before]
    for thread in started:
        thread.join(60)
        assert not thread.is_alive()
    client.close()
