"""Whom a project is shared with."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from hub_callbacks import wire
from hub_callbacks.server.auditing import note
from hub_callbacks.server.auth import Viewer
from hub_callbacks.server.bodies import FAILURES, Id, Reply
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.people import MemberBody, MemberShown
from hub_callbacks.server.routes.access import check_readable, thing_owner
from hub_callbacks.server.store import NotFoundError
from hub_callbacks.server.store.rows import Caller

router = APIRouter(tags=["projects"], responses=FAILURES)

Owner = Annotated[Caller, Depends(thing_owner("projects", "project_id"))]
_PATH = wire.members("{project_id}")


@router.get(_PATH)
def list_members(project_id: str, caller: Viewer, hub: ThisHub) -> Reply[list[MemberShown]]:
    """The users that the project is shared with, by name; its owner and admins are not among them."""
    check_readable(hub, caller, "projects", project_id)
    members = hub.store.list_members(project_id)
    return Reply(data=[MemberShown(user_id=one.user_id, name=one.name, role=one.role) for one in members])


@router.put(f"{_PATH}/{{user}}")
def share(project_id: str, user: str, body: MemberBody, owner: Owner, request: Request, hub: ThisHub) -> Reply[Id]:
    """Share the project with a user, by id or e-mail address; or change what they may do there."""
    user_id = _find(hub, user)
    hub.store.put_member(project_id, user_id, body.role)
    note(hub, request, owner, "share", f"projects/{project_id}", detail=f"with users/{user_id} as {body.role}")
    return Reply(message="Shared.", data=Id(id=user_id))


@router.delete(f"{_PATH}/{{user}}")
def unshare(project_id: str, user: str, owner: Owner, request: Request, hub: ThisHub) -> Reply[Id]:
    """Share the project with a user no more."""
    user_id = _find(hub, user)
    hub.store.delete_member(project_id, user_id)
    note(hub, request, owner, "unshare", f"projects/{project_id}", detail=f"with users/{user_id}")
    return Reply(message="Shared no more.", data=Id(id=user_id))


def _find(hub: Hub, user: str) -> str:
    found = hub.store.find_user(user)
    if found is None:
        raise NotFoundError(user, "users")
    return found.id
