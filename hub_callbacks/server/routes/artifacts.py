"""What a training has drawn: pictures, and the numbers behind them; verified, and only then published."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, get_args

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from hub_callbacks import wire
from hub_callbacks.server.bodies import FAILURES, NO_ROOM, Published, Reply, StoredArtifact, also, files
from hub_callbacks.server.contents import PICTURE_HEAD_BYTES, is_picture, look
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.forms import file_form, received_form
from hub_callbacks.server.multipart import FormError, UploadForm
from hub_callbacks.server.routes.access import Attempt, Owner, ReadableModel
from hub_callbacks.server.store.rows import Artifact, NewArtifact

router = APIRouter(tags=["artifacts"], responses=FAILURES)

_KINDS: Final = get_args(wire.ArtifactKind)
_FORM: Final = file_form(
    f"Under any field name. Its own name matches {wire.ARTIFACT_NAME}, and its content is what that says.",
    kind={"type": "string", "enum": list(_KINDS), "required": True},
    epoch={"type": "integer", "minimum": 0, "maximum": 999_999_999},
    sha256={"type": "string", "pattern": "^([0-9a-fA-F]{64})?$"},
)
_BYTES: Final = files("image/png", "image/jpeg", "application/json", "text/csv")
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"  # a browser's own style of a picture's page


@router.post(
    wire.artifacts("{model_id}"),
    responses=NO_ROOM | also(http_409="It has too many, or has been trained anew."),
    openapi_extra=_FORM,
)
async def put(model_id: str, request: Request, owner: Owner, hub: ThisHub, attempt: Attempt = None) -> Reply[Published]:
    """Take an artifact, in place of the model's one of that name; the same bytes again change nothing."""
    async with received_form(request, hub, owner, limit_bytes=hub.limits.artifact_bytes) as form:
        stored = await run_in_threadpool(_publish, hub, model_id, form, attempt)
    return Reply(message="Artifact stored.", data=stored)


@router.get(wire.artifacts("{model_id}"))
def list_artifacts(request: Request, hub: ThisHub, model: ReadableModel) -> Reply[list[StoredArtifact]]:
    """The model's artifacts, by name."""
    root = str(request.base_url).rstrip("/")
    return Reply(data=[_shown(artifact, root) for artifact in hub.store.artifacts(model.id)])


@router.get(wire.artifact("{model_id}", "{artifact_id}"), response_class=Response, responses={200: {"content": _BYTES}})
def read(artifact_id: str, request: Request, hub: ThisHub, model: ReadableModel) -> Response:
    """The artifact's bytes: a picture to look at, anything else as an attachment."""
    found = hub.store.get_artifact(model.id, artifact_id)
    if found is None:
        raise HTTPException(404, f"The model {model.id!r} has no artifact {artifact_id!r}.")
    headers = {
        "etag": f'"{found.sha256}"',
        "cache-control": "private, max-age=86400, immutable",  # other bytes have another id
        "content-security-policy": _POLICY,
        "content-disposition": f'{"inline" if is_picture(found.name) else "attachment"}; filename="{found.name}"',
        "cross-origin-resource-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    pieces = hub.blobs.read(found.blob, 0, found.size_bytes)
    length = {"content-length": str(found.size_bytes)}
    return StreamingResponse(pieces, 200, {**headers, **length}, found.media_type)


def _publish(hub: Hub, model_id: str, form: UploadForm, attempt: float | None) -> Published:
    writer = form.finish()
    name, sha256 = form.filename, writer.sha256()
    if not re.fullmatch(wire.ARTIFACT_NAME, name):
        raise FormError(f"An artifact's name must match {wire.ARTIFACT_NAME}, unlike {name[:200]!r}.")
    if not is_picture(name) and writer.size_bytes > hub.limits.text_bytes:
        raise HTTPException(413, f"{name!r} may have {hub.limits.text_bytes} bytes at most.")
    claimed = form.fields.get(wire.SHA256_FIELD, "").lower()
    if claimed and claimed != sha256:
        raise FormError(f"The file's SHA-256 is {sha256}, not {claimed!r} as the form says.")
    kind, epoch = _kind(form.fields), _epoch(form.fields)
    size_bytes, blob = writer.size_bytes, writer.publish()
    try:
        content = look(name, b"".join(hub.blobs.read(blob, 0, _head_bytes(name, size_bytes))), form.tail)
        new = NewArtifact(
            name=name, kind=kind, epoch=epoch, **content._asdict(), size_bytes=size_bytes, sha256=sha256, blob=blob
        )
        artifact, unneeded = hub.store.put_artifact(model_id, new, at_most=hub.limits.artifacts, attempt=attempt)
    except Exception:
        hub.blobs.delete(blob)
        raise
    if unneeded:
        hub.blobs.delete(unneeded)
    return Published(id=artifact.id, sha256=sha256, size_bytes=size_bytes)


def _head_bytes(name: str, size_bytes: int) -> int:
    return min(size_bytes, PICTURE_HEAD_BYTES) if is_picture(name) else size_bytes


def _kind(fields: Mapping[str, str]) -> wire.ArtifactKind:
    given = fields.get("kind", "")
    for kind in _KINDS:
        if kind == given:
            found: wire.ArtifactKind = kind
            return found
    raise FormError(f"The field 'kind' must be one of {', '.join(_KINDS)}, not {given!r}.")


def _epoch(fields: Mapping[str, str]) -> int | None:
    given = fields.get("epoch", "")
    if not given:
        return None
    if not given.isascii() or not given.isdigit() or len(given) > 9:
        raise FormError(f"The field 'epoch' must be a number from 0, not {given!r}.")
    return int(given)


def _shown(artifact: Artifact, root: str) -> StoredArtifact:
    return StoredArtifact(
        id=artifact.id,
        name=artifact.name,
        kind=artifact.kind,
        epoch=artifact.epoch,
        size_bytes=artifact.size_bytes,
        sha256=artifact.sha256,
        width=artifact.width,
        height=artifact.height,
        created_at=artifact.created_at,
        url=root + wire.artifact(artifact.model_id, artifact.id),
    )
