"""What pages show and change, and for whom: a session is needed, from the hub's own forms."""

from __future__ import annotations

import pytest
import requests

from hub_callbacks import wire
from hub_callbacks.server.admission import ADMISSION, Who
from tests.integration.admission.callers import READER, STRANGERS, Team, of, request, things

KEYED: tuple[Who, ...] = ("viewer", "trainer", "changer", "themselves", "admin")
WRITING = [
    route for route in ADMISSION if not route.startswith(("GET", "HEAD", "OPTIONS")) and ADMISSION[route] in KEYED
]


@pytest.fixture(scope="module")
def no_sessions(team: Team) -> dict[str, requests.Session]:
    """What those have whose sign-in failed: one for each, for the hub soon hears no more of them."""
    return {who: team.session(who) for who in ("nobody", "forged", "expired", "revoked")}


@pytest.fixture(scope="module")
def admin_session(team: Team) -> requests.Session:
    return team.session("admin")


@pytest.mark.parametrize(
    "route", of("page", "page-trainer", "page-changer", "page-themselves", "page-admin", "session")
)
def test_page_asks_for_a_session(team: Team, no_sessions: dict[str, requests.Session], route: str) -> None:
    method, path, _ = request(route, things(team))
    for who, session in no_sessions.items():
        reply = session.request(
            method,
            team.hub.url + path,
            headers={"origin": team.hub.url},
            data={"name": "x"},
            timeout=20,
            allow_redirects=False,
        )
        assert (reply.status_code, reply.headers.get("location", "")[:6]) in {(303, "/login"), (401, "")}, who


@pytest.mark.parametrize("route", [one for one in of("page-changer") if "{project_id}" in one])
def test_page_changes_projects_for_those_who_may_and_from_its_own_forms(team: Team, route: str) -> None:
    form = {"name": "stolen", "user": team.ids["guest"]}
    refused = [
        *((who, team.hub.url, 404) for who in STRANGERS),
        (READER, team.hub.url, 403),
        ("helper", team.hub.url, 403),
    ]
    for who, origin, status in [*refused, ("owner", "https://evil.example", 403), ("owner", team.hub.url, 303)]:
        ids = things(team)
        method, path, _ = request(route, ids)
        reply = team.session(who).request(
            method, team.hub.url + path, headers={"origin": origin}, data=form, timeout=20, allow_redirects=False
        )
        assert reply.status_code == status, who
        if status != 303:
            project = team.send("owner", "GET", wire.project(ids["project_id"])).json()["data"]
            members = team.send("owner", "GET", wire.members(ids["project_id"])).json()["data"]
            assert (project["meta"]["name"], len(members)) == ("", 2), who


@pytest.mark.parametrize("route", of("page-trainer"))
def test_page_makes_things_for_trainers(team: Team, route: str) -> None:
    method, path, _ = request(route, things(team))
    for who, origin, status in (
        ("guest", team.hub.url, 403),
        ("stranger", "https://evil.example", 403),
        ("stranger", team.hub.url, 303),
    ):
        reply = team.session(who).request(
            method,
            team.hub.url + path,
            headers={"origin": origin},
            data={"name": "x"},
            timeout=20,
            allow_redirects=False,
        )
        assert reply.status_code == status, who


@pytest.mark.parametrize("route", [one for one in of("page-changer") if "{model_id}" in one])
def test_page_changes_runs_for_those_who_may_and_from_its_own_forms(team: Team, route: str) -> None:
    for who, origin in [*((who, team.hub.url) for who in (*STRANGERS, READER)), ("owner", "https://evil.example")]:
        ids = things(team)
        method, path, _ = request(route, ids)
        team.session(who).request(
            method, team.hub.url + path, headers={"origin": origin}, data={"name": "stolen"}, timeout=20
        )
        model = team.send("owner", "GET", wire.model(ids["model_id"])).json()["data"]
        assert (model["meta"]["name"], model["run"]["stopAskedFor"]) == ("", None), (who, origin)


@pytest.mark.parametrize("route", of("page-admin", "page-themselves"))
def test_page_about_people_is_for_admins_and_for_themselves(team: Team, route: str) -> None:
    for who in (*STRANGERS, READER, "helper", "owner", "admin"):
        user_id = team.ids["owner"] if "delete" not in route else team.ask("admin", wire.USERS)["id"]
        method, path, _ = request(route, things(team) | {"user_id": user_id})
        if "lock" in route:
            path = path.replace(user_id, team.ask("admin", wire.USERS)["id"])
        session, form = team.session(who), {"name": "owner", "email": ""}
        reply = session.request(
            method, team.hub.url + path, headers={"origin": team.hub.url}, data=form, timeout=20, allow_redirects=False
        )
        is_let = who == "admin" or (who == "owner" and ADMISSION[route] == "page-themselves")
        assert (reply.status_code in {200, 303}) == is_let, (who, reply.status_code)
        assert is_let or reply.status_code == 403, who


@pytest.mark.parametrize("route", [one for one in of("page-admin", "page-themselves") if one.startswith("POST")])
def test_page_about_people_takes_no_form_of_another_site(
    team: Team, admin_session: requests.Session, route: str
) -> None:
    user_id = team.ask("admin", wire.USERS, name="safe")["id"]
    method, path, _ = request(route, things(team) | {"user_id": user_id})
    for origin in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "same-site"}, {}):
        reply = admin_session.request(
            method, team.hub.url + path, headers=origin, data={"name": "stolen"}, timeout=20, allow_redirects=False
        )
        assert reply.status_code == 403, origin
    assert team.send("admin", "GET", wire.user(user_id)).json()["data"]["name"] == "safe"


@pytest.mark.parametrize("route", WRITING)
def test_session_is_no_good_from_other_sites(team: Team, admin_session: requests.Session, route: str) -> None:
    ids = dict.fromkeys(("model_id", "project_id", "dataset_id", "upload_id", "user", "user_id", "key_id"), "x" * 20)
    method, path, body = request(route, ids)
    for origin in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "same-site"}, {}):
        headers = {wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION, **origin}
        reply = admin_session.request(method, team.hub.url + path, headers=headers, timeout=20, **body)
        assert reply.status_code == 403, origin
