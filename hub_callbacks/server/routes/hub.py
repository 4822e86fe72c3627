"""What the hub is, whether it is well, and whether it knows a key."""

from __future__ import annotations

from fastapi import APIRouter

from hub_callbacks import __version__, wire
from hub_callbacks.server.auth import Viewer, sign_in_url
from hub_callbacks.server.bodies import FAILURES, Info, Reply, SignIn
from hub_callbacks.server.context import ThisHub

router = APIRouter(tags=["hub"])


@router.get(wire.HUB)
async def info() -> Reply[Info]:
    """What the hub is and can; nobody needs a key to ask."""
    return Reply(data=Info(name="hub-callbacks", version=__version__, features=list(wire.FEATURES)))


@router.get(wire.HEALTH)
async def health() -> Reply[None]:
    """That the hub answers."""
    return Reply(message="ok", data=None)


@router.post(wire.AUTH, responses={401: FAILURES[401]})
def authenticate(caller: Viewer) -> Reply[None]:
    """That the hub knows the key."""
    return Reply(message=f"Signed in as {caller.name}.", data=None)


@router.post(wire.SIGN_IN, responses={401: FAILURES[401]})
def sign_in(caller: Viewer, this: ThisHub) -> Reply[SignIn]:
    """A path that signs a browser in as the key's user."""
    return Reply(data=SignIn(url=sign_in_url(this, caller)))
