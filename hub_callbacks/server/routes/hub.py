"""What the hub is."""

from __future__ import annotations

from fastapi import APIRouter

from hub_callbacks import __version__, wire
from hub_callbacks.server.bodies import Info, Reply

router = APIRouter(tags=["hub"])


@router.get(wire.HUB)
async def info() -> Reply[Info]:
    """What the hub is and can; nobody needs a key to ask."""
    return Reply(data=Info(name="hub-callbacks", version=__version__, features=list(wire.FEATURES)))
