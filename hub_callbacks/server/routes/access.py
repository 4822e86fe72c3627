"""The model that a route is about, for those who may read or change it.

Each check is one function, not a chain of dependencies: FastAPI runs every synchronous one on a thread of its own.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from hub_callbacks.server.auth import ShownKey, check_owner, identify
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.store import NotFoundError
from hub_callbacks.server.store.rows import Caller, Model


def readable_model(model_id: str, request: Request, hub: ThisHub, shown: ShownKey) -> Model:
    """The model, for anyone with a key.

    Raises:
        NotFoundError: There is none.
        HTTPException: 401 without a valid key.
    """
    identify(request, hub, shown=shown, role="viewer")
    model = hub.store.get_model(model_id)
    if model is None:
        raise NotFoundError(model_id)
    return model


def own_model(model_id: str, request: Request, hub: ThisHub, shown: ShownKey) -> str:
    """The model's id, for its owner and admins.

    Raises:
        NotFoundError: There is none.
        HTTPException: 401 without a valid key, 403 for anybody else.
    """
    return check_own(model_id, request, hub, shown)


def check_own(model_id: str, request: Request, hub: Hub, shown: str | None) -> str:
    """The same, for routes that get id and key in another way."""
    owner(model_id, request, hub, shown)
    return model_id


def owner(model_id: str, request: Request, hub: ThisHub, shown: ShownKey) -> Caller:
    """The caller, who is the model's owner or an admin; raises as `own_model` does."""
    caller = identify(request, hub, shown=shown, role="trainer")
    check_owner(caller, hub.store.owner_of(model_id))
    return caller


ReadableModel = Annotated[Model, Depends(readable_model)]
Owner = Annotated[Caller, Depends(owner)]
OwnModelId = Annotated[str, Depends(own_model)]
