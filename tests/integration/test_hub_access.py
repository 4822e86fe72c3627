"""Who gets in: keys and roles, browsers and their cookies, other sites and other names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import requests

from hub_callbacks import wire
from hub_callbacks.server.folder import open_folder
from hub_callbacks.server.store.rows import Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.hubs import HubServer

PRIVATE = [
    ("POST", wire.AUTH),
    ("POST", wire.SIGN_IN),
    ("GET", wire.MODELS),
    ("POST", wire.MODELS),
    ("GET", wire.model("x" * 20)),
    ("POST", wire.model("x" * 20)),
    ("PATCH", wire.model("x" * 20)),
    ("DELETE", wire.model("x" * 20)),
    ("GET", wire.metrics("x" * 20)),
    ("POST", wire.upload("x" * 20)),
    ("GET", wire.checkpoints("x" * 20)),
    ("POST", wire.uploads("x" * 20)),
    ("PATCH", f"{wire.uploads('x' * 20)}/x"),
    ("DELETE", f"{wire.uploads('x' * 20)}/x"),
    ("POST", wire.commands("x" * 20)),
    ("POST", wire.state("x" * 20)),
    ("POST", wire.heartbeat("x" * 20)),
    ("POST", "/model-reset"),
]
BODIES = {
    "/model-reset": {"modelId": "x" * 20},
    wire.state("x" * 20): {"state": "running"},
    wire.commands("x" * 20): {"command": "stop"},
}
TUS = {wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION}


@pytest.fixture(scope="module")
def keys(start_hub: Callable[[Path], HubServer], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A running hub's address, and a key of it for each role; two for trainers."""
    data_dir = tmp_path_factory.mktemp("access")
    roles: dict[str, Role] = {"admin": "admin", "trainer": "trainer", "other trainer": "trainer", "viewer": "viewer"}
    with open_folder(data_dir) as folder:
        keys = {
            name: folder.store.create_key(folder.store.create_user(name, role).user_id) for name, role in roles.items()
        }
    return {**keys, "url": start_hub(data_dir).url}


def send(keys: dict[str, str], who: str, method: str, path: str, json: object = None) -> requests.Response:
    headers = {wire.API_KEY_HEADER: keys[who]} if who else {}
    return requests.request(method, keys["url"] + path, headers=headers, json=json or {}, timeout=10)


@pytest.mark.parametrize(("method", "path"), PRIVATE)
@pytest.mark.parametrize("headers", [{}, {"x-api-key": "A" * 42}, {"authorization": "Bearer x"}])
def test_private_route_asks_for_a_key(hub: HubServer, method: str, path: str, headers: dict[str, str]) -> None:
    body = {"type": "metrics", "metrics": {}, **BODIES.get(path, {})}
    response = requests.request(method, hub.url + path, headers=headers | TUS, json=body, timeout=10)
    assert (response.status_code, response.json()["success"]) == (401, False)


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_auth_knows_a_key_in_either_header(hub: HubServer, header: str) -> None:
    value = hub.key if header == "x-api-key" else f"Bearer {hub.key}"
    response = requests.post(hub.url + wire.AUTH, headers={header: value}, timeout=10)
    assert response.json()["success"] is True


def test_viewer_reads_and_does_not_write(keys: dict[str, str]) -> None:
    assert send(keys, "viewer", "GET", wire.MODELS).status_code == 200
    assert send(keys, "viewer", "POST", wire.MODELS).status_code == 403


@pytest.mark.parametrize(("who", "status"), [("trainer", 200), ("admin", 200), ("other trainer", 403), ("viewer", 403)])
def test_model_is_changed_by_its_owner_and_admins(keys: dict[str, str], who: str, status: int) -> None:
    model_id = send(keys, "trainer", "POST", wire.MODELS).json()["data"]["id"]
    assert send(keys, who, "PATCH", wire.model(model_id), {"meta": {"name": who}}).status_code == status
    assert send(keys, who, "POST", "/model-reset", {"modelId": model_id}).status_code == status
    assert send(keys, who, "DELETE", wire.model(model_id)).status_code == status


def test_proposed_id_of_another_user_is_taken(keys: dict[str, str]) -> None:
    model_id = wire.new_id()
    assert send(keys, "trainer", "POST", wire.MODELS, {"id": model_id}).status_code == 200
    assert send(keys, "other trainer", "POST", wire.MODELS, {"id": model_id}).status_code == 409


def browser(hub: HubServer) -> requests.Session:
    session = requests.Session()
    url = hub.ask("POST", wire.SIGN_IN)["url"]
    assert session.get(hub.url + url, timeout=10, allow_redirects=False).status_code == 303
    return session


def test_sign_in_link_opens_the_pages(hub: HubServer) -> None:
    assert browser(hub).get(hub.url + "/", timeout=10, allow_redirects=False).status_code == 200


def test_session_cookie_is_kept_from_scripts_and_other_sites(hub: HubServer) -> None:
    url = hub.ask("POST", wire.SIGN_IN)["url"]
    cookie = requests.get(hub.url + url, timeout=10, allow_redirects=False).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_page_leads_to_the_sign_in_page_and_back(hub: HubServer) -> None:
    response = requests.get(f"{hub.url}/?q=a%20b", timeout=10, allow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/login?next=/%3Fq%3Da%2520b")


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_sign_in_never_leads_to_another_site(hub: HubServer, target: str) -> None:
    url = hub.ask("POST", wire.SIGN_IN)["url"]
    response = requests.get(hub.url + url, params={"next": target}, timeout=10, allow_redirects=False)
    assert response.headers["location"] == "/"


@pytest.mark.parametrize("token", ["", "9999999999.x.y", "x", "..", "9999999999..", "\u0661.a.b"])
def test_forged_sign_in_link_opens_nothing(hub: HubServer, token: str) -> None:
    response = requests.get(hub.url + "/login", params={"token": token}, timeout=10, allow_redirects=False)
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"origin": "SELF"}, 200),
    ],
)
def test_browser_writes_only_from_the_hubs_own_pages(hub: HubServer, headers: dict[str, str], status: int) -> None:
    headers = {name: value.replace("SELF", hub.url) for name, value in headers.items()}
    response = browser(hub).post(hub.url + wire.MODELS, headers=headers, json={}, timeout=10)
    assert response.status_code == status


@pytest.mark.parametrize(
    ("name", "status"), [("evil.example", 421), ("evil.example:8420", 421), ("localhost", 200), ("[::1]:1", 200)]
)
def test_loopback_hub_answers_only_to_loopback_names(hub: HubServer, name: str, status: int) -> None:
    assert requests.get(hub.url + wire.HUB, headers={"host": name}, timeout=10).status_code == status


def test_store_holds_no_key(hub: HubServer) -> None:
    hub.ask("POST", wire.AUTH)
    files = [path for path in (hub.data_dir / "hub").glob("hub.db*") if path.is_file()]
    assert not [path for path in files if hub.key.encode() in path.read_bytes()]


def test_key_has_the_form_that_old_clients_split(hub: HubServer) -> None:
    assert re.fullmatch(r"[A-Za-z0-9]{42}", hub.key)


@pytest.fixture(scope="module")
def shared(keys: dict[str, str]) -> dict[str, str]:
    """What the other trainer cannot see: a model in a project of the trainer's, which is shared with nobody."""
    project_id = send(keys, "trainer", "POST", wire.PROJECTS, {"meta": {"name": "secret"}}).json()["data"]["id"]
    body = {"meta": {"name": "hidden run"}, "projectId": project_id, "run": {"project": "hidden project"}}
    return {"model": send(keys, "trainer", "POST", wire.MODELS, body).json()["data"]["id"], "project": project_id}


def signed_in(keys: dict[str, str], who: str) -> requests.Session:
    session = requests.Session()
    session.post(keys["url"] + "/login", data={"key": keys[who]}, headers={"origin": keys["url"]}, timeout=10)
    return session


@pytest.mark.parametrize(("who", "is_seen"), [("trainer", True), ("admin", True), ("other trainer", False)])
def test_pages_show_runs_of_shared_projects_only(
    keys: dict[str, str], shared: dict[str, str], who: str, is_seen: bool
) -> None:
    session, page = signed_in(keys, who), wire.page(shared["model"])
    assert (session.get(keys["url"] + page, timeout=10).status_code == 200) == is_seen
    assert (session.get(f"{keys['url']}/live{page}", timeout=10).status_code == 200) == is_seen
    for path in ("/", "/?state=new", f"/?q={shared['model']}"):
        text = session.get(keys["url"] + path, timeout=10).text
        assert ("hidden run" in text, "hidden project" in text) == (is_seen, is_seen)


@pytest.mark.parametrize(("who", "is_seen"), [("trainer", True), ("admin", True), ("other trainer", False)])
def test_numbers_are_taken_away_by_those_who_see_the_run(
    keys: dict[str, str], shared: dict[str, str], who: str, is_seen: bool
) -> None:
    own = send(keys, who, "GET", f"{wire.RUNS}?q=hidden").json()["data"]["results"]
    assert [run["id"] for run in own] == [shared["model"]] * is_seen
    named = f"?run={shared['model']}"
    paths = [wire.run(shared["model"]), wire.export("csv", shared["model"]), wire.export("csv") + named]
    wanted = 200 if is_seen else 404
    assert [send(keys, who, "GET", path).status_code for path in paths] == [wanted] * 3
    page = signed_in(keys, who).get(f"{keys['url']}/compare{named}&run={'A' * 20}&run={'B' * 20}", timeout=10)
    assert (shared["model"] in page.text.partition("Not on this hub")[2]) != is_seen


def test_deleted_run_comes_back_for_those_who_may_change_it(keys: dict[str, str], shared: dict[str, str]) -> None:
    page, origin = keys["url"] + wire.page(shared["model"]), {"origin": keys["url"]}
    owner, other = signed_in(keys, "trainer"), signed_in(keys, "other trainer")
    assert owner.post(f"{page}/delete", headers=origin, timeout=10).status_code == 200
    assert "hidden run" not in other.get(f"{keys['url']}/?deleted={shared['model']}", timeout=10).text
    assert "hidden run" in owner.get(f"{keys['url']}/?deleted={shared['model']}", timeout=10).text
    other.post(f"{page}/restore", headers=origin, timeout=10)
    assert owner.get(page, timeout=10).status_code == 404
    owner.post(f"{page}/restore", headers=origin, timeout=10)
    assert owner.get(page, timeout=10).status_code == 200


def test_browser_keeps_the_scope_of_the_key_that_it_signed_in_with(
    start_hub: Callable[[Path], HubServer], tmp_path: Path
) -> None:
    with open_folder(tmp_path) as folder:
        admin = folder.store.create_user("root", "admin")
        keys = {"viewer": folder.store.create_key(admin.user_id, role="viewer")}
    keys["url"] = start_hub(tmp_path).url
    session = signed_in(keys, "viewer")
    link = session.post(keys["url"] + wire.SIGN_IN, headers={"origin": keys["url"]}, timeout=10).json()["data"]["url"]
    linked = requests.Session()
    linked.get(keys["url"] + link, timeout=10)
    for browser_ in (session, linked):
        assert browser_.get(keys["url"] + wire.MODELS, timeout=10).status_code == 200
        refused = browser_.post(keys["url"] + wire.MODELS, json={}, headers={"origin": keys["url"]}, timeout=10)
        assert refused.status_code == 403
