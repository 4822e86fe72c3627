"""Stopping a run from the hub: who may, what its agent hears, and until when."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from hub_callbacks import wire
from hub_callbacks.server.folder import open_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.hubs import HubServer

STOP = {"command": "stop"}
ASKED = {"command": "stop", "reason": "Asked for by admin on the hub."}


def start(hub: HubServer) -> str:
    body = {"meta": {"name": "train"}, "run": {"startedAt": time.time(), "epochs": 9}}
    return str(hub.ask("POST", wire.MODELS, json=body)["id"])


def beat(hub: HubServer, model_id: str) -> Any:
    return hub.ask("POST", wire.heartbeat(model_id), json={"agent": "a", "agentId": "x"})["commands"]


def stop(hub: HubServer, model_id: str) -> requests.Response:
    return hub.send("POST", wire.commands(model_id), json=STOP)


def test_stop_is_in_every_reply_to_a_heartbeat(hub: HubServer) -> None:
    model_id = start(hub)
    assert beat(hub, model_id) == []
    assert stop(hub, model_id).status_code == 200
    assert [beat(hub, model_id), beat(hub, model_id)] == [[ASKED], [ASKED]]
    assert hub.ask("GET", wire.model(model_id))["run"]["stopAskedFor"] == ASKED["reason"]


def test_stop_that_is_asked_for_again_changes_nothing(hub: HubServer) -> None:
    model_id = start(hub)
    assert [stop(hub, model_id).status_code, stop(hub, model_id).status_code] == [200, 200]
    assert beat(hub, model_id) == [ASKED]


@pytest.mark.parametrize("state", ["finished", "stopped", "failed", "crashed"])
def test_stop_is_over_with_the_run(hub: HubServer, state: str) -> None:
    model_id = start(hub)
    stop(hub, model_id)
    hub.ask("POST", wire.state(model_id), json={"state": state, "at": time.time()})
    assert beat(hub, model_id) == []


def test_stop_is_over_when_the_run_starts_anew(hub: HubServer) -> None:
    model_id = start(hub)
    stop(hub, model_id)
    hub.ask("POST", wire.MODELS, json={"id": model_id, "run": {"startedAt": time.time() + 1}})
    assert beat(hub, model_id) == []


def test_creation_that_is_repeated_leaves_the_stop(hub: HubServer) -> None:
    model_id = wire.new_id()
    body = {"id": model_id, "run": {"startedAt": time.time()}}
    hub.ask("POST", wire.MODELS, json=body)
    stop(hub, model_id)
    hub.ask("POST", wire.MODELS, json=body)
    assert beat(hub, model_id) == [ASKED]


def test_run_that_is_over_takes_no_command(hub: HubServer) -> None:
    model_id = start(hub)
    hub.ask("POST", wire.state(model_id), json={"state": "finished", "at": time.time()})
    reply = stop(hub, model_id)
    assert (reply.status_code, reply.json()["success"]) == (409, False)


def test_client_of_hub_v1_takes_no_command(hub: HubServer) -> None:
    model_id = str(hub.ask("POST", wire.MODELS, json={"meta": {"name": "old"}})["id"])
    beat(hub, model_id)
    assert stop(hub, model_id).status_code == 409


@pytest.mark.parametrize("body", [{}, {"command": "explode"}])
def test_command_that_is_none_is_refused(hub: HubServer, body: dict[str, str]) -> None:
    reply = hub.send("POST", wire.commands(start(hub)), json=body)
    assert (reply.status_code, reply.json()["success"]) == (422, False)


@pytest.mark.parametrize(
    ("who", "status"), [("owner", 200), ("admin", 200), ("other", 403), ("viewer", 403), ("nobody", 401)]
)
def test_stop_is_for_the_owner_and_admins(
    start_hub: Callable[[Path], HubServer], tmp_path: Path, who: str, status: int
) -> None:
    with open_folder(tmp_path) as folder:
        people = {"owner": "trainer", "other": "trainer", "admin": "admin", "viewer": "viewer"}
        users = {name: folder.store.create_user(name, role) for name, role in people.items()}  # type: ignore[arg-type]  # a role
        keys = {name: folder.store.create_key(user.user_id) for name, user in users.items()}
        body = {"run": {"startedAt": time.time()}}
        model_id = folder.store.create_model(body, owner=users["owner"].user_id).id
    hub = start_hub(tmp_path)
    headers = {wire.API_KEY_HEADER: keys[who]} if who in keys else {}
    reply = requests.post(hub.url + wire.commands(model_id), headers=headers, json=STOP, timeout=10)
    assert reply.status_code == status
    told = [{"command": "stop", "reason": f"Asked for by {who} on the hub."}] if status == 200 else []
    assert beat(hub, model_id) == told


def page(hub: HubServer, model_id: str, session: requests.Session) -> str:
    return session.get(hub.url + wire.page(model_id), timeout=10).text


@pytest.fixture
def session(hub: HubServer) -> requests.Session:
    session = requests.Session()
    session.get(hub.url + hub.ask("POST", wire.SIGN_IN)["url"], timeout=10)
    return session


def test_page_stops_a_run_with_scripts_off(hub: HubServer, session: requests.Session) -> None:
    model_id = start(hub)
    path = f"{wire.page(model_id)}/stop"
    assert f'action="{path}"' in page(hub, model_id, session)
    reply = session.post(hub.url + path, headers={"origin": hub.url}, timeout=10)
    assert reply.url == hub.url + wire.page(model_id)
    assert "Stop asked for" in reply.text
    assert f'action="{path}"' not in reply.text
    assert beat(hub, model_id) == [ASKED]


def test_page_of_a_run_that_is_over_or_of_an_old_client_has_no_button(
    hub: HubServer, session: requests.Session
) -> None:
    over, old = start(hub), str(hub.ask("POST", wire.MODELS, json={})["id"])
    hub.ask("POST", wire.state(over), json={"state": "finished", "at": time.time()})
    beat(hub, old)
    assert not [model_id for model_id in (over, old) if "/stop" in page(hub, model_id, session)]
    reply = session.post(f"{hub.url}{wire.page(over)}/stop", headers={"origin": hub.url}, timeout=10)
    assert reply.status_code == 200  # back on its page, which says that it is over


@pytest.mark.parametrize("headers", [{}, {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}])
def test_other_sites_stop_nothing(hub: HubServer, session: requests.Session, headers: dict[str, str]) -> None:
    model_id = start(hub)
    session.post(f"{hub.url}{wire.page(model_id)}/stop", headers=headers, timeout=10)
    assert beat(hub, model_id) == []


def test_visitor_who_is_not_signed_in_stops_nothing(hub: HubServer) -> None:
    model_id = start(hub)
    reply = requests.post(
        f"{hub.url}{wire.page(model_id)}/stop", headers={"origin": hub.url}, timeout=10, allow_redirects=False
    )
    assert reply.status_code == 303
    assert reply.headers["location"].startswith("/login")
    assert beat(hub, model_id) == []
