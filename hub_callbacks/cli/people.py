"""``hub-callbacks users``, ``keys`` and ``audit``: who may come into the hub, with what, and what they did there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

import click

from hub_callbacks.cli.ids import checked_email, checked_id, checked_user
from hub_callbacks.cli.sure import ask, sure
from hub_callbacks.session.access import address
from hub_callbacks.settings import Settings
from hub_callbacks.transport.people import PeopleApi

_DAY_S = 86400.0
_ROLES = click.Choice(["admin", "trainer", "viewer"])
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
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
@_json
def create_user(name: str, role: str | None, email: str | None, password: bool, as_json: bool) -> None:
    """Let somebody in, and print the key for them, this one time."""
    if not name.strip():
        raise click.BadParameter("Say who it is.", param_hint="NAME")
    said = _given(role=role, email=email) | _asked(password)
    with _hub() as hub:
        user_id = hub.create_user(name=name, **said)
        key = hub.create_key(userId=user_id, name="first")["key"]
    _print({"id": user_id, "key": key}, [f"User {user_id}", f"Key, shown this once: {key}"], as_json=as_json)


@users_command.command("list")
@_json
def list_users(as_json: bool) -> None:
    """List everyone who may come in."""
    with _hub() as hub:
        users = hub.users()
    rows = ((one["id"], one["name"], one["role"], one["email"] or "-", _moment(one["createdAt"])) for one in users)
    _print(users, _table(("ID", "NAME", "ROLE", "E-MAIL", "SINCE"), rows), as_json=as_json)


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
    with _hub() as hub:
        hub.change_user(hub.user(user)["id"], **changes)
    click.echo("Changed.")


@users_command.command("delete")
@_user
@sure
def delete_user(user: str, is_sure: bool) -> None:
    """Let a user, by ID or e-mail address, in no more. What they made stays."""
    with _hub() as hub:
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
@_json
def create_key(
    name: str, role: str | None, project: str | None, days: float | None, user: str | None, as_json: bool
) -> None:
    """Make a key and print it, this one time. A key that is limited makes no keys and changes no users."""
    ends = time.time() + days * _DAY_S if days else None
    with _hub() as hub:
        user_id = hub.user(user)["id"] if user else None
        made = hub.create_key(name=name, **_given(role=role, projectId=project, expiresAt=ends, userId=user_id))
    _print(made, [f"Key {made['id']}, shown this once: {made['key']}"], as_json=as_json)


@keys_command.command("list")
@click.option("--all", "everyone", is_flag=True, help="Everybody's; for admins.")
@_json
def list_keys(everyone: bool, as_json: bool) -> None:
    """List your keys, with their limits and last use. No key itself can be read again."""
    with _hub() as hub:
        keys = hub.keys(everyone=everyone)
        names = _names(hub) if everyone else {}
    rows = (
        (
            *(one["id"], one["name"] or "-", *([names.get(one["userId"], one["userId"])] if everyone else [])),
            *(one["role"], one["projectId"] or "-", _moment(one["lastUsedAt"])),
            "revoked" if one["revokedAt"] else _moment(one["expiresAt"], never="never"),
        )
        for one in keys
    )
    owner = ["USER"] if everyone else []
    _print(keys, _table(("ID", "NAME", *owner, "ROLE", "PROJECT", "LAST USED", "ENDS"), rows), as_json=as_json)


@keys_command.command("revoke")
@click.argument("key_id", type=checked_id, metavar="ID")
@sure
def revoke_key(key_id: str, is_sure: bool) -> None:
    """Make a key no good, at once. Browsers that signed in with it are signed out."""
    with _hub() as hub:
        ask(f"Make the key {key_id} no good? It cannot be undone.", is_sure=is_sure)
        hub.revoke_key(key_id)
    click.echo("Revoked.")


@click.command("audit")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Lines at most.")
@_json
def audit_command(limit: int, as_json: bool) -> None:
    """Show the hub's audit log, newest first; for admins.

    It tells of sign-ins, users, keys, shares, and what was deleted.
    """
    with _hub() as hub:
        events = hub.events(limit=limit)
        names = _names(hub)
    rows = (
        (
            *(_moment(one["at"]), one["action"], one["target"] or "-"),
            *(names.get(one["userId"], one["userId"] or "-"), one["address"], one["detail"]),
        )
        for one in events
    )
    _print(events, _table(("WHEN", "WHAT", "TO WHAT", "BY", "FROM", "DETAIL"), rows), as_json=as_json)


@contextmanager
def _hub() -> Iterator[PeopleApi]:
    hub = address(Settings.load())
    with closing(PeopleApi(hub["api_url"], hub["api_key"])) as api:
        yield api


def _names(hub: PeopleApi) -> dict[str | None, str]:
    """What to call each user by their ID: the name, with the e-mail address where there is one; no name, no entry."""
    return {one["id"]: " ".join(filter(None, (one["name"], one.get("email")))) for one in hub.users() if one["name"]}


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _asked(wanted: bool) -> dict[str, str]:
    return {"password": click.prompt("Password", hide_input=True, confirmation_prompt=True)} if wanted else {}


def _moment(unix_s: float | None, *, never: str = "-") -> str:
    return datetime.fromtimestamp(unix_s).astimezone().strftime("%Y-%m-%d %H:%M") if unix_s else never


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    table = [heads, *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(heads))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def _print(found: Mapping[str, Any] | Sequence[Any], lines: Iterable[str], *, as_json: bool) -> None:
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(lines))
