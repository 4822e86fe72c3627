"""``hub-callbacks projects``: projects of the hub, and with whom they are shared."""

from __future__ import annotations

import click

from hub_callbacks.cli.answers import json_option, moment, people_hub, show, table
from hub_callbacks.cli.ids import checked_id

_project = click.argument("project_id", type=checked_id, metavar="ID")
_user = click.argument("user")


@click.group("projects")
def projects_command() -> None:
    """Make projects of the hub, and share them with users."""


@projects_command.command("create")
@click.argument("name")
@json_option
def create_project(name: str, as_json: bool) -> None:
    """Make a project. Its runs are seen by you, by those you share it with, and by admins."""
    if not name.strip():
        raise click.BadParameter("Say what it is called.", param_hint="NAME")
    with people_hub() as hub:
        project_id = hub.create_project(name.strip())
    show({"id": project_id}, [f"Project {project_id}"], as_json=as_json)


@projects_command.command("list")
@json_option
def list_projects(as_json: bool) -> None:
    """List the projects that you may see, newest first."""
    with people_hub() as hub:
        projects = hub.projects()
        names = {user["id"]: user["name"] for user in hub.users()}
    rows = (
        (one["id"], one["meta"]["name"] or "-", names.get(one["owner"]) or one["owner"], moment(one["createdAt"]))
        for one in projects
    )
    show(projects, table(("ID", "NAME", "OWNER", "SINCE"), rows), as_json=as_json)


@projects_command.command("members")
@_project
@json_option
def list_members(project_id: str, as_json: bool) -> None:
    """List whom a project is shared with. Its owner and admins see it, too."""
    with people_hub() as hub:
        members = hub.members(project_id)
    rows = ((one["userId"], one["name"] or "-", one["role"]) for one in members)
    show(members, table(("ID", "NAME", "ROLE"), rows), as_json=as_json)


@projects_command.command("share")
@_project
@_user
@click.option(
    "--role",
    type=click.Choice(["trainer", "viewer"]),
    default="viewer",
    show_default=True,
    help="What they may do there: a trainer also trains, and changes what is there.",
)
def share(project_id: str, user: str, role: str) -> None:
    """Share a project with a user, by ID or e-mail address.

    Where it is shared with them already, what they may do there is changed.
    """
    with people_hub() as hub:
        hub.share(project_id, user, role=role)
    click.echo("Shared.")


@projects_command.command("unshare")
@_project
@_user
def unshare(project_id: str, user: str) -> None:
    """Share a project with a user, by ID or e-mail address, no more."""
    with people_hub() as hub:
        hub.unshare(project_id, user)
    click.echo("Shared no more.")
