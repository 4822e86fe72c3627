"""Models: create, list, read, patch, delete, reset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query, Request

from hub_callbacks import wire
from hub_callbacks.server.auditing import note
from hub_callbacks.server.auth import Anyone, ShownKey, Trainer
from hub_callbacks.server.bodies import (
    FAILURES,
    SUPERSEDED,
    CreateBody,
    Id,
    Listing,
    Object,
    PatchBody,
    Reply,
    ResetBody,
)
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.documents import check_document, check_row
from hub_callbacks.server.files import file_path, pointed_to, training_path
from hub_callbacks.server.queries import PageQuery
from hub_callbacks.server.routes.access import Attempt, Owner, ReadableModel, check_readable, owner, settle
from hub_callbacks.server.routes.collections import note_publishing, reader, root_url
from hub_callbacks.server.shapes import hub_model
from hub_callbacks.server.store.rows import Caller, Model

router = APIRouter(tags=["models"], responses=FAILURES)


@router.post(wire.MODELS, responses={409: {**FAILURES[422], "description": "The proposed id is taken."}})
def create(request: Request, body: CreateBody, caller: Trainer, hub: ThisHub) -> Reply[Id]:
    """Create a model, or find the caller's own of the proposed id again."""
    given = _settled(hub, caller, body)
    model = hub.store.create_model(given, owner=caller.user_id)
    note_publishing(request, hub, "models", model.id, caller, given)
    return Reply(message="Model created.", data=Id(id=model.id))


@router.get(wire.MODELS)
def list_models(request: Request, hub: ThisHub, caller: Anyone, asked: Annotated[PageQuery, Query()]) -> Reply[Listing]:
    """Models that the caller may read, newest first."""
    found = hub.store.list_models(
        reader(caller, asked), limit=asked.size, cursor=asked.cursor, query=asked.query, offset=asked.offset
    )
    results = _shown(request, hub, found.models, caller)
    return Reply(data=Listing(results=results, total=found.total, last_record_id=found.cursor))


@router.get(wire.model("{model_id}"))
def read(request: Request, hub: ThisHub, model: ReadableModel, caller: Anyone) -> Reply[Object]:
    """One model, as clients of every era read it."""
    return Reply(data=_shown(request, hub, [model], caller)[0])


@router.patch(wire.model("{model_id}"), responses=SUPERSEDED)
def patch(
    request: Request, body: PatchBody, hub: ThisHub, model_id: str, caller: Owner, attempt: Attempt = None
) -> Reply[Id]:
    """Lay a part of a document over the model's; ``summary`` says what its best checkpoint scored."""
    given = _settled(hub, caller, body, is_new=False)
    hub.store.update_model(model_id, given, attempt=attempt)
    note_publishing(request, hub, "models", model_id, caller, given)
    return Reply(message="Model updated.", data=Id(id=model_id))


@router.delete(wire.model("{model_id}"))
def delete(request: Request, hub: ThisHub, model_id: str, caller: Owner, hard: bool = False) -> Reply[Id]:
    """Hide the model or, when hard, remove it with its metrics and checkpoints."""
    for blob in hub.store.delete_model(model_id, hard=hard):
        hub.blobs.delete(blob)
    note(hub, request, caller, "delete", f"models/{model_id}", detail="hard" if hard else "")
    return Reply(message="Model deleted.", data=Id(id=model_id))


@router.post(wire.RESET)
def reset(request: Request, body: ResetBody, hub: ThisHub, shown: ShownKey) -> Reply[Id]:
    """Make a model new again: its metrics and checkpoints are removed."""
    caller = owner(body.model_id, request, hub, body.api_key or shown)
    for blob in hub.store.reset_model(body.model_id):
        hub.blobs.delete(blob)
    note(hub, request, caller, "reset", f"models/{body.model_id}")
    return Reply(message="Model reset.", data=Id(id=body.model_id))


def _settled(hub: Hub, caller: Caller, body: PatchBody, *, is_new: bool = True) -> Object:
    """What the client sent, in a project where it may be, with a data set that the caller may read."""
    given = body.given()
    check_document(given, hub.limits)
    check_row(given.get("summary") or {}, hub.limits)
    if is_new or "projectId" in given:
        given = settle(hub, caller, given)
    if body.dataset_id:
        check_readable(hub, caller, "datasets", body.dataset_id)
        dataset = hub.store.get_thing("datasets", body.dataset_id)
        named = {"id": body.dataset_id, "name": dataset.name if dataset else ""}
        given["dataset"] = {**named, **(given.get("dataset") or {})}
    return given


def _shown(request: Request, hub: Hub, models: Iterable[Model], caller: Caller | None) -> list[Object]:
    models = list(models)
    files = pointed_to(hub, models)
    root = root_url(request)
    urls = {checkpoint.id: root + file_path(hub, checkpoint) for checkpoint in files.values()}
    ids = {model.dataset_id for model in models if model.dataset_id}
    datasets = hub.store.get_readable("datasets", ids, caller) if ids else {}
    data = {dataset.id: root + path for dataset in datasets.values() if (path := training_path(hub, dataset))}
    return [hub_model(model, hub.judge(model), files=files, urls=urls | data) for model in models]
