"""Projects: what belongs together, and with whom it is shared."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool

from hub_callbacks import wire
from hub_callbacks.server.auth import Anyone, Trainer
from hub_callbacks.server.bodies import (
    FAILURES,
    NO_ROOM,
    Id,
    Listing,
    Object,
    Reply,
    StoredFile,
    ThingBody,
    also,
)
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.forms import file_form, publish_image, received_form
from hub_callbacks.server.queries import PageQuery
from hub_callbacks.server.routes import collections
from hub_callbacks.server.routes.access import readable_thing, thing_owner
from hub_callbacks.server.store.rows import Caller, Thing

router = APIRouter(tags=["projects"], responses=FAILURES)

Readable = Annotated[Thing, Depends(readable_thing("projects", "project_id"))]
Owner = Annotated[Caller, Depends(thing_owner("projects", "project_id"))]
_PATH = wire.project("{project_id}")


@router.post(wire.PROJECTS)
def create(request: Request, body: ThingBody, caller: Trainer, hub: ThisHub) -> Reply[Id]:
    """Create a project."""
    return collections.create(request, hub, "projects", caller, body.given())


@router.get(wire.PROJECTS)
def list_projects(
    request: Request, hub: ThisHub, caller: Anyone, asked: Annotated[PageQuery, Query()]
) -> Reply[Listing]:
    """Projects that the caller may read, newest first."""
    return collections.listing(request, hub, "projects", caller, asked)


@router.get(_PATH)
def read(request: Request, hub: ThisHub, thing: Readable) -> Reply[Object]:
    """One project; ``imageUrl`` gives its image for a day."""
    return Reply(data=collections.shown(request, hub, "projects", thing))


@router.patch(_PATH)
def patch(request: Request, project_id: str, body: ThingBody, caller: Owner, hub: ThisHub) -> Reply[Id]:
    """Lay a part of a document over the project's."""
    return collections.patch(request, hub, "projects", project_id, caller, body.given())


@router.delete(_PATH, responses=also(http_409="It still holds something."))
def delete(request: Request, project_id: str, caller: Owner, hub: ThisHub, hard: bool = False) -> Reply[Id]:
    """Hide the project or, when hard, remove it; a project that still holds something is only hidden."""
    return collections.delete(request, hub, "projects", project_id, caller, hard=hard)


@router.post(
    f"{_PATH}/upload",
    responses=NO_ROOM,
    openapi_extra=file_form("The image."),
)
async def upload(project_id: str, request: Request, owner: Owner, hub: ThisHub) -> Reply[StoredFile]:
    """Take the project's image: PNG, JPEG, GIF or WebP."""
    async with received_form(request, hub, owner, limit_bytes=hub.limits.image_bytes) as form:
        file = await run_in_threadpool(publish_image, hub, project_id, form)
    return await run_in_threadpool(collections.stored, request, hub, "projects", project_id, file)
