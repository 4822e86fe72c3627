"""What hub-sdk 0.0.6 and before ask for under other paths."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from hub_callbacks.server.auth import Anyone
from hub_callbacks.server.bodies import FAILURES, FileUrl, Listing, Reply, StorageBody
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.files import file_path, thing_path
from hub_callbacks.server.queries import PageQuery
from hub_callbacks.server.routes import collections, models
from hub_callbacks.server.routes.access import check_readable

router = APIRouter(tags=["former clients"], responses={401: FAILURES[401], 422: FAILURES[422]})

Asked = Annotated[PageQuery, Query()]


@router.get("/v1/public/models")
def public_models(request: Request, hub: ThisHub, asked: Asked) -> Reply[Listing]:
    """Models that anyone may read, newest first."""
    return models.list_models(request, hub, None, asked.model_copy(update={"public": True}))


@router.get("/v1/public/datasets")
def public_datasets(request: Request, hub: ThisHub, asked: Asked) -> Reply[Listing]:
    """Data sets that anyone may read, newest first."""
    return collections.listing(request, hub, "datasets", None, asked.model_copy(update={"public": True}))


@router.get("/v1/public/projects")
def public_projects(request: Request, hub: ThisHub, asked: Asked) -> Reply[Listing]:
    """Projects that anyone may read, newest first."""
    return collections.listing(request, hub, "projects", None, asked.model_copy(update={"public": True}))


@router.post("/v1/storage", responses={404: FAILURES[404]})
def storage(request: Request, body: StorageBody, hub: ThisHub, caller: Anyone) -> Reply[FileUrl]:
    """Where a model's checkpoint or a data set's archive can be fetched."""
    check_readable(hub, caller, body.collection, body.doc_id)
    path = _path(hub, body)
    return Reply(data=FileUrl(url=collections.root_url(request) + path if path else None))


def _path(hub: Hub, body: StorageBody) -> str | None:
    if body.collection == "datasets":
        dataset = hub.store.get_thing("datasets", body.doc_id)
        return thing_path(hub, "datasets", dataset) if dataset else None
    model = hub.store.get_model(body.doc_id)
    pointer = model and (model.resume_id if body.object == "last" else model.weights_id)
    checkpoint = hub.store.get_checkpoint(pointer) if pointer else None
    return file_path(hub, checkpoint) if checkpoint else None
