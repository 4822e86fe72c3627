"""Data sets: archives of images and labels, and what is known of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool

from hub_callbacks import wire
from hub_callbacks.server.auth import Anyone, Trainer
from hub_callbacks.server.bodies import (
    FAILURES,
    NO_ROOM,
    DatasetBody,
    Id,
    Listing,
    Object,
    Reply,
    StoredFile,
)
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.forms import file_form, publish_archive, received_form
from hub_callbacks.server.queries import PageQuery
from hub_callbacks.server.routes import collections
from hub_callbacks.server.routes.access import readable_thing, thing_owner
from hub_callbacks.server.store.rows import Caller, Thing

router = APIRouter(tags=["datasets"], responses=FAILURES)

Readable = Annotated[Thing, Depends(readable_thing("datasets", "dataset_id"))]
Owner = Annotated[Caller, Depends(thing_owner("datasets", "dataset_id"))]
_PATH = wire.dataset("{dataset_id}")


@router.post(wire.DATASETS)
def create(request: Request, body: DatasetBody, caller: Trainer, hub: ThisHub) -> Reply[Id]:
    """Create a data set."""
    return collections.create(request, hub, "datasets", caller, body.given())


@router.get(wire.DATASETS)
def list_datasets(
    request: Request, hub: ThisHub, caller: Anyone, asked: Annotated[PageQuery, Query()]
) -> Reply[Listing]:
    """Data sets that the caller may read, newest first."""
    return collections.listing(request, hub, "datasets", caller, asked)


@router.get(_PATH)
def read(request: Request, hub: ThisHub, thing: Readable) -> Reply[Object]:
    """One data set; ``url`` gives its archive to anyone for a day."""
    return Reply(data=collections.shown(request, hub, "datasets", thing))


@router.patch(_PATH)
def patch(request: Request, dataset_id: str, body: DatasetBody, caller: Owner, hub: ThisHub) -> Reply[Id]:
    """Lay a part of a document over the data set's."""
    return collections.patch(request, hub, "datasets", dataset_id, caller, body.given())


@router.delete(_PATH)
def delete(request: Request, dataset_id: str, caller: Owner, hub: ThisHub, hard: bool = False) -> Reply[Id]:
    """Hide the data set or, when hard, remove it with its archive."""
    return collections.delete(request, hub, "datasets", dataset_id, caller, hard=hard)


@router.post(
    f"{_PATH}/upload",
    responses=NO_ROOM,
    openapi_extra=file_form(
        "The zip archive, under any field name.", sha256={"type": "string", "pattern": "^([0-9a-fA-F]{64})?$"}
    ),
)
async def upload(dataset_id: str, request: Request, owner: Owner, hub: ThisHub) -> Reply[StoredFile]:
    """Take the data set's zip archive. The one before stays until this one is verified."""
    async with received_form(request, hub, owner, limit_bytes=hub.limits.upload_bytes) as form:
        file = await run_in_threadpool(publish_archive, hub, dataset_id, form)
    return await run_in_threadpool(collections.stored, request, hub, "datasets", dataset_id, file)
