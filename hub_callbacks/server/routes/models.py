"""Models: create, list, read, patch, delete, reset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query, Request

from hub_callbacks import wire
from hub_callbacks.server.auth import ShownKey, Trainer, Viewer
from hub_callbacks.server.bodies import (
    FAILURES,
    CreateBody,
    Id,
    Listing,
    Object,
    PageQuery,
    PatchBody,
    Reply,
    ResetBody,
)
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.files import file_path, pointed_to
from hub_callbacks.server.routes.access import OwnModelId, ReadableModel, check_own
from hub_callbacks.server.shapes import hub_model
from hub_callbacks.server.store.rows import Model

router = APIRouter(tags=["models"], responses=FAILURES)


@router.post(wire.MODELS, responses={409: {**FAILURES[422], "description": "The proposed id is taken."}})
def create(body: CreateBody, caller: Trainer, hub: ThisHub) -> Reply[Id]:
    """Create a model, or find the caller's own of the proposed id again."""
    model = hub.store.create_model(body.given(), owner=caller.user_id)
    return Reply(message="Model created.", data=Id(id=model.id))


@router.get(wire.MODELS)
def list_models(request: Request, hub: ThisHub, _: Viewer, asked: Annotated[PageQuery, Query()]) -> Reply[Listing]:
    """Models, newest first."""
    found = hub.store.list_models(
        limit=asked.size, cursor=asked.cursor, query=asked.query, offset=0 if asked.cursor else asked.page * asked.size
    )
    results = _shown(request, hub, found.models)
    return Reply(data=Listing(results=results, total=found.total, last_record_id=found.cursor))


@router.get(wire.model("{model_id}"))
def read(request: Request, hub: ThisHub, model: ReadableModel) -> Reply[Object]:
    """One model, as clients of every era read it."""
    return Reply(data=_shown(request, hub, [model])[0])


@router.patch(wire.model("{model_id}"))
def patch(body: PatchBody, hub: ThisHub, own_id: OwnModelId) -> Reply[Id]:
    """Lay a part of a document over the model's; ``summary`` says what its best checkpoint scored."""
    hub.store.update_model(own_id, body.given())
    return Reply(message="Model updated.", data=Id(id=own_id))


@router.delete(wire.model("{model_id}"))
def delete(hub: ThisHub, own_id: OwnModelId, hard: bool = False) -> Reply[Id]:
    """Hide the model or, when hard, remove it with its metrics and checkpoints."""
    for blob in hub.store.delete_model(own_id, hard=hard):
        hub.blobs.delete(blob)
    return Reply(message="Model deleted.", data=Id(id=own_id))


@router.post("/model-reset")
def reset(request: Request, body: ResetBody, hub: ThisHub, shown: ShownKey) -> Reply[Id]:
    """Make a model new again: its metrics and checkpoints are removed."""
    own_id = check_own(body.model_id, request, hub, body.api_key or shown)
    for blob in hub.store.reset_model(own_id):
        hub.blobs.delete(blob)
    return Reply(message="Model reset.", data=Id(id=own_id))


def _shown(request: Request, hub: Hub, models: Iterable[Model]) -> list[Object]:
    models = list(models)
    files = pointed_to(hub, models)
    root = str(request.base_url).rstrip("/")
    urls = {checkpoint.id: root + file_path(hub, checkpoint) for checkpoint in files.values()}
    return [hub_model(model, hub.judge(model), files=files, urls=urls) for model in models]
