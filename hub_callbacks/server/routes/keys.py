"""API keys: made with less than their user may do, listed, revoked."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, HTTPException, Query, Request

from hub_callbacks import wire
from hub_callbacks.server.auditing import note
from hub_callbacks.server.auth import Viewer, is_manager
from hub_callbacks.server.bodies import FAILURES, Id, Reply
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.people import KeyBody, KeyShown, NewKey
from hub_callbacks.server.routes.access import check_readable
from hub_callbacks.server.store import NotFoundError
from hub_callbacks.server.store.people import Key
from hub_callbacks.server.store.rows import Caller

router = APIRouter(tags=["keys"], responses=FAILURES)


@router.post(wire.KEYS)
def create(body: KeyBody, caller: Viewer, request: Request, hub: ThisHub) -> Reply[NewKey]:
    """Make a key. It is shown in this reply and never again."""
    user_id = body.user_id or caller.user_id
    if caller.is_limited:
        raise HTTPException(403, "A key that is limited makes no keys.")
    if user_id != caller.user_id and caller.role != "admin":
        raise HTTPException(403, "Only admins make keys for others.")
    if body.user_id and hub.store.find_user(body.user_id) is None:
        raise NotFoundError(body.user_id, "users")
    if body.project_id:
        check_readable(hub, caller, "projects", body.project_id)
    key_id = wire.new_id()
    key = hub.store.create_key(
        user_id,
        key_id=key_id,
        name=body.name,
        role=body.role,
        project_id=body.project_id,
        expires_at=body.expires_at,
    )
    note(hub, request, caller, "key-create", f"keys/{key_id}", detail=f"for users/{user_id}")
    return Reply(message="Key made.", data=NewKey(**asdict(hub.store.get_key(key_id)), key=key))


@router.get(wire.KEYS)
def list_keys(
    caller: Viewer,
    hub: ThisHub,
    everyone: bool = Query(default=False, description="Everybody's; for admins."),
) -> Reply[list[KeyShown]]:
    """The caller's keys, oldest first: what each may do, until when, and when it was last used."""
    if everyone and not is_manager(caller):
        raise HTTPException(403, "Only admins see the keys of others.")
    found = hub.store.list_keys(None if everyone else caller.user_id)
    return Reply(data=[KeyShown(**asdict(key)) for key in found])


@router.delete(wire.key("{key_id}"))
def revoke(key_id: str, caller: Viewer, request: Request, hub: ThisHub) -> Reply[Id]:
    """Make a key no good, from now on; browsers that signed in with it are signed out."""
    key = hub.store.get_key(key_id)
    if not _may_revoke(caller, key):
        raise NotFoundError(key_id, "keys")
    hub.store.revoke_key(key_id)
    note(hub, request, caller, "key-revoke", f"keys/{key_id}", detail=f"of users/{key.user_id}")
    return Reply(message="Key revoked.", data=Id(id=key_id))


def _may_revoke(caller: Caller, key: Key) -> bool:
    """A limited key may end itself, and no other."""
    if caller.is_limited:
        return caller.key_id == key.id
    return caller.user_id == key.user_id or caller.role == "admin"
