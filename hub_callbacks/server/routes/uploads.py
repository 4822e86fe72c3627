"""Checkpoints in: streamed to the blob store, verified, and only then published."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final, Literal

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from hub_callbacks import wire
from hub_callbacks.server.bodies import FAILURES, Reply, Stored
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.multipart import FormError, UploadForm
from hub_callbacks.server.routes.access import OwnModelId
from hub_callbacks.server.store.rows import NewCheckpoint

router = APIRouter(tags=["checkpoints"])

_FEED_BYTES = 1 << 20  # a piece for a thread: large enough that the hop there costs nothing
_ZIP_HEAD, _ZIP_END = b"PK\x03\x04", b"PK\x05\x06"  # PKWARE APPNOTE 4.3.7 and 4.3.16
_FILENAMES: Final = ("last.pt", "best.pt")
_FORM = {
    "type": "object",
    "required": ["epoch", "type", "file"],
    "properties": {
        "epoch": {"type": "integer", "minimum": 0},
        "type": {"type": "string", "enum": ["epoch", "final"]},
        "isBest": {"type": "string", "enum": ["True", "False"]},
        "map": {"type": "number"},
        wire.SHA256_FIELD: {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "file": {"type": "string", "format": "binary", "description": "Under any field name; last.pt or best.pt."},
    },
}


@router.post(
    wire.upload("{model_id}"),
    responses=FAILURES,
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}},
)
async def upload(request: Request, own_id: OwnModelId, hub: ThisHub) -> Reply[Stored]:
    """Take a checkpoint. What was published before stays until this one is verified."""
    form = UploadForm(request.headers.get("content-type", ""), hub.blobs.writer)
    try:
        await _receive(request, form)
        stored = await run_in_threadpool(_publish, hub, own_id, form)
    except ClientDisconnect as error:
        raise HTTPException(400, "The upload broke off.") from error
    finally:
        await run_in_threadpool(form.discard)
    return Reply(message="Checkpoint stored.", data=stored)


async def _receive(request: Request, form: UploadForm) -> None:
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) >= _FEED_BYTES:
            await run_in_threadpool(form.feed, bytes(pieces))
            pieces.clear()
    await run_in_threadpool(form.feed, bytes(pieces))


def _publish(hub: Hub, model_id: str, form: UploadForm) -> Stored:
    writer = form.finish()
    sha256 = writer.sha256()
    _verify(form, sha256)
    new = replace(_describe(form), size_bytes=writer.size_bytes, sha256=sha256)
    new = replace(new, blob=writer.publish())
    try:
        checkpoint = hub.store.add_checkpoint(model_id, new)
    except Exception:
        hub.blobs.delete(new.blob)
        raise
    if checkpoint.blob != new.blob:  # the same bytes came before, and their reply was lost
        hub.blobs.delete(new.blob)
    return Stored(id=checkpoint.id, sha256=sha256, size_bytes=checkpoint.size_bytes)


def _verify(form: UploadForm, sha256: str) -> None:
    """Refuse a file that is not what its sender meant, or that torch did not write."""
    claimed = form.fields.get(wire.SHA256_FIELD)
    if claimed is not None and claimed.lower() != sha256:
        raise FormError(f"The file's SHA-256 is {sha256}, not {claimed!r} as the form says.")
    if form.head != _ZIP_HEAD:
        raise FormError("The file is no checkpoint: it does not begin as a zip archive.")
    # A client that sends no hash may have read last.pt while the trainer was rewriting it (protocol.md, D7).
    if claimed is None and not form.tail.startswith(_ZIP_END):
        raise FormError("The checkpoint is cut off: it does not end as a zip archive.")


def _describe(form: UploadForm) -> NewCheckpoint:
    """What the form says of its file."""
    kind = _kind(form.fields)
    epoch = form.fields.get("epoch", "")
    if not epoch.isascii() or not epoch.isdigit() or len(epoch) > 9:
        raise FormError(f"The field 'epoch' must be a number from 0, not {epoch!r}.")
    return NewCheckpoint(
        filename=form.filename if form.filename in _FILENAMES else _FILENAMES[kind == "final"],
        epoch=int(epoch),
        is_best=kind == "epoch" and form.fields.get("isBest", "").lower() == "true",
        is_final=kind == "final",
        map=_map(form.fields),
        size_bytes=0,
        sha256="",
        blob="",
    )


def _kind(fields: dict[str, str]) -> Literal["epoch", "final"]:
    match fields.get("type", ""):
        case "epoch" | "final" as kind:
            return kind
        case kind:
            raise FormError(f"The field 'type' must be 'epoch' or 'final', not {kind!r}.")


def _map(fields: dict[str, str]) -> float:
    try:
        value = float(fields.get("map", 0.0))
    except ValueError as error:
        raise FormError(f"The field 'map' must be a number, not {fields['map']!r}.") from error
    return value if math.isfinite(value) else 0.0
