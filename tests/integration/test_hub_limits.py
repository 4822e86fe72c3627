"""What a hub takes at most, set low, and what it says beyond; and clients that only want to keep it busy."""

from __future__ import annotations

import hashlib
import io
import socket
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from hub_callbacks import wire
from hub_callbacks.kinds import COUNT, MEGABYTES, SECONDS
from hub_callbacks.server.limits import DEFAULTS, Limits
from hub_callbacks.settings import Settings, env_name, table
from tests.integration.processes import eventually

if TYPE_CHECKING:
    from tests.hubs import HubServer

MIB = 1 << 20
NUMBERS = (COUNT, MEGABYTES, SECONDS)
LIMITS = {
    "max_body_mb": 1,
    "max_file_mb": 2,
    "max_unpacked_mb": 4,
    "max_name_chars": 64,
    "max_nesting": 4,
    "max_row_keys": 8,
    "max_rows": 3,
    "max_uploads": 2,
    "max_image_mb": 1,
    "max_artifact_mb": 1,
    "max_text_mb": 0.5,
    "max_artifacts": 2,
    "max_files": 3,
}


@pytest.fixture(scope="module")
def small(start_hub: Callable[..., HubServer], tmp_path_factory: pytest.TempPathFactory) -> HubServer:
    """A hub that takes little."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in LIMITS.items():
            patch.setenv(env_name(name), str(value))
        return start_hub(tmp_path_factory.mktemp("small"))


def refusal(reply: requests.Response) -> tuple[int, bool]:
    return reply.status_code, reply.json()["success"]


def new_model(hub: HubServer) -> str:
    return str(hub.ask("POST", wire.MODELS, json={})["id"])


def nested(depth: int) -> dict[str, Any]:
    return {"a": nested(depth - 1)} if depth > 1 else {}


@pytest.mark.parametrize("path", [wire.MODELS, wire.DATASETS, wire.PROJECTS, wire.USERS, wire.KEYS, "/model-reset"])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_body_that_is_too_large_is_refused(small: HubServer, path: str, is_chunked: bool) -> None:
    body = b'{"x": "' + bytes(MIB).replace(b"\0", b"x") + b'"}'
    sent: Any = iter([body]) if is_chunked else body
    reply = small.send("POST", path, data=sent, headers={"content-type": "application/json"})
    assert refusal(reply) == (413, False)


def test_form_of_a_page_is_no_way_around(small: HubServer) -> None:
    form = {"key": "x" * MIB}
    reply = requests.post(f"{small.url}/login", data=form, headers={"origin": small.url}, timeout=20)
    assert reply.status_code == 413


@pytest.mark.parametrize("path", [wire.MODELS, wire.DATASETS, wire.PROJECTS, wire.USERS])
@pytest.mark.parametrize(
    "body", [{"meta": {"name": "x" * 65}}, {"x" * 65: 1}, {"keep": [{"y" * 65: 1}]}, {"keep": nested(5)}]
)
def test_name_that_is_too_long_and_body_that_is_too_deep_are_refused(
    small: HubServer, path: str, body: dict[str, Any]
) -> None:
    thing_id = small.ask("POST", path, json={"meta": {"name": "x" * 64}, "y" * 64: nested(3)})["id"]
    assert refusal(small.send("POST", path, json=body)) == (422, False)
    assert refusal(small.send("PATCH", f"{path}/{thing_id}", json=body)) == (422, False)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_json_that_would_exhaust_the_stack_is_refused(small: HubServer, text: str) -> None:
    json_type = {"content-type": "application/json"}
    assert 400 <= small.send("POST", wire.MODELS, data=text, headers=json_type).status_code < 500
    row = {"type": "metrics", "metrics": {"1": text}}
    assert small.send("POST", wire.model(new_model(small)), json=row).status_code == 422


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ({str(epoch): '{"loss": 1}' for epoch in range(3)}, 200),
        ({str(epoch): '{"loss": 1}' for epoch in range(4)}, 413),
        ({"0": "{" + ", ".join(f'"m{n}": 1' for n in range(8)) + "}"}, 200),
        ({"0": "{" + ", ".join(f'"m{n}": 1' for n in range(9)) + "}"}, 422),
        ({"0": '{"' + "m" * 65 + '": 1}'}, 422),
    ],
)
def test_metrics_that_are_too_many_are_refused(small: HubServer, rows: dict[str, str], status: int) -> None:
    body = {"type": "metrics", "metrics": rows}
    assert small.send("POST", wire.model(new_model(small)), json=body).status_code == status


def begin(hub: HubServer, model_id: str, content: bytes, size_bytes: int | None = None) -> requests.Response:
    said = {"epoch": 1, "type": "epoch", "isBest": True, wire.SHA256_FIELD: hashlib.sha256(content).hexdigest()}
    headers = {
        wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION,
        wire.UPLOAD_LENGTH_HEADER: str(size_bytes or len(content)),
        wire.UPLOAD_METADATA_HEADER: wire.upload_metadata(said),
    }
    return hub.send("POST", wire.uploads(model_id), headers=headers)


def with_new_key(hub: HubServer) -> HubServer:
    return replace(hub, key=hub.ask("POST", wire.KEYS, json={})["key"])


def test_uploads_in_progress_are_counted_by_key(small: HubServer) -> None:
    model_id, mine, other = new_model(small), with_new_key(small), with_new_key(small)
    begun = [begin(mine, model_id, content) for content in (b"first", b"second")]
    assert [reply.status_code for reply in begun] == [201, 201]
    assert begin(mine, model_id, b"first").status_code == 201  # the same one again
    assert refusal(begin(mine, model_id, b"third")) == (429, False)
    assert begin(other, model_id, b"third").status_code == 201
    tus = {wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION}
    assert mine.send("DELETE", begun[0].headers["location"], headers=tus).status_code == 204
    assert begin(mine, model_id, b"fourth").status_code == 201


@pytest.fixture
def begin_form(small: HubServer) -> Iterator[Callable[[str, str], socket.socket]]:
    """Begins to upload a form with a key, and sends no more of it once the hub has asked for it: it is counted then."""
    address = urlsplit(small.url)
    with ExitStack() as stack:

        def begin_one(path: str, key: str) -> socket.socket:
            client = socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=20)
            stack.enter_context(client)
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{wire.API_KEY_HEADER}: {key}\r\nContent-Length: 999\r\n"
            form = "Content-Type: multipart/form-data; boundary=x\r\nExpect: 100-continue\r\n\r\n"
            client.sendall(f"{head}{form}".encode())
            assert client.recv(99).startswith(b"HTTP/1.1 100 ")
            client.sendall(b"--x\r\n")
            return client

        yield begin_one


@pytest.mark.parametrize("kind", ["model", "artifact", "dataset", "project"])
def test_forms_in_progress_are_counted_with_the_uploads(
    small: HubServer, begin_form: Callable[[str, str], socket.socket], kind: str
) -> None:
    mine = with_new_key(small)
    model_id = new_model(mine)
    path = {
        "model": wire.upload(model_id),
        "artifact": wire.artifacts(model_id),
        "dataset": f"{wire.dataset(mine.ask('POST', wire.DATASETS, json={})['id'])}/upload",
        "project": f"{wire.project(mine.ask('POST', wire.PROJECTS, json={})['id'])}/upload",
    }[kind]

    def status() -> int:
        return mine.send("POST", path, files={"x": b"x"}).status_code

    assert begin(mine, model_id, b"first").status_code == 201
    stuck = begin_form(path, mine.key)
    assert status() == 429
    assert refusal(begin(mine, model_id, b"second")) == (429, False)
    assert small.send("POST", path, files={"x": b"x"}).status_code == 422  # with another key
    stuck.close()
    eventually(lambda: status() == 422)
    assert begin(mine, model_id, b"second").status_code == 201
    assert status() == 429


def zipped(content: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("archive/data.pkl", content)
    return file.getvalue()


def test_file_that_is_too_large_is_refused(small: HubServer) -> None:
    model_id, dataset_id = new_model(small), small.ask("POST", wire.DATASETS, json={})["id"]
    dataset = f"{wire.dataset(dataset_id)}/upload"
    assert small.send("POST", dataset, files={"a.zip": zipped(bytes(MIB + MIB // 2))}).status_code == 200
    assert refusal(small.send("POST", dataset, files={"a.zip": zipped(bytes(2 * MIB))})) == (413, False)
    bomb = zipped(bytes(5 * MIB), zipfile.ZIP_DEFLATED)
    assert refusal(small.send("POST", dataset, files={"a.zip": bomb})) == (422, False)
    form = {"epoch": "1", "type": "final"}
    checkpoint = {"best.pt": zipped(bytes(2 * MIB))}
    assert refusal(small.send("POST", wire.upload(model_id), data=form, files=checkpoint)) == (413, False)
    assert begin(small, model_id, b"x", 2 * MIB + 1).status_code == 413


PNG = b"\x89PNG\r\n\x1a\n" + bytes(4) + b"IHDR" + bytes(8)


def test_pictures_and_files_of_a_run_have_limits_of_their_own(small: HubServer) -> None:
    model_id, project_id = new_model(small), small.ask("POST", wire.PROJECTS, json={})["id"]

    def put(name: str, content: bytes) -> requests.Response:
        return small.send("POST", wire.artifacts(model_id), data={"kind": "plot"}, files={name: (name, content)})

    picture = PNG + bytes(MIB // 2) + b"IEND\xaeB`\x82"
    assert put("a.png", picture).status_code == 200
    assert refusal(put("b.png", PNG + bytes(MIB) + b"IEND\xaeB`\x82")) == (413, False)
    assert refusal(put("b.json", b'"' + b"x" * (MIB // 2) + b'"')) == (413, False)
    assert put("b.json", b'"' + b"x" * (MIB // 4) + b'"').status_code == 200
    assert refusal(put("c.png", picture)) == (409, False)
    image = f"{wire.project(project_id)}/upload"
    assert small.send("POST", image, files={"a.png": picture}).status_code == 200
    assert refusal(small.send("POST", image, files={"a.png": PNG + bytes(MIB)})) == (413, False)


def test_data_set_of_too_many_files_is_refused(small: HubServer) -> None:
    path = f"{wire.dataset(small.ask('POST', wire.DATASETS, json={})['id'])}/upload"
    for count, status in ((3, 200), (4, 422)):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for number in range(count):
                archive.writestr(f"{number}.txt", "x")
        assert small.send("POST", path, files={"a.zip": file.getvalue()}).status_code == status


def test_every_limit_has_its_setting() -> None:
    settings: dict[str, Any] = {
        row.name: 7 if row.metadata["kind"] is COUNT else 7.5 for row in table() if row.metadata["kind"] in NUMBERS
    }
    limits = Limits.of(replace(Settings.load({}), **settings))
    assert [field.name for field in fields(Limits) if getattr(limits, field.name) == getattr(DEFAULTS, field.name)] == [
        "hosts"
    ]


def test_part_of_a_form_whose_head_does_not_end_is_refused(small: HubServer) -> None:
    body = b"--x\r\nContent-Disposition: form-data; name=" + b"y" * MIB
    headers = {"content-type": "multipart/form-data; boundary=x"}
    reply = small.send("POST", wire.upload(new_model(small)), data=body, headers=headers)
    assert refusal(reply) == (422, False)
    assert "header size" in reply.json()["message"]


@pytest.fixture
def crowd(small: HubServer) -> Iterator[Callable[[bytes], None]]:
    """Opens connections that send so much and no more."""
    address = urlsplit(small.url)
    with ExitStack() as stack:

        def open_all(start: bytes) -> None:
            for _ in range(100):
                client = socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=20)
                stack.enter_context(client)
                client.sendall(start)

        yield open_all


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"POST /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ",
        b"POST /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
        b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 99\r\n\r\nkey=",
        b"POST /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: 9000000\r\n\r\n" + b"[" * (MIB + MIB // 8),
    ],
    ids=["silent", "head", "body", "form", "oversized"],
)
def test_slow_clients_keep_nobody_waiting(small: HubServer, crowd: Callable[[bytes], None], start: bytes) -> None:
    crowd(start)
    for _ in range(20):
        small.ask("GET", wire.MODELS)
