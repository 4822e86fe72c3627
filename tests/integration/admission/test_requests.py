"""Requests that no client of ours sends: forged links, guessed keys, names that lead elsewhere, bodies of no form."""

from __future__ import annotations

import io
import re
import sqlite3
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from hub_callbacks import wire
from hub_callbacks.server.admission import ADMISSION
from hub_callbacks.server.signing import Signer
from tests.integration.admission.callers import Team, of, request, things

if TYPE_CHECKING:
    from tests.hubs import HubServer


@pytest.mark.parametrize("route", of("link"))
@pytest.mark.parametrize("token", ["", "x", "9999999999.ID.x", "0.ID.x", "9999999999..", "\u0661.ID.x"])
def test_forged_link_opens_nothing(team: Team, route: str, token: str) -> None:
    ids = things(team)
    method, path, _ = request(route, ids)
    params = {"token": token.replace("ID", ids["file_id"])}
    statuses = {team.send(who, method, path, params=params).status_code for who in ("nobody", "admin")}
    assert statuses == {403}


def test_link_is_good_for_its_file_and_its_time_only(team: Team) -> None:
    model_id = team.ask("owner", wire.MODELS)["id"]
    path, form = wire.upload(model_id), {"epoch": "1", "type": "epoch"}
    assert team.send("owner", "POST", path, data=form, files={"last.pt": CHECKPOINT}).ok
    (stored,) = team.send("owner", "GET", wire.checkpoints(model_id)).json()["data"]
    with closing(sqlite3.connect(team.hub.data_dir / "hub" / "hub.db")) as database:
        ((secret,),) = database.execute("SELECT value FROM secrets WHERE name = 'signing'")
    signer, file_id = Signer(secret=secret, clock=time.time), stored["id"]
    tokens = {
        signer.sign("file", file_id, ttl_s=60): 200,
        signer.sign("file", file_id, ttl_s=-1): 403,
        signer.sign("file", wire.new_id(), ttl_s=60): 403,
        signer.sign("session", file_id, ttl_s=60): 403,
        signer.sign("file", file_id, ttl_s=60) + "x": 403,
        Signer(secret=secret[::-1], clock=time.time).sign("file", file_id, ttl_s=60): 403,
    }
    for token, status in tokens.items():
        reply = team.send("nobody", "GET", f"/v1/files/{file_id}/x.pt", params={"token": token})
        assert (reply.status_code, reply.content == CHECKPOINT) == (status, status == 200)


def test_guessed_keys_are_refused_after_a_while_and_others_are_served(
    start_hub: Callable[..., HubServer], tmp_path: Path
) -> None:
    hub = start_hub(tmp_path)
    statuses = [
        requests.post(f"{hub.url}/login", data={"key": f"{n:042}"}, headers={"origin": hub.url}, timeout=20).status_code
        for n in range(52)
    ]
    assert statuses == [401] * 50 + [429] * 2
    assert hub.send("GET", wire.MODELS).status_code == 200


NAMES = (
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/hub.db",
    "..\\hub.db",
    "%00",
    "a/../../b",
    "\u202e",
    "%0d%0aset-cookie:%20x=y",
)
NAMED = [  # but for what a client may ask of any name: which tus the hub speaks
    (route, part) for route in ADMISSION if "OPTIONS" not in route for part in re.findall(r"\{(.*?)\}", route)
]


@pytest.mark.parametrize(("route", "part"), NAMED, ids=lambda value: value)
def test_no_name_leads_out_of_the_hub(team: Team, placed: dict[str, str], route: str, part: str) -> None:
    for name in NAMES:
        method, path, body = request(route, {**placed, part: name})
        asked = requests.Request(method, team.hub.url, **body).prepare()
        asked.url = team.hub.url + path  # as it is: requests would take the dots out
        asked.headers.update({wire.API_KEY_HEADER: team.keys["admin"], wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION})
        reply = requests.Session().send(asked, timeout=20, allow_redirects=False)
        assert reply.status_code in {303, 401, 403, 404, 405, 415, 422, 501}, name
        assert b"root:" not in reply.content
        assert b"SQLite format" not in reply.content
        assert "set-cookie" not in reply.headers


@pytest.fixture(scope="module")
def placed(team: Team) -> dict[str, str]:
    """A project that is shared, and one of everything in it; the tests change none of it."""
    return things(team)


FILENAMES = (
    "../../../escaped.pt",
    "..\\..\\escaped.pt",
    "/escaped.pt",
    'x"; a="b.pt',
    "x\r\nset-cookie: x=y",
    "",
    "." * 300,
)
CHECKPOINT = b"PK\x03\x04" + bytes(100) + b"PK\x05\x06" + bytes(18)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(4) + b"IHDR" + bytes(8) + b"IEND\xaeB`\x82"


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("data.yaml", "names: [cat]")
    return file.getvalue()


@pytest.mark.parametrize("filename", FILENAMES)
@pytest.mark.parametrize(
    ("path", "content", "fields"),
    [
        (wire.upload("{model_id}"), CHECKPOINT, {"epoch": "1", "type": "epoch"}),
        (wire.artifacts("{model_id}"), PNG, {"kind": "plot"}),
        (f"{wire.dataset('{dataset_id}')}/upload", archive(), {}),
        (f"{wire.project('{project_id}')}/upload", PNG, {}),
    ],
    ids=["checkpoint", "artifact", "data set", "image"],
)
def test_name_of_an_uploaded_file_leads_nowhere(
    team: Team, placed: dict[str, str], path: str, content: bytes, fields: dict[str, str], filename: str
) -> None:
    for name, value in placed.items():
        path = path.replace(f"{{{name}}}", value)
    lines = [f'--x\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields.items()]
    quoted = filename.replace("\\", "\\\\").replace('"', '\\"')
    head = "".join([*lines, f'--x\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\n\r\n'])
    headers = {wire.API_KEY_HEADER: team.keys["admin"], "content-type": "multipart/form-data; boundary=x"}
    before = {file for file in team.hub.data_dir.rglob("*") if "blobs" not in file.parts}
    reply = requests.post(
        team.hub.url + path, data=head.encode() + content + b"\r\n--x--\r\n", headers=headers, timeout=20
    )
    assert reply.status_code in {200, 422}, reply.text
    after = {file for file in team.hub.data_dir.rglob("*") if "blobs" not in file.parts}
    assert {file.name for file in after - before} <= {"hub.db-wal", "hub.db-shm"}
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in team.hub.blobs())
    if reply.ok and (url := reply.json()["data"].get("url")):
        found = requests.get(url, timeout=20)
        assert found.content == content
        assert re.fullmatch(
            r'attachment; filename="[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}"', found.headers["content-disposition"]
        )
        assert found.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (wire.MODELS, "GET, POST"),
        (wire.model("x"), "DELETE, GET, PATCH, POST"),
        (f"{wire.uploads('x')}/y", "DELETE, HEAD, OPTIONS, PATCH"),
    ],
)
def test_method_that_is_not_taken_is_answered_with_those_that_are(team: Team, path: str, allowed: str) -> None:
    reply = team.send("admin", "PUT", path)
    assert (reply.status_code, reply.headers["allow"], reply.json()["success"]) == (405, allowed, False)


@pytest.mark.parametrize("body", [b"\xff\xfe{", b"{", b"[" * 100_000, b""])
def test_body_that_is_no_json_is_refused(team: Team, body: bytes) -> None:
    headers = {wire.API_KEY_HEADER: team.keys["admin"], "content-type": "application/json"}
    reply = requests.post(team.hub.url + wire.MODELS, data=body, headers=headers, timeout=20)
    assert (reply.status_code, reply.json()["success"]) == (422, False)
