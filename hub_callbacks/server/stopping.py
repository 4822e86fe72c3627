"""Asking a run to stop, for the API and for the run's page."""

from __future__ import annotations

from fastapi import HTTPException

from hub_callbacks.server.context import Hub
from hub_callbacks.server.store.rows import Caller


def ask_to_stop(hub: Hub, model_id: str, caller: Caller) -> None:
    """Have the run's agent told to stop, in the caller's name. To ask again changes nothing.

    Raises:
        NotFoundError: There is no such run.
        HTTPException: 409, nobody is there to be told.
    """
    if not hub.store.ask_to_stop(model_id, reason=f"Asked for by {caller.name or caller.role} on the hub."):
        raise HTTPException(409, "The run is over, or its client is none that takes commands.")
