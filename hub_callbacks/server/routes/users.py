"""Users: made and let go by admins, seen by each other."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request

from hub_callbacks import wire
from hub_callbacks.server.auditing import note
from hub_callbacks.server.auth import Manager, Viewer
from hub_callbacks.server.bodies import FAILURES, Id, Reply, also
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.documents import check_document
from hub_callbacks.server.people import UserBody, UserListing, UserShown
from hub_callbacks.server.queries import PageQuery
from hub_callbacks.server.store import NotFoundError
from hub_callbacks.server.store.people import User
from hub_callbacks.server.store.rows import Caller

router = APIRouter(tags=["users"], responses=FAILURES)

_PATH = wire.user("{user_id}")
_TAKEN = also(http_409="The e-mail address is another user's, or nobody would be admin any more.")


@router.post(wire.USERS, responses=_TAKEN)
def create(body: UserBody, caller: Manager, request: Request, hub: ThisHub) -> Reply[Id]:
    """Create a user, a trainer where no role is said. They come in with a key, or with e-mail and password."""
    said = body.changes()
    check_document(body.model_dump(exclude_unset=True), hub.limits)
    name = said.get("name") or said.get("email") or ""
    made = hub.store.create_user(
        name,
        said.get("role") or "trainer",
        email=said.get("email"),
        password=said.get("password"),
        document=said.get("document"),
    )
    note(hub, request, caller, "user-create", f"users/{made.user_id}", detail=f"role {made.role}")
    return Reply(message="User created.", data=Id(id=made.user_id))


@router.get(wire.USERS)
def list_users(caller: Viewer, hub: ThisHub, asked: Annotated[PageQuery, Query()]) -> Reply[UserListing]:
    """Who can come in, newest first."""
    found, total = hub.store.list_users(limit=asked.size, offset=asked.page * asked.size, query=asked.query)
    return Reply(data=UserListing(results=[_shown(user, caller) for user in found], total=total))


@router.get(_PATH)
def read(user_id: str, caller: Viewer, hub: ThisHub) -> Reply[UserShown]:
    """One user."""
    found = hub.store.find_user(user_id)
    if found is None:
        raise NotFoundError(user_id, "users")
    return Reply(data=_shown(found, caller))


@router.patch(_PATH, responses=_TAKEN)
def patch(user_id: str, body: UserBody, caller: Viewer, request: Request, hub: ThisHub) -> Reply[Id]:
    """Change a user. Everyone may change themselves but for their role; a new password ends their sessions."""
    changes = body.changes()
    check_document(body.model_dump(exclude_unset=True), hub.limits)
    _check_may_change(caller, user_id, changes)
    if hub.store.find_user(user_id) is None:
        raise NotFoundError(user_id, "users")
    if changes:
        hub.store.update_user(user_id, changes)
        note(hub, request, caller, "user-change", f"users/{user_id}", detail=_named(changes))
    return Reply(message="User updated.", data=Id(id=user_id))


@router.delete(_PATH, responses=_TAKEN)
def delete(user_id: str, caller: Manager, request: Request, hub: ThisHub, hard: bool = False) -> Reply[Id]:
    """Let a user in no more; what they made stays. When hard, their name and document are forgotten, too."""
    hub.store.delete_user(user_id, hard=hard)
    note(hub, request, caller, "user-delete", f"users/{user_id}")
    return Reply(message="User deleted.", data=Id(id=user_id))


def _check_may_change(caller: Caller, user_id: str, changes: dict[str, object]) -> None:
    if caller.is_limited:
        raise HTTPException(403, "A key that is limited changes no users.")
    if caller.role != "admin" and (caller.user_id != user_id or "role" in changes):
        raise HTTPException(403, "Only admins change other users, and roles.")


def _named(changes: dict[str, object]) -> str:
    """What was changed, without what to; but the role."""
    return ", ".join(f"role {value}" if name == "role" else name for name, value in changes.items())


def _shown(user: User, caller: Caller) -> UserShown:
    shown = UserShown(id=user.id, name=user.name, role=user.role, created_at=user.created_at)
    if caller.is_limited or (caller.role != "admin" and caller.user_id != user.id):
        return shown
    own = shown.model_dump() | {"email": user.email, "has_password": user.has_password}
    return UserShown(**{**user.document, **own})
