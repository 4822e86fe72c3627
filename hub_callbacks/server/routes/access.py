"""The model that a route is about, for those who may read or change it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from hub_callbacks.server.auth import Trainer, Viewer, check_owner
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.store import NotFoundError
from hub_callbacks.server.store.rows import Model


def readable_model(model_id: str, _: Viewer, hub: ThisHub) -> Model:
    """The model, for anyone with a key.

    Raises:
        NotFoundError: There is none.
    """
    model = hub.store.get_model(model_id)
    if model is None:
        raise NotFoundError(model_id)
    return model


def own_model(model_id: str, caller: Trainer, hub: ThisHub) -> Model:
    """The model, for its owner and admins.

    Raises:
        NotFoundError: There is none.
        HTTPException: 403 for anybody else.
    """
    model = hub.store.get_model(model_id)
    if model is None:
        raise NotFoundError(model_id)
    check_owner(caller, model)
    return model


ReadableModel = Annotated[Model, Depends(readable_model)]
OwnModel = Annotated[Model, Depends(own_model)]
