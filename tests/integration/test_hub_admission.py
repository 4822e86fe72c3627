"""Each route of the hub for each kind of caller, by the table that says who may call it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
import requests

from hub_callbacks import wire
from hub_callbacks.server.admission import ADMISSION, MEANINGS, Who, routes
from hub_callbacks.server.app import create_app
from hub_callbacks.server.folder import open_folder
from hub_callbacks.server.signing import Signer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.hubs import HubServer

NO_KEY = ("nobody", "forged", "expired", "revoked", "id token of another hub")
STRANGERS = ("stranger", "guest", "key of another project")  # a trainer and a viewer, with whom nothing is shared
READER = "reader"  # a viewer with whom the project is shared
CHANGERS = ("owner", "helper", "admin")  # helper: a trainer with whom the project is shared
KEYS = (*NO_KEY, *STRANGERS, READER, *CHANGERS)
BODIES: dict[str, Any] = {
    "POST /v1/models/{model_id}": {"type": "metrics", "metrics": {}},
    "POST /v1/models/{model_id}/state": {"state": "running"},
    "POST /v1/models/{model_id}/commands": {"command": "stop"},
    "PUT /v1/projects/{project_id}/members/{user}": {"role": "viewer"},
}
REFUSED = {401, 403, 404}
KEYED: tuple[Who, ...] = ("viewer", "trainer", "changer", "themselves", "admin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A hub with people in every relation to a project of its owner's."""

    hub: HubServer
    keys: dict[str, str]
    ids: dict[str, str]

    def send(self, who: str, method: str, path: str, **kwargs: Any) -> requests.Response:
        headers = {wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION}
        if who != "nobody":
            headers[wire.API_KEY_HEADER] = self.keys[who]
        if "." in self.keys.get(who, ""):
            headers = {**headers, "authorization": f"Bearer {self.keys[who]}"}
        return requests.request(
            method, self.hub.url + path, headers=headers, timeout=20, allow_redirects=False, **kwargs
        )

    def session(self, who: str) -> requests.Session:
        session = requests.Session()
        form = {"key": self.keys.get(who, "")}
        session.post(f"{self.hub.url}/login", data=form, headers={"origin": self.hub.url}, timeout=20)
        return session

    def ask(self, who: str, path: str, **body: Any) -> Any:
        return self.send(who, "POST", path, json=body).json()["data"]


@pytest.fixture(scope="module")
def team(start_hub: Callable[..., HubServer], tmp_path_factory: pytest.TempPathFactory) -> Team:
    """The hub that the tests of this module share."""
    hub = start_hub(tmp_path_factory.mktemp("team"))
    keys = {"admin": hub.key, "forged": wire.new_key(), "id token of another hub": "9999999999.user-x-none.xxxx"}
    team = Team(hub=hub, keys=keys, ids={})
    roles = {"owner": "trainer", "helper": "trainer", "stranger": "trainer", READER: "viewer", "guest": "viewer"}
    for name, role in roles.items():
        team.ids[name] = str(team.ask("admin", wire.USERS, name=name, role=role)["id"])
        keys[name] = str(team.ask("admin", wire.KEYS, userId=team.ids[name])["key"])
    keys["expired"] = str(team.ask("owner", wire.KEYS, expiresAt=time.time() - 1)["key"])
    revoked = team.ask("owner", wire.KEYS)
    keys["revoked"] = str(revoked["key"])
    assert team.send("owner", "DELETE", wire.key(revoked["id"])).ok
    other = team.ask("owner", wire.PROJECTS)["id"]
    keys["key of another project"] = str(team.ask("owner", wire.KEYS, projectId=other)["key"])
    return team


def things(team: Team) -> dict[str, str]:
    """A project that is shared, and one of everything in it."""
    project = team.ask("owner", wire.PROJECTS)["id"]
    for name, role in ((READER, "viewer"), ("helper", "trainer")):
        member = f"{wire.members(project)}/{team.ids[name]}"
        assert team.send("owner", "PUT", member, json={"role": role}).ok
    return {
        "project_id": project,
        "model_id": team.ask("owner", wire.MODELS, projectId=project)["id"],
        "dataset_id": team.ask("owner", wire.DATASETS, projectId=project)["id"],
        "user": team.ids["guest"],
        "user_id": team.ids["owner"],
        "key_id": team.ask("owner", wire.KEYS)["id"],
        "form": "csv",
        "upload_id": wire.new_id(),
        "artifact_id": wire.new_id(),
        "file_id": wire.new_id(),
        "name:path": "x.pt",
        "version": "x",
        "name": "x",
    }


def request(route: str, ids: dict[str, str]) -> tuple[str, str, dict[str, Any]]:
    """Method, path and body of a request to the route that is about these things."""
    method, _, path = route.partition(" ")
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    body = {
        "POST /model-reset": {"modelId": ids["model_id"]},
        "POST /v1/storage": {"collection": "models", "docId": ids["model_id"]},
        "POST /v1/auth/email": {"email": "x@example.org", "password": "x"},
    }
    return method, path, {"json": {**BODIES, **body}.get(route, {})}


def of(*kinds: Who) -> list[str]:
    return [route for route, who in ADMISSION.items() if who in kinds]


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


@pytest.mark.parametrize("route", of("link"))
@pytest.mark.parametrize("token", ["", "x", "9999999999.ID.x", "0.ID.x", "9999999999..", "\u0661.ID.x"])
def test_forged_link_opens_nothing(team: Team, route: str, token: str) -> None:
    ids = things(team)
    method, path, _ = request(route, ids)
    params = {"token": token.replace("ID", ids["file_id"])}
    statuses = {team.send(who, method, path, params=params).status_code for who in ("nobody", "admin")}
    assert statuses == {403}


@pytest.fixture(scope="module")
def no_sessions(team: Team) -> dict[str, requests.Session]:
    """What those have whose sign-in failed: one for each, for the hub soon hears no more of them."""
    return {who: team.session(who) for who in ("nobody", "forged", "expired", "revoked")}


@pytest.mark.parametrize("route", of("page", "page-changer", "session"))
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


@pytest.mark.parametrize("route", of("page-changer"))
def test_page_changes_runs_for_those_who_may_and_from_its_own_forms(team: Team, route: str) -> None:
    for who, origin in [*((who, team.hub.url) for who in (*STRANGERS, READER)), ("owner", "https://evil.example")]:
        ids = things(team)
        method, path, _ = request(route, ids)
        team.session(who).request(
            method, team.hub.url + path, headers={"origin": origin}, data={"name": "stolen"}, timeout=20
        )
        model = team.send("owner", "GET", wire.model(ids["model_id"])).json()["data"]
        assert (model["meta"]["name"], model["run"]["stopAskedFor"]) == ("", None), (who, origin)


WRITING = [
    route for route in ADMISSION if not route.startswith(("GET", "HEAD", "OPTIONS")) and ADMISSION[route] in KEYED
]


@pytest.mark.parametrize("route", WRITING)
def test_session_is_no_good_from_other_sites(team: Team, admin_session: requests.Session, route: str) -> None:
    ids = dict.fromkeys(("model_id", "project_id", "dataset_id", "upload_id", "user", "user_id", "key_id"), "x" * 20)
    method, path, body = request(route, ids)
    for origin in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "same-site"}, {}):
        headers = {wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION, **origin}
        reply = admin_session.request(method, team.hub.url + path, headers=headers, timeout=20, **body)
        assert reply.status_code == 403, origin


@pytest.fixture(scope="module")
def admin_session(team: Team) -> requests.Session:
    return team.session("admin")


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


def test_document_says_where_no_key_is_needed(team: Team) -> None:
    paths = team.send("nobody", "GET", "/openapi.json").json()["paths"]
    assert {} in paths[wire.MODELS]["get"]["security"]
    assert {} not in paths[wire.MODELS]["post"]["security"]
