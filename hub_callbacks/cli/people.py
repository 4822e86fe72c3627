"""``hub-callbacks users``, ``keys`` and ``audit``: who may come into the hub, with what, and what they did there."""

from __future__ import annotations

import time
from typing import Any

import click

from hub_callbacks.cli.answers import json_option, moment, people_hub, show, table
from hub_callbacks.cli.ids import checked_email, checked_id, checked_user
from hub_callbacks.cli.sure import ask, sure
from hub_callbacks.transport.people import PeopleApi

_DAY_S = 86400.0
_ROLES = click.Choice(["admin", "trainer", "viewer"])
_email = click.option(
    "--email", type=checked_email, metavar="ADDRESS", help="Address that they sign in with, where they have a password."
)
_user = click.argument("user", type=checked_user, metavar="USER")
_password = click.option("--password", is_flag=True, help="Ask for a password, to sign in with in browsers.")


@click.group("users")
def users_command() -> None:
    """Say who may come into the hub; for admins."""


@users_command.command("create")
@click.argument("name")
@click.option("--role", type=_ROLES, help="What they may do; trainer when not given.")
@_email
@_password
@json_option
def create_user(name: str, role: str | None, email: str | None, password: bool, as_json: bool) -> None:
    """Let somebody in, and print the key for them, this one time."""
    if not name.strip():
        raise click.BadParameter("Say who it is.", param_hint="NAME")
    said = _given(role=role, email=email) | _asked(password)
    with people_hub() as hub:
        user_id = hub.create_user(name=name, **said)
        key = hub.create_key(userId=user_id, name="first")["key"]
    show({"id": user_id, "key": key}, [f"User {user_id}", f"Key, shown this once: {key}"], as_json=as_json)


@users_command.command("list")
@json_option
def list_users(as_json: bool) -> None:
    """List everyone who may come in."""
    with people_hub() as hub:
        users = hub.users()
    rows = ((one["id"], one["name"], one["role"], one["email"] or "-", moment(one["createdAt"])) for one in users)
    show(users, table(("ID", "NAME", "ROLE", "E-MAIL", "SINCE"), rows), as_json=as_json)


@users_command.command("change")
@_user
@click.option("--name", help="Name.")
@click.option("--role", type=_ROLES, help="What they may do.")
@_email
@_password
def change_user(user: str, name: str | None, role: str | None, email: str | None, password: bool) -> None:
    """Change what is said of a user, by ID or e-mail address. A new password ends their sessions."""
    changes = _given(name=name, role=role, email=email) | _asked(password)
    if not changes:
        raise click.UsageError("Say what to change, with an option.")
    with people_hub() as hub:
        hub.change_user(hub.user(user)["id"], **changes)
    click.echo("Changed.")


@users_command.command("delete")
@_user
@sure
def delete_user(user: str, is_sure: bool) -> None:
    """Let a user, by ID or e-mail address, in no more. What they made stays."""
    with people_hub() as hub:
        found = hub.user(user)
        ask(f"Let {found['name']} ({user}) in no more? It cannot be undone.", is_sure=is_sure)
        hub.delete_user(found["id"])
    click.echo("Deleted.")


@click.group("keys")
def keys_command() -> None:
    """Make, list and revoke API keys of the hub."""


@keys_command.command("create")
@click.option("--name", default="", help="What you call it.")
@click.option("--role", type=_ROLES, help="What it may do at most; what its user may when not given.")
@click.option("--project", type=checked_id, metavar="ID", help="Only project that it is good for.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Days until it ends; never when not given.")
@click.option("--user", type=checked_user, metavar="USER", help="Whose it is, by ID or e-mail address; for admins.")
@json_option
def create_key(
    name: str, role: str | None, project: str | None, days: float | None, user: str | None, as_json: bool
) -> None:
    """Make a key and print it, this one time. A key that is limited makes no keys and changes no users."""
    ends = time.time() + days * _DAY_S if days else None
    with people_hub() as hub:
        user_id = hub.user(user)["id"] if user else None
        made = hub.create_key(name=name, **_given(role=role, projectId=project, expiresAt=ends, userId=user_id))
    show(made, [f"Key {made['id']}, shown this once: {made['key']}"], as_json=as_json)


@keys_command.command("list")
@click.option("--all", "everyone", is_flag=True, help="Everybody's; for admins.")
@json_option
def list_keys(everyone: bool, as_json: bool) -> None:
    """List your keys, with their limits and last use. No key itself can be read again."""
    with people_hub() as hub:
        keys = hub.keys(everyone=everyone)
        names = _names(hub) if everyone else {}
    rows = (
        (
            *(one["id"], one["name"] or "-", *([names.get(one["userId"], one["userId"])] if everyone else [])),
            *(one["role"], one["projectId"] or "-", moment(one["lastUsedAt"])),
            "revoked" if one["revokedAt"] else moment(one["expiresAt"], never="never"),
        )
        for one in keys
    )
    owner = ["USER"] if everyone else []
    show(keys, table(("ID", "NAME", *owner, "ROLE", "PROJECT", "LAST USED", "ENDS"), rows), as_json=as_json)


@keys_command.command("revoke")
@click.argument("key_id", type=checked_id, metavar="ID")
@sure
def revoke_key(key_id: str, is_sure: bool) -> None:
    """Make a key no good, at once. Browsers that signed in with it are signed out."""
    with people_hub() as hub:
        ask(f"Make the key {key_id} no good? It cannot be undone.", is_sure=is_sure)
        hub.revoke_key(key_id)
    click.echo("Revoked.")


@click.command("audit")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Lines at most.")
@json_option
def audit_command(limit: int, as_json: bool) -> None:
    """Show the hub's audit log, newest first; for admins.

    It tells of sign-ins, users, keys, shares, and what was deleted.
    """
    with people_hub() as hub:
        events = hub.events(limit=limit)
        names = _names(hub)
    rows = (
        (
            *(moment(one["at"]), one["action"], one["target"] or "-"),
            *(names.get(one["userId"], one["userId"] or "-"), one["address"], one["detail"]),
        )
        for one in events
    )
    show(events, table(("WHEN", "WHAT", "TO WHAT", "BY", "FROM", "DETAIL"), rows), as_json=as_json)


def _names(hub: PeopleApi) -> dict[str | None, str]:
    """What to call each user by their ID: the name, with the e-mail address where there is one; no name, no entry."""
    return {one["id"]: " ".join(filter(None, (one["name"], one.get("email")))) for one in hub.users() if one["name"]}


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _asked(wanted: bool) -> dict[str, str]:
    return {"password": click.prompt("Password", hide_input=True, confirmation_prompt=True)} if wanted else {}
