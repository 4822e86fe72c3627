"""Checkpoints in: streamed to the blob store, verified, and only then published."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from hub_callbacks import wire
from hub_callbacks.server.bodies import FAILURES, NO_ROOM, SUPERSEDED, Published, Reply
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.forms import file_form, received_form
from hub_callbacks.server.multipart import FormError, UploadForm
from hub_callbacks.server.publishing import check_zip, describe, publish
from hub_callbacks.server.routes.access import Attempt, Owner

router = APIRouter(tags=["checkpoints"])

_ZIP_END = b"PK\x05\x06"  # PKWARE APPNOTE 4.3.16
_FORM = file_form(
    "Under any field name; last.pt or best.pt.",
    epoch={"type": "integer", "minimum": 0, "maximum": 999_999_999, "required": True},
    type={"type": "string", "enum": ["epoch", "final"], "required": True},
    isBest={"type": "string", "enum": ["True", "False"]},
    map={"type": "number"},
    sha256={"type": "string", "pattern": "^([0-9a-fA-F]{64})?$"},
)


@router.post(
    wire.upload("{model_id}"),
    responses=FAILURES | NO_ROOM | SUPERSEDED,
    openapi_extra=_FORM,
)
async def upload(
    model_id: str, request: Request, owner: Owner, hub: ThisHub, attempt: Attempt = None
) -> Reply[Published]:
    """Take a checkpoint. What was published before stays until this one is verified."""
    async with received_form(request, hub, owner, limit_bytes=hub.limits.upload_bytes) as form:
        stored = await run_in_threadpool(_publish, hub, model_id, form, attempt)
    return Reply(message="Checkpoint stored.", data=stored)


def _publish(hub: Hub, model_id: str, form: UploadForm, attempt: float | None) -> Published:
    writer = form.finish()
    said = describe(form.fields, filename=form.filename)
    new = replace(said, size_bytes=writer.size_bytes, sha256=writer.sha256())
    _verify(form, claimed=said.sha256, sha256=new.sha256)
    new = replace(new, blob=writer.publish())
    try:
        checkpoint = publish(hub, model_id, new, attempt=attempt)
    except Exception:
        hub.blobs.delete(new.blob)
        raise
    return Published(id=checkpoint.id, sha256=new.sha256, size_bytes=checkpoint.size_bytes)


def _verify(form: UploadForm, *, claimed: str, sha256: str) -> None:
    """Refuse a file that is not what its sender meant, or that torch did not write."""
    if claimed and claimed != sha256:
        raise FormError(f"The file's SHA-256 is {sha256}, not {claimed!r} as the form says.")
    check_zip(form.head)
    # HUB v1's own clients send no hash, and may read last.pt while the trainer is rewriting it.
    if not claimed and not form.tail.startswith(_ZIP_END):
        raise FormError("The checkpoint is cut off: it does not end as a zip archive.")
