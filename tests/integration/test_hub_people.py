"""Users, keys, shares and sign-ins over HTTP, and the lines of the audit log that they leave."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
import requests

from hub_callbacks import wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.hubs import HubServer

PASSWORD = "correct horse battery"  # noqa: S105 - of the tests' own users


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user of the hub, with a key that can do all that they can."""

    hub: HubServer
    id: str
    email: str

    def ask(self, method: str, path: str, **kwargs: Any) -> Any:
        return self.hub.ask(method, path, **kwargs)

    def status(self, method: str, path: str, **kwargs: Any) -> int:
        return self.hub.send(method, path, **kwargs).status_code

    def with_key(self, **limits: Any) -> Person:
        return replace(self, hub=replace(self.hub, key=self.ask("POST", wire.KEYS, json=limits)["key"]))


@pytest.fixture
def new_person(hub: HubServer) -> Callable[..., Person]:
    """Make a user with a key, as an admin does; passwords are slow, so there is one only where it is said."""

    def make(role: str = "trainer", **more: str) -> Person:
        email = f"{wire.new_id()}@example.org".lower()
        user = {"name": "Ada", "email": email, "role": role, **more}
        user_id = str(hub.ask("POST", wire.USERS, json=user)["id"])
        key = hub.ask("POST", wire.KEYS, json={"userId": user_id})["key"]
        return Person(hub=replace(hub, key=key), id=user_id, email=email)

    return make


def email_sign_in(hub: HubServer, email: str, password: str) -> requests.Response:
    body = {"email": email, "password": password, "returnSecureToken": True}
    return requests.post(hub.url + wire.SIGN_IN_EMAIL, json=body, timeout=10)


def events(hub: HubServer, target: str) -> list[str]:
    found = hub.ask("GET", wire.AUDIT, params={"limit": 1000})["results"]
    return [event["action"] for event in found if event["target"] == target][::-1]


def test_user_signs_in_by_email_for_a_bearer_token(hub: HubServer, new_person: Callable[..., Person]) -> None:
    person = new_person(password=PASSWORD)
    reply = email_sign_in(hub, person.email.upper(), PASSWORD).json()
    assert reply["idToken"] == reply["data"]["idToken"]
    bearer = {"authorization": f"Bearer {reply['idToken']}"}
    assert requests.get(hub.url + wire.MODELS, headers=bearer, timeout=10).status_code == 200
    person.ask("PATCH", wire.user(person.id), json={"password": "another long password"})
    assert requests.get(hub.url + wire.MODELS, headers=bearer, timeout=10).status_code == 401


def test_email_sign_in_says_not_what_was_wrong(hub: HubServer, new_person: Callable[..., Person]) -> None:
    replies = [
        email_sign_in(hub, new_person(password=PASSWORD).email, "something else"),
        email_sign_in(hub, f"{wire.new_id()}@example.org", PASSWORD),
    ]
    assert [reply.status_code for reply in replies] == [401, 401]
    assert replies[0].json() == replies[1].json()


def test_sign_ins_that_fail_are_limited(hub: HubServer, new_person: Callable[..., Person]) -> None:
    person = new_person(password=PASSWORD)
    statuses = [email_sign_in(hub, person.email, "wrong password").status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    refused = email_sign_in(hub, person.email, PASSWORD)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "900")
    assert email_sign_in(hub, new_person(password=PASSWORD).email, PASSWORD).status_code == 200
    assert "sign-in-failed" in events(hub, f"users/{person.id}")


def test_password_opens_the_pages(hub: HubServer, new_person: Callable[..., Person]) -> None:
    person, session = new_person("viewer", password=PASSWORD), requests.Session()
    form = {"email": person.email, "password": PASSWORD}
    assert session.post(f"{hub.url}/login", data=form, headers={"origin": hub.url}, timeout=10).status_code == 200
    assert session.get(f"{hub.url}/", timeout=10, allow_redirects=False).status_code == 200
    automatic = session.post(hub.url + wire.SIGN_IN_AUTO, headers={"origin": hub.url}, timeout=10)
    assert automatic.json()["success"] is True
    assert session.post(hub.url + wire.SIGN_IN_AUTO, headers={"origin": "https://x.org"}, timeout=10).status_code == 403
    hub.ask("PATCH", wire.user(person.id), json={"password": "another long password"})
    assert session.get(f"{hub.url}/", timeout=10, allow_redirects=False).status_code == 303


def test_user_is_seen_whole_by_admins_and_themselves_only(hub: HubServer, new_person: Callable[..., Person]) -> None:
    person, other = new_person(), new_person()
    person.ask("PATCH", wire.user(person.id), json={"name": "Eve", "settings": {"theme": "dark"}})
    person.ask("PATCH", wire.user(person.id), json={"settings": {"size": 3}})
    for who in (hub, person):
        shown = who.ask("GET", wire.user(person.id))
        assert (shown["name"], shown["email"], shown["hasPassword"]) == ("Eve", person.email, False)
        assert shown["settings"] == {"theme": "dark", "size": 3}
    seen = other.ask("GET", wire.user(person.id))
    assert (seen["name"], seen["email"], "settings" in seen) == ("Eve", None, False)


def test_user_does_not_raise_themselves(new_person: Callable[..., Person]) -> None:
    person, other = new_person("viewer"), new_person()
    assert person.status("PATCH", wire.user(person.id), json={"role": "admin"}) == 403
    assert person.status("PATCH", wire.user(other.id), json={"name": "x"}) == 403
    assert person.status("POST", wire.USERS, json={"role": "admin"}) == 403
    assert person.status("DELETE", wire.user(other.id)) == 403
    assert person.status("POST", wire.KEYS, json={"userId": other.id}) == 403
    assert person.status("GET", wire.KEYS, params={"everyone": "true"}) == 403
    assert person.with_key(role="admin").status("POST", wire.MODELS, json={}) == 403


@pytest.mark.parametrize("limit", [{"role": "admin"}, {"expiresAt": 9e9}, {"projectId": True}])
def test_limited_key_makes_no_key_and_changes_no_user(
    hub: HubServer, new_person: Callable[..., Person], limit: dict[str, Any]
) -> None:
    person = new_person("admin")
    if "projectId" in limit:
        limit = {"projectId": person.ask("POST", wire.PROJECTS, json={})["id"]}
    limited = person.with_key(**limit)
    assert limited.status("POST", wire.AUTH) == 200
    assert limited.status("POST", wire.KEYS, json={}) == 403
    assert limited.status("PATCH", wire.user(person.id), json={"password": PASSWORD}) == 403
    assert limited.status("POST", wire.USERS, json={}) == 403
    assert limited.status("GET", wire.AUDIT) == 403
    assert limited.status("GET", wire.KEYS, params={"everyone": "true"}) == 403


def test_key_is_shown_once_and_revoked(hub: HubServer, new_person: Callable[..., Person]) -> None:
    person = new_person()
    made = person.ask("POST", wire.KEYS, json={"name": "laptop", "role": "viewer"})
    assert len(made["key"]) == wire.KEY_LENGTH
    listed = {key["id"]: key for key in person.ask("GET", wire.KEYS)}
    assert (listed[made["id"]]["name"], listed[made["id"]]["role"]) == ("laptop", "viewer")
    assert made["key"] not in str(listed)
    laptop = replace(hub, key=made["key"])
    assert laptop.send("GET", wire.MODELS).status_code == 200
    assert person.status("DELETE", wire.key(made["id"])) == 200
    assert laptop.send("GET", wire.MODELS).status_code == 401
    assert events(hub, f"keys/{made['id']}") == ["key-create", "key-revoke"]


def test_key_is_revoked_by_its_user_and_admins_only(hub: HubServer, new_person: Callable[..., Person]) -> None:
    person, other = new_person(), new_person()
    key_ids = [person.ask("POST", wire.KEYS, json={})["id"] for _ in range(2)]
    assert other.status("DELETE", wire.key(key_ids[0])) == 404
    assert person.with_key(role="viewer").status("DELETE", wire.key(key_ids[0])) == 404
    assert person.status("DELETE", wire.key(key_ids[0])) == 200
    hub.ask("DELETE", wire.key(key_ids[1]))


def test_expired_key_is_no_good(new_person: Callable[..., Person]) -> None:
    assert new_person().with_key(expiresAt=time.time() - 1).status("GET", wire.MODELS) == 401


def test_session_ends_with_the_key_that_began_it(hub: HubServer, new_person: Callable[..., Person]) -> None:
    person, session = new_person(), requests.Session()
    made = person.ask("POST", wire.KEYS, json={})
    session.post(f"{hub.url}/login", data={"key": made["key"]}, headers={"origin": hub.url}, timeout=10)
    assert session.get(f"{hub.url}/", timeout=10, allow_redirects=False).status_code == 200
    person.ask("DELETE", wire.key(made["id"]))
    assert session.get(f"{hub.url}/", timeout=10, allow_redirects=False).status_code == 303


def test_project_is_shared_by_its_owner(hub: HubServer, new_person: Callable[..., Person]) -> None:
    owner, friend, stranger = new_person(), new_person(), new_person()
    project_id = owner.ask("POST", wire.PROJECTS, json={"meta": {"name": "cars"}})["id"]
    model_id = owner.ask("POST", wire.MODELS, json={"projectId": project_id})["id"]
    member = f"{wire.members(project_id)}/{friend.email}"
    assert friend.status("GET", wire.model(model_id)) == 404
    assert stranger.status("PUT", member, json={"role": "trainer"}) == 404
    owner.ask("PUT", member, json={"role": "viewer"})
    assert friend.status("GET", wire.model(model_id)) == 200
    assert friend.status("PATCH", wire.model(model_id), json={}) == 403
    owner.ask("PUT", member, json={"role": "trainer"})
    assert friend.status("PATCH", wire.model(model_id), json={}) == 200
    assert friend.status("PUT", f"{wire.members(project_id)}/{stranger.id}", json={"role": "viewer"}) == 403
    assert friend.ask("GET", wire.members(project_id)) == [{"userId": friend.id, "name": "Ada", "role": "trainer"}]
    assert stranger.status("GET", wire.members(project_id)) == 404
    owner.ask("DELETE", f"{wire.members(project_id)}/{friend.id}")
    assert friend.status("GET", wire.model(model_id)) == 404
    assert events(hub, f"projects/{project_id}") == ["share", "share", "unshare"]


def test_deleted_user_is_let_in_no_more(hub: HubServer, new_person: Callable[..., Person]) -> None:
    person = new_person()
    hub.ask("DELETE", wire.user(person.id), params={"hard": "True"})
    assert person.status("GET", wire.MODELS) == 401
    assert email_sign_in(hub, person.email, PASSWORD).status_code == 401
    assert hub.send("GET", wire.user(person.id)).status_code == 404


def test_audit_log_tells_what_was_made_public_deleted_and_reset(hub: HubServer) -> None:
    model_id = hub.ask("POST", wire.MODELS, json={})["id"]
    hub.ask("PATCH", wire.model(model_id), json={"isPublic": True})
    hub.ask("POST", "/model-reset", json={"modelId": model_id})
    hub.ask("DELETE", wire.model(model_id))
    assert events(hub, f"models/{model_id}") == ["publish", "reset", "delete"]
    newest = hub.ask("GET", wire.AUDIT, params={"limit": 1})["results"][0]
    assert (newest["address"], newest["keyId"] is None, newest["at"] > 0) == ("127.0.0.1", False, True)


@pytest.mark.parametrize(
    "body",
    [{"email": "none"}, {"password": "short"}, {"role": "king"}, {"email": "a@b\x00"}, {"name": "x" * 300}],
)
def test_user_that_cannot_be_is_refused(hub: HubServer, body: dict[str, str]) -> None:
    assert hub.send("POST", wire.USERS, json=body).status_code == 422


def test_every_start_of_the_hub_leaves_one_admin(start_hub: Callable[[Path], HubServer], tmp_path: Path) -> None:
    own = start_hub(tmp_path)
    users = own.ask("GET", wire.USERS)["results"]
    assert [user["role"] for user in users] == ["admin"]
    assert own.send("DELETE", wire.user(users[0]["id"])).status_code == 409
