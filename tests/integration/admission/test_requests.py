"""Requests that no client of ours sends: forged links, guessed keys, names that lead elsewhere, bodies of no form."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from hub_callbacks import wire
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
    with closing(sqlite3.connect(team.hub.data_dir / "hub" / "hub.db")) as database:
        ((secret,),) = database.execute("SELECT value FROM secrets WHERE name = 'signing'")
    signer, file_id = Signer(secret=secret, clock=time.time), wire.new_id()
    tokens = {
        signer.sign("file", file_id, ttl_s=60): 404,  # a good one: there is no such file
        signer.sign("file", file_id, ttl_s=-1): 403,
        signer.sign("file", wire.new_id(), ttl_s=60): 403,
        signer.sign("session", file_id, ttl_s=60): 403,
        signer.sign("file", file_id, ttl_s=60) + "x": 403,
    }
    for token, status in tokens.items():
        reply = team.send("nobody", "GET", f"/v1/files/{file_id}/x.pt", params={"token": token})
        assert reply.status_code == status


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


def names(path: str) -> Iterable[str]:
    for name in (
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/hub.db",
        "..\\hub.db",
        "%00",
        "a/../../b",
        "\u202e",
    ):
        yield path.replace("NAME", name)


@pytest.mark.parametrize(
    "path",
    [
        *names("/static/x/NAME"),
        *names("/static/NAME/app.css"),
        *names("/v1/files/NAME/x"),
        *names("/v1/files/x/NAME"),
        *names("/v1/models/NAME"),
        *names("/v1/models/NAME/checkpoints"),
        *names("/v1/models/NAME/artifacts"),
        *names("/v1/models/x/artifacts/NAME"),
        *names("/v1/models/x/uploads/NAME"),
        *names("/v1/datasets/NAME"),
        *names("/v1/projects/NAME"),
        *names("/v1/users/NAME"),
        *names("/v1/runs/NAME"),
        *names("/models/NAME"),
        *names("/live/models/NAME"),
    ],
)
def test_no_name_leads_out_of_the_hub(team: Team, path: str) -> None:
    url = requests.Request("GET", team.hub.url).prepare()
    url.url = team.hub.url + path  # as it is: requests would take the dots out
    url.headers[wire.API_KEY_HEADER] = team.keys["admin"]
    reply = requests.Session().send(url, timeout=20, allow_redirects=False)
    assert reply.status_code in {303, 403, 404, 405, 422}
    assert b"root:" not in reply.content
    assert b"SQLite format" not in reply.content


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
