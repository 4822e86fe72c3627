from __future__ import annotations

import hashlib
import json
import math
import socket
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Any

import pytest

from hub_callbacks import wire
from hub_callbacks.errors import PermanentError, RetryableError, UnauthorizedError, UnreachableError
from hub_callbacks.records import Checkpoint, Metrics, RunFinished, RunStarted, Summary
from hub_callbacks.transport import HubApi, Upload
from hub_callbacks.transport.api import END_BYTES

ID = "i" * 20


@pytest.fixture
def api(script: Any) -> Iterator[HubApi]:
    api = HubApi(script.url, "a-key")
    yield api
    api.close()


def test_run_is_created_with_hub_v1s_fields_and_ours(api: HubApi, script: Any) -> None:
    script.will_answer(200, {"id": "given-by-the-hub"})
    args = {"batch": 4, "imgsz": 64, "patience": 5, "device": None, "cache": False}
    record = RunStarted(name="train", model="yolo11n.pt", dataset="coco8.yaml", epochs=3, args=args, started_at=1.5)
    assert api.create(ID, record) == "given-by-the-hub"
    ((method, path, body),) = script.heard
    sent = json.loads(body)
    assert (method, path, sent["id"], sent["meta"]) == ("POST", "/v1/models", ID, {"name": "train"})
    assert sent["config"] == {
        "batchSize": 4, "epochs": 3, "imageSize": 64, "patience": 5, "device": "None", "cache": "False",
    }  # fmt: skip
    assert sent["lineage"] == {"architecture": {"name": "yolo11n"}, "parent": {"name": "yolo11n.pt"}}
    assert (sent["dataset"], sent["run"]["args"]) == ({"name": "coco8.yaml"}, args)


def test_run_of_no_arguments_is_created_with_the_defaults_of_old(api: HubApi, script: Any) -> None:
    script.will_answer(200, {"id": ID})
    api.create(ID, RunStarted(name="mine", model="yolo11n.yaml", epochs=0, started_at=1.5))
    sent = json.loads(script.heard[0][2])
    assert sent["config"] == {"batchSize": -1, "imageSize": 640, "patience": 100, "device": "", "cache": ""}
    assert sent["lineage"] == {"architecture": {"name": "yolo11n"}, "parent": {}}


def test_rows_are_json_texts_by_epoch(api: HubApi, script: Any) -> None:
    script.will_answer(200, {})
    rows = [Metrics(epoch=epoch, values={"loss": value}, recorded_at=0) for epoch, value in ((0, 0.5), (1, math.nan))]
    api.put_metrics(ID, rows)
    ((_, path, body),) = script.heard
    assert path == f"/v1/models/{ID}"
    assert json.loads(body) == {"type": "metrics", "metrics": {"0": '{"loss": 0.5}', "1": '{"loss": NaN}'}}


def test_summary_and_end_are_sent(api: HubApi, script: Any) -> None:
    script.will_answer(200, {})
    script.will_answer(200, {})
    api.put_summary(ID, Summary(values={"mAP": math.inf}, recorded_at=0))
    api.put_state(ID, RunFinished(state="failed", reason="RuntimeError: no", finished_at=2.5))
    assert [(method, path, json.loads(body)) for method, path, body in script.heard] == [
        ("PATCH", f"/v1/models/{ID}", {"summary": {"mAP": "Infinity"}}),
        ("POST", f"/v1/models/{ID}/state", {"state": "failed", "reason": "RuntimeError: no", "at": 2.5}),
    ]


@pytest.mark.parametrize(
    ("checkpoint", "fields"),
    [
        ({"filename": "last.pt", "is_best": True}, {"epoch": "7", "type": "epoch", "isBest": "True"}),
        ({"filename": "best.pt", "is_final": True, "map": 0.5}, {"epoch": "7", "type": "final", "map": "0.5"}),
        ({"filename": "best.pt", "is_final": True, "map": math.nan}, {"epoch": "7", "type": "final", "map": "0.0"}),
    ],
)
def test_checkpoint_is_a_form_with_its_file_last(
    api: HubApi, script: Any, tmp_path: Path, checkpoint: dict[str, Any], fields: dict[str, str]
) -> None:
    path = tmp_path / "copy.pt"
    path.write_bytes(b"PK" + b"x" * 100_000)
    seen: list[int] = []
    script.will_answer(200, {})
    record = Checkpoint(epoch=7, size_bytes=100_002, recorded_at=0, **checkpoint)
    api.upload(ID, Upload(checkpoint=record, path=path, on_created=print, on_progress=seen.append))
    ((_, url, body),) = script.heard
    assert url == f"/v1/models/{ID}/upload"
    names = [line.split(b'name="')[1].split(b'"')[0].decode() for line in body.split(b"\r\n") if b"form-data" in line]
    assert names == [*fields, "sha256", record.filename]
    for value in (*fields.values(), hashlib.sha256(path.read_bytes()).hexdigest()):
        assert f"\r\n\r\n{value}\r\n".encode() in body
    assert path.read_bytes() in body
    assert seen == sorted(seen)
    assert seen[-1] >= 100_002


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_status_that_can_heal_is_retryable(api: HubApi, script: Any, status: int) -> None:
    script.will_answer(status)
    with pytest.raises(RetryableError, match=str(status)) as caught:
        api.info()
    assert caught.value.retry_after_s is None


def test_retry_after_is_read_as_seconds_and_as_a_date(api: HubApi, script: Any) -> None:
    script.will_answer(429, retry_after="7")
    script.will_answer(503, retry_after=formatdate(time() + 60, usegmt=True))
    waits = []
    for _ in range(2):
        with pytest.raises(RetryableError) as caught:
            api.info()
        waits.append(caught.value.retry_after_s)
    assert waits == [7.0, pytest.approx(60, abs=5)]


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 422])
def test_other_refusals_are_permanent_and_carry_the_hubs_message(api: HubApi, script: Any, status: int) -> None:
    script.will_answer(status, json.dumps({"success": False, "message": "because", "data": None}).encode())
    with pytest.raises(PermanentError, match="because") as caught:
        api.info()
    assert (caught.value.status, caught.value.is_hubs) == (status, True)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 407, 413])
@pytest.mark.parametrize("body", [b"<h1>nginx</h1>", b"", b"[]", b'{"message": "no Route matched"}'])
def test_refusal_that_is_not_the_hubs_says_so(api: HubApi, script: Any, status: int, body: bytes) -> None:
    script.will_answer(status, body)
    with pytest.raises(PermanentError, match=rf"{status}.*in between") as caught:
        api.info()
    assert (caught.value.status, caught.value.is_hubs) == (status, False)


def test_unknown_key_is_its_own_error(api: HubApi, script: Any) -> None:
    script.will_answer(401)
    with pytest.raises(UnauthorizedError):
        api.authenticate()


@pytest.mark.parametrize("body", [b"<html>Sign in to the Wi-Fi</html>", b"[]", b'{"ok": true}', b""])
def test_a_2xx_that_is_not_the_hubs_is_retryable(api: HubApi, script: Any, body: bytes) -> None:
    script.will_answer(200, body)
    with pytest.raises(RetryableError, match="in between"):
        api.info()


@pytest.mark.parametrize("data", [None, [], {}, "text", {"id": None, "features": None}])
def test_a_2xx_that_lacks_what_was_asked_for_is_retryable(api: HubApi, script: Any, data: Any) -> None:
    for ask in (api.info, api.sign_in_path, lambda: api.create(ID, RunStarted(name="train", epochs=1, started_at=0))):
        script.will_answer(200, data)
        with pytest.raises(RetryableError, match="in between"):
            ask()


def test_heartbeats_reply_may_say_nothing(api: HubApi, script: Any) -> None:
    nothing: tuple[object, ...] = (None, [], "text")
    for data in nothing:
        script.will_answer(200, data)
        assert api.heartbeat(ID, {"agent": "test", "agentId": None}) is None


def test_redirect_is_not_followed_and_says_where_it_leads(api: HubApi, script: Any) -> None:
    script.will_answer(301, location="https://hub.example/v1/hub")
    with pytest.raises(RetryableError, match=r"https://hub\.example/v1/hub"):
        api.info()
    assert len(script.heard) == 1


def test_no_reply_is_unreachable_with_its_cause() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        api = HubApi(f"http://127.0.0.1:{free.getsockname()[1]}", "")
        with pytest.raises(UnreachableError, match="refused"):
            api.info()
        assert not api.is_reachable()


def test_truncated_reply_is_unreachable(api: HubApi, script: Any) -> None:
    script.will_answer(200, b"{", content_length="100", connection="close")
    with pytest.raises(UnreachableError):
        api.info()


@pytest.fixture
def big(tmp_path: Path) -> Upload:
    """A checkpoint of two chunks and a bit, begun at an upload that the hub may remember."""
    path = tmp_path / "copy.pt"
    path.write_bytes(b"PK".ljust(2 * wire.TUS_CHUNK_BYTES + 5, b"x"))
    record = Checkpoint(epoch=7, filename="best.pt", is_final=True, size_bytes=path.stat().st_size, recorded_at=0)
    return Upload(checkpoint=record, path=path, on_created=lambda url: None, on_progress=lambda sent: None)


def offset(value: int) -> dict[str, str]:
    return {"upload_offset": str(value)}


def test_resumable_upload_is_announced_and_sent_but_for_its_end_in_one_request(
    api: HubApi, script: Any, big: Upload
) -> None:
    created: list[str] = []
    seen: list[int] = []
    size_bytes = big.checkpoint.size_bytes
    script.will_answer(201, location="/v1/models/i/uploads/u", **offset(0))
    for done in (size_bytes - END_BYTES, size_bytes):
        script.will_answer(204, **offset(done))
    api.upload_resumably(ID, replace(big, on_created=created.append, on_progress=seen.append))
    assert created == [f"{script.url}/v1/models/i/uploads/u"]
    assert [method for method, _, _ in script.heard] == ["POST", "PATCH", "PATCH"]
    assert b"".join(body for _, _, body in script.heard) == big.path.read_bytes()
    assert seen == sorted(seen)
    assert (len(set(seen)) > 50, seen[-1]) == (True, size_bytes)


def test_resumable_upload_that_went_wrong_before_goes_chunk_by_chunk(api: HubApi, script: Any, big: Upload) -> None:
    chunk, size_bytes = wire.TUS_CHUNK_BYTES, big.checkpoint.size_bytes
    for done in (0, chunk, 2 * chunk, size_bytes):
        script.will_answer(200, **offset(done))
    api.upload_resumably(ID, replace(big, url=f"{script.url}/u", is_retry=True))
    assert [len(body) for _, _, body in script.heard] == [0, chunk, chunk, 5]


def test_portal_in_place_of_the_hub_is_retryable_at_every_step_of_an_upload(
    api: HubApi, script: Any, big: Upload
) -> None:
    portal = b"<html>Sign in to the Wi-Fi</html>"
    steps: list[tuple[int, dict[str, str]]] = [(201, {"location": "/u"}), (200, offset(0)), (204, offset(1))]
    for count in range(len(steps)):
        for status, headers in steps[:count]:
            script.will_answer(status, **headers)
        script.will_answer(200, portal if count != 1 else b"")
        with pytest.raises(RetryableError, match="in between"):
            api.upload_resumably(ID, big)


def test_map_that_is_no_number_is_announced_as_none_is(api: HubApi, script: Any, big: Upload) -> None:
    script.will_answer(201, location="/u", **offset(big.checkpoint.size_bytes))
    final = replace(big.checkpoint, is_final=True, map=math.inf)
    api.upload_resumably(ID, replace(big, checkpoint=final))
    assert wire.parse_upload_metadata(script.headers[0]["upload-metadata"])["map"] == "0.0"


def test_hub_that_does_not_say_where_it_begins_is_asked(api: HubApi, script: Any, big: Upload) -> None:
    script.will_answer(201, location="/u")
    script.will_answer(200, **offset(0))
    script.will_answer(204, **offset(big.checkpoint.size_bytes))
    api.upload_resumably(ID, big)
    assert [method for method, _, _ in script.heard] == ["POST", "HEAD", "PATCH"]


def test_resumable_upload_continues_where_it_broke_off(api: HubApi, script: Any, big: Upload) -> None:
    chunk = wire.TUS_CHUNK_BYTES
    script.will_answer(200, **offset(2 * chunk))
    script.will_answer(204, **offset(2 * chunk + 5))
    api.upload_resumably(ID, replace(big, url=f"{script.url}/u"))
    assert [(method, body) for method, _, body in script.heard] == [("HEAD", b""), ("PATCH", b"xxxxx")]


def test_forgotten_upload_is_announced_anew(api: HubApi, script: Any, big: Upload) -> None:
    script.will_answer(404, tus_resumable="1.0.0")
    script.will_answer(201, location="/v1/new")
    script.will_answer(200, **offset(big.checkpoint.size_bytes))  # the hub has it already
    api.upload_resumably(ID, replace(big, url=f"{script.url}/forgotten"))
    assert [path for _, path, _ in script.heard] == ["/forgotten", f"/v1/models/{ID}/uploads", "/v1/new"]


def test_upload_is_not_forgotten_because_a_gateway_says_so(api: HubApi, script: Any, big: Upload) -> None:
    script.will_answer(404, b"<h1>nginx</h1>")
    with pytest.raises(PermanentError) as caught:
        api.upload_resumably(ID, replace(big, url=f"{script.url}/begun"))
    assert not caught.value.is_hubs
    assert len(script.heard) == 1


@pytest.mark.parametrize("status", [404, 409, 410, 423, 460])
def test_upload_out_of_step_is_tried_again(api: HubApi, script: Any, big: Upload, status: int) -> None:
    script.will_answer(200, **offset(0))
    script.will_answer(status)
    with pytest.raises(RetryableError, match=str(status)):
        api.upload_resumably(ID, replace(big, url=f"{script.url}/u"))


def test_reply_without_an_offset_is_not_the_hubs(api: HubApi, script: Any, big: Upload) -> None:
    script.will_answer(200)
    with pytest.raises(RetryableError, match="in between"):
        api.upload_resumably(ID, replace(big, url=f"{script.url}/u"))
