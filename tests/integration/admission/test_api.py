"""Each route of the hub for each kind of caller, by the table that says who may call it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import requests

from hub_callbacks import wire
from hub_callbacks.server.admission import ADMISSION, MEANINGS, routes
from hub_callbacks.server.app import create_app
from hub_callbacks.server.folder import open_folder
from tests.integration.admission.callers import CHANGERS, NO_KEY, READER, STRANGERS, Team, of, request, things

REFUSED = {401, 403, 404}


def test_every_route_is_in_the_table(tmp_path: Path) -> None:
    with open_folder(tmp_path) as folder:
        assert set(routes(create_app(folder.store, folder.blobs))) - {"HEAD /openapi.json"} == set(ADMISSION)
    assert set(ADMISSION.values()) == set(MEANINGS)


@pytest.mark.parametrize("route", of("reader", "public", "viewer", "trainer", "changer", "themselves", "admin"))
def test_route_knows_nobody_without_a_good_key(team: Team, route: str) -> None:
    method, path, body = request(route, things(team))
    assert {team.send(who, method, path, **body).status_code for who in NO_KEY} == {401}


@pytest.mark.parametrize("route", of("reader"))
def test_thing_does_not_exist_for_those_that_it_is_not_shared_with(team: Team, route: str) -> None:
    method, path, body = request(route, things(team))
    assert {team.send(who, method, path, **body).status_code for who in STRANGERS} == {404}
    own = {team.send(who, method, path, **body).status_code for who in (READER, *CHANGERS)}
    assert own == ({404} if "artifact_id" in route else {200})


@pytest.mark.parametrize("route", of("changer"))
def test_thing_is_changed_by_those_who_may(team: Team, route: str) -> None:
    is_about_project = "{project_id}" in route
    for who in (*STRANGERS, READER, *CHANGERS):
        ids = things(team)
        method, path, body = request(route, ids)
        status = team.send(who, method, path, **body).status_code
        if who in {"guest", READER} or (who == "helper" and is_about_project):
            assert status == 403, who
        elif who in STRANGERS:
            assert status == 404, who
        else:  # what the body lacks is another matter
            assert status not in REFUSED or "upload_id" in path or (status == 404 and "{upload_id}" in route), who


@pytest.mark.parametrize("route", of("trainer"))
def test_things_are_made_by_trainers(team: Team, route: str) -> None:
    method, path, body = request(route, things(team))
    statuses = {who: team.send(who, method, path, **body).status_code for who in ("guest", "stranger", "admin")}
    assert statuses == {"guest": 403, "stranger": 200, "admin": 200}


@pytest.mark.parametrize("route", of("public", "viewer"))
def test_viewers_are_let_in(team: Team, route: str) -> None:
    ids = things(team)
    method, path, body = request(route, ids)
    assert {team.send(who, method, path, **body).status_code for who in (READER, *CHANGERS)} == {200}
    is_shared = "{project_id}" in route
    assert team.send("guest", method, path, **body).status_code == (404 if is_shared else 200)


@pytest.mark.parametrize("route", of("public"))
def test_lists_show_what_is_shared_only(team: Team, route: str) -> None:
    ids = things(team)
    method, path, _ = request(route, ids)
    public = requests.request(method, team.hub.url + path, params={"public": "True"}, timeout=20)
    assert (public.status_code, public.json()["data"]["results"]) == (200, [])
    for who in (*STRANGERS, READER, *CHANGERS):
        shown = team.send(who, method, path, params={"limit": 1000}).json()["data"]["results"]
        seen = {one["id"] for one in shown} & set(ids.values())
        assert bool(seen) == (who not in STRANGERS), who


def test_runs_are_told_of_to_those_that_they_are_shared_with_only(team: Team) -> None:
    model_id = things(team)["model_id"]
    path, chosen = "/v1/runs/metrics.csv", {"run": model_id}
    for who in (*STRANGERS, READER, *CHANGERS):
        found = team.send(who, "GET", "/v1/runs", params={"limit": 1000}).json()["data"]["results"]
        assert (model_id in {run["id"] for run in found}) == (who not in STRANGERS), who
        assert team.send(who, "GET", path, params=chosen).status_code == (404 if who in STRANGERS else 200), who


@pytest.mark.parametrize("route", of("themselves"))
def test_people_see_to_themselves(team: Team, route: str) -> None:
    for who, is_let in [("owner", True), ("admin", True), *((who, False) for who in (*STRANGERS, READER, "helper"))]:
        method, path, body = request(route, things(team))
        assert (team.send(who, method, path, **body).status_code in REFUSED) != is_let, who


@pytest.mark.parametrize("route", of("admin"))
def test_people_are_seen_to_by_admins(team: Team, route: str) -> None:
    ids = things(team) | {"user_id": team.ask("admin", wire.USERS)["id"]}
    method, path, body = request(route, ids)
    assert {team.send(who, method, path, **body).status_code for who in (*STRANGERS, READER, "owner")} == {403}
    limited = replace(team, keys={"limited": team.ask("admin", wire.KEYS, role="admin")["key"]})
    assert limited.send("limited", method, path, **body).status_code == 403
    assert team.send("admin", method, path, **body).status_code == 200


@pytest.mark.parametrize("route", of("anyone"))
def test_anyone_is_answered(team: Team, route: str) -> None:
    method, path, body = request(route, things(team))
    expected = {"POST /v1/auth/email": 401, "POST /login": 401, "GET /static/{version}/{name}": 404}
    refused = team.send("nobody", method, path, **body).status_code
    assert refused == expected.get(route) if route in expected else refused not in REFUSED


def test_document_says_where_no_key_is_needed(team: Team) -> None:
    paths = team.send("nobody", "GET", "/openapi.json").json()["paths"]
    assert {} in paths[wire.MODELS]["get"]["security"]
    assert {} not in paths[wire.MODELS]["post"]["security"]
