"""Which checkpoints a model has."""

from __future__ import annotations

from fastapi import APIRouter, Request

from hub_callbacks import wire
from hub_callbacks.server.bodies import FAILURES, Reply, Stored
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.files import file_path
from hub_callbacks.server.routes.access import ReadableModel

router = APIRouter(tags=["checkpoints"], responses=FAILURES)


@router.get(wire.checkpoints("{model_id}"))
def list_checkpoints(request: Request, hub: ThisHub, model: ReadableModel) -> Reply[list[Stored]]:
    """The model's checkpoints, newest first, each with a URL that gives its bytes to anyone for a day."""
    root = str(request.base_url).rstrip("/")
    return Reply(
        data=[
            Stored(
                id=checkpoint.id,
                filename=checkpoint.filename,
                epoch=checkpoint.epoch,
                is_best=checkpoint.is_best,
                is_final=checkpoint.is_final,
                map=checkpoint.map,
                size_bytes=checkpoint.size_bytes,
                sha256=checkpoint.sha256,
                created_at=checkpoint.created_at,
                url=root + file_path(hub, checkpoint),
            )
            for checkpoint in hub.store.checkpoints(model.id)
        ]
    )
