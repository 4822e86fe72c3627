"""``hub-callbacks users``, ``keys``, ``projects`` and ``audit`` against a running hub."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub_callbacks import wire
from tests.integration.conftest import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.hubs import HubServer


def test_users_are_made_listed_changed_and_deleted(hub: HubServer, command: Callable[..., Result]) -> None:
    email = f"{wire.new_id()}@example.org".lower()
    made = told(command("users", "create", "Ada", "--email", email, "--role", "viewer", "--json"))
    assert replace(hub, key=made["key"]).send("GET", wire.MODELS).status_code == 200
    assert email in command("users", "list").stdout
    assert command("users", "change", email, "--role", "trainer").exit_code == 0
    (listed,) = (one for one in told(command("users", "list", "--json")) if one["id"] == made["id"])
    assert (listed["name"], listed["role"]) == ("Ada", "trainer")
    assert command("users", "delete", email).exit_code == 2  # nobody is there to be asked
    assert replace(hub, key=made["key"]).send("GET", wire.MODELS).status_code == 200
    assert command("users", "delete", made["id"], "--yes").exit_code == 0
    assert replace(hub, key=made["key"]).send("GET", wire.MODELS).status_code == 401


def test_password_is_asked_for(hub: HubServer, command: Callable[..., Result]) -> None:
    email, password = f"{wire.new_id()}@example.org", "correct horse battery"
    made = command("users", "create", "Ada", "--email", email, "--password", typed=f"{password}\n{password}\n")
    assert made.exit_code == 0, made.output
    assert hub.send("POST", wire.SIGN_IN_EMAIL, json={"email": email, "password": password}).ok


def test_keys_are_made_listed_and_revoked(hub: HubServer, command: Callable[..., Result]) -> None:
    email = f"{wire.new_id()}@example.org".lower()
    user = told(command("users", "create", "Ada", "--email", email, "--json"))
    made = told(
        command("keys", "create", "--name", "ci", "--role", "viewer", "--days", "2", "--user", user["id"], "--json")
    )
    assert replace(hub, key=made["key"]).send("POST", wire.MODELS, json={}).status_code == 403
    listed = command("keys", "list", key=user["key"]).stdout
    assert (made["id"] in listed, "viewer" in listed, made["key"] in listed) == (True, True, False)
    assert any(
        made["id"] in line and f"Ada {email}" in line for line in command("keys", "list", "--all").stdout.splitlines()
    )
    refused = command("keys", "revoke", made["id"], key=user["key"])
    assert (refused.exit_code, "Nobody can be asked here: say --yes." in refused.output) == (2, True)
    assert command("keys", "revoke", made["id"], "--yes", key=user["key"]).exit_code == 0
    assert replace(hub, key=made["key"]).send("GET", wire.MODELS).status_code == 401
    assert "revoked" in command("keys", "list", key=user["key"]).stdout


@pytest.mark.parametrize(("typed", "status"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_person_is_asked_before_a_key_is_made_no_good(
    hub: HubServer, command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, typed: str, status: int
) -> None:
    made = told(command("keys", "create", "--name", "ci", "--json"))
    monkeypatch.setattr("hub_callbacks.cli.sure.is_asked", lambda: True)
    asked = command("keys", "revoke", made["id"], typed=typed)
    assert (asked.exit_code, f"Make the key {made['id']} no good?" in asked.output) == (status, True)
    assert replace(hub, key=made["key"]).send("GET", wire.MODELS).status_code == (401 if status == 0 else 200)


def test_run_is_reset(hub: HubServer, command: Callable[..., Result]) -> None:
    model_id = hub.ask("POST", wire.MODELS, json={"meta": {"name": "mine"}})["id"]
    hub.ask("POST", wire.model(model_id), json={"type": "metrics", "metrics": {"0": '{"loss": 0.5}'}})
    refused = command("runs", "reset", model_id)
    assert (refused.exit_code, f"pictures of mine ({model_id})?" in refused.output) == (2, True)
    assert len(hub.ask("GET", wire.metrics(model_id))) == 1
    assert command("runs", "reset", model_id, "--yes").output == "Reset.\n"
    assert hub.ask("GET", wire.metrics(model_id)) == []
    gone = command("runs", "reset", "x" * 20, "--yes")
    assert (gone.exit_code, gone.output.startswith("Error: The hub has no model ")) == (1, True)


def test_nobody_is_let_in_without_a_name(command: Callable[..., Result]) -> None:
    refused = command("users", "create", " ")
    assert (refused.exit_code, "Say who it is" in refused.output) == (2, True)


def test_audit_log_says_who_did_it_by_name(command: Callable[..., Result]) -> None:
    told(command("users", "create", "Ada", "--role", "admin", "--json"))
    admin = told(command("users", "create", "Grace", "--role", "admin", "--json"))
    made = told(command("keys", "create", "--json", key=admin["key"]))
    (line,) = (line for line in command("audit").stdout.splitlines() if made["id"] in line)
    assert "  Grace  " in line


def test_audit_log_is_shown_to_admins_only(command: Callable[..., Result]) -> None:
    user = told(command("users", "create", "Ada", "--role", "trainer", "--json"))
    assert told(command("audit", "--limit", "1", "--json"))[0]["action"] == "key-create"
    assert f"users/{user['id']}" in command("audit").stdout
    refused = command("audit", key=user["key"])
    assert (refused.exit_code, "role" in refused.output) == (1, True)


def test_change_of_nothing_is_refused(command: Callable[..., Result]) -> None:
    assert command("users", "change", "x@example.org").exit_code == 2


def test_project_is_made_shared_and_shared_no_more(hub: HubServer, command: Callable[..., Result]) -> None:
    name, email = wire.new_id(), f"{wire.new_id()}@example.org".lower()
    person = told(command("users", "create", "Vera", "--email", email, "--role", "viewer", "--json"))
    project = told(command("projects", "create", name, "--json"))["id"]
    assert [row for row in command("projects", "list").stdout.splitlines() if name in row]
    assert name not in command("projects", "list", key=person["key"]).stdout
    assert command("projects", "share", project, email).exit_code == 0
    assert name in command("projects", "list", key=person["key"]).stdout
    assert command("projects", "share", project, person["id"], "--role", "trainer").exit_code == 0
    assert told(command("projects", "members", project, "--json")) == [
        {"userId": person["id"], "name": "Vera", "role": "trainer"}
    ]
    assert "Vera" in command("projects", "members", project).stdout
    assert command("projects", "share", project, email, key=person["key"]).exit_code == 1
    assert command("projects", "unshare", project, email).exit_code == 0
    assert told(command("projects", "members", project, "--json")) == []


@pytest.mark.parametrize("words", [("create", " "), ("share", "short", "x@example.org"), ("members", "x")])
def test_project_that_cannot_be_is_said_before_the_hub_is_asked(
    command: Callable[..., Result], words: tuple[str, ...]
) -> None:
    assert command("projects", *words).exit_code == 2


def test_project_is_not_shared_with_nobody(command: Callable[..., Result]) -> None:
    project = told(command("projects", "create", "lonely", "--json"))["id"]
    refused = command("projects", "share", project, "nobody@example.org")
    assert refused.exit_code == 1
    assert "nobody@example.org" in refused.output
