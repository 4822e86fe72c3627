"""Lines of the audit log, and sign-ins, whose failures are counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from fastapi import HTTPException, Request

from hub_callbacks.server.context import Hub
from hub_callbacks.server.store.rows import Caller

Action = Literal[
    "sign-in",
    "sign-in-failed",
    "user-create",
    "user-change",
    "user-delete",
    "key-create",
    "key-revoke",
    "share",
    "unshare",
    "publish",
    "unpublish",
    "delete",
    "reset",
]

_WINDOW_S: Final = 900.0
_PER_ADDRESS, _PER_NAME = 5, 10  # times as many: a whole office may share an address, and no stranger may lock us out


def note(hub: Hub, request: Request, caller: Caller | None, action: Action, target: str, *, detail: str = "") -> None:
    """Add a line to the audit log: the caller did this, from where the request comes."""
    hub.store.note_event(
        action,
        target,
        user_id=caller.user_id if caller else None,
        key_id=caller.key_id if caller else None,
        address=_address(request),
        detail=detail,
    )


def sign_in(hub: Hub, request: Request, name: str, find: Callable[[], Caller | None]) -> Caller | None:
    """Whom ``find`` finds, or None; both are noted, and too many failures are refused without looking.

    Args:
        hub: The hub.
        request: The request to sign in.
        name: As whom: an e-mail address; empty with a key.
        find: Checks what was given.

    Raises:
        HTTPException: 429, too many have failed from that address or under that name.
    """
    limits = _limits(hub, _address(request), name)
    for subject, most in limits.items():  # counted before the look, so that many at once are no way around
        if hub.store.count_attempt(subject, window_s=_WINDOW_S) > most:
            message = "Too many sign-ins have failed. Try again later."
            raise HTTPException(429, message, headers={"retry-after": str(int(_WINDOW_S))})
    caller = find()
    if caller is None:
        user = hub.store.find_user(name) if name else None
        note(hub, request, None, "sign-in-failed", f"users/{user.id}" if user else "")
        return None
    for subject in limits:
        hub.store.take_back_attempt(subject)
    note(hub, request, caller, "sign-in", f"users/{caller.user_id}")
    return caller


def _limits(hub: Hub, address: str, name: str) -> dict[str, int]:
    most = hub.limits.sign_ins
    by_address = {f"address {address}": most * _PER_ADDRESS}
    if not name:
        return by_address
    name = name.strip().lower()
    return by_address | {f"name {name}": most * _PER_NAME, f"both {address} {name}": most}


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
