"""Checkpoints in, part by part and over breaks: tus 1.0.0 (tus.io/protocols/resumable-upload), four extensions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from email.utils import formatdate
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from hub_callbacks import wire
from hub_callbacks.server.bodies import FAILURES, NO_ROOM, SUPERSEDED, Failure
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.guard import expect_file
from hub_callbacks.server.intake import INTAKE, Intake
from hub_callbacks.server.publishing import CheckpointError, describe
from hub_callbacks.server.reception import Chunk, Reception, delete_expired, discard, offset_of, turn
from hub_callbacks.server.routes import tus_document
from hub_callbacks.server.routes.access import Attempt, Owner, OwnModelId
from hub_callbacks.server.store.rows import NewCheckpoint, Upload

_ALGORITHMS: Final = {wire.TUS_CHECKSUM: "sha256", "sha1": "sha1"}  # tus wants SHA-1 of every server
_ABILITIES: Final = {
    "tus-version": wire.TUS_VERSION,
    "tus-extension": "creation,expiration,checksum,termination",
    "tus-checksum-algorithm": ",".join(_ALGORITHMS),
}
_UPLOADS = wire.uploads("{model_id}")
_UPLOAD = f"{_UPLOADS}/{{upload_id}}"


class _TusRoute(APIRoute):
    """A route whose every reply, refusals too, names the protocol."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault(wire.TUS_RESUMABLE_HEADER, wire.TUS_VERSION)
            await send(message)

        await super().handle(scope, receive, answer)


async def _check_version(request: Request) -> None:
    version = request.headers.get(wire.TUS_RESUMABLE_HEADER)
    if request.method != "OPTIONS" and version != wire.TUS_VERSION:
        message = f"The hub speaks tus {wire.TUS_VERSION}; the request says {version!r}."
        raise HTTPException(412, message, headers={"tus-version": wire.TUS_VERSION})


def _failures(meanings: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    own: dict[int | str, dict[str, Any]] = {
        status: {"model": Failure, "description": description} for status, description in meanings.items()
    }
    return {**FAILURES, **own}


router = APIRouter(
    tags=["checkpoints"],
    route_class=_TusRoute,
    dependencies=[Depends(_check_version)],
    default_response_class=Response,
    responses=_failures({412: "It is another version of tus."}),
)


@router.options(_UPLOADS, status_code=204, openapi_extra=tus_document.in_path("model_id"))
@router.options(_UPLOAD, status_code=204, openapi_extra=tus_document.in_path("model_id", "upload_id"))
async def abilities(hub: ThisHub) -> Response:
    """What of tus the hub can do."""
    return Response(status_code=204, headers={**_ABILITIES, "tus-max-size": str(hub.limits.upload_bytes)})


@router.post(
    _UPLOADS,
    status_code=201,
    responses=_failures({400: "A header is wrong."}) | NO_ROOM | SUPERSEDED,
    openapi_extra=tus_document.CREATE,
)
def create(model_id: str, request: Request, owner: Owner, hub: ThisHub, attempt: Attempt = None) -> Response:
    """Begin an upload, or find the one that was begun before. A checkpoint that is here needs no byte more."""
    delete_expired(hub)
    size_bytes = _length(request.headers, at_most=hub.limits.upload_bytes)
    new = replace(_said(request.headers), size_bytes=size_bytes, blob=hub.blobs.new_name())
    at_most = hub.limits.uploads - hub.incoming.forms(owner.source)
    upload = hub.store.create_upload(model_id, new, attempt=attempt, key_id=owner.source, at_most=at_most)
    location = f"{wire.uploads(model_id)}/{upload.id}"
    return Response(status_code=201, headers={"location": location, **_progress(hub, upload)})


@router.head(_UPLOAD, responses=_failures({410: "It has expired."}), openapi_extra=tus_document.ANY)
def progress(upload_id: str, own_id: OwnModelId, hub: ThisHub) -> Response:
    """How much of an upload has come."""
    upload = _find(hub, own_id, upload_id)
    headers = {
        wire.UPLOAD_LENGTH_HEADER: str(upload.size_bytes),
        wire.UPLOAD_METADATA_HEADER: wire.upload_metadata(_metadata(upload)),
        "cache-control": "no-store",
    }
    return Response(headers={**headers, **_progress(hub, upload)})


@router.patch(
    _UPLOAD,
    status_code=204,
    responses=_failures(
        {
            400: "A header is wrong, or the body broke off.",
            409: "It is at another offset.",
            410: "It has expired.",
            413: "It goes beyond the end.",
            415: "It has another content type.",
            423: "Another request writes to it.",
            460: "A checksum is wrong.",
        }
    ),
    openapi_extra=tus_document.APPEND,
)
async def append(upload_id: str, request: Request, own_id: OwnModelId, hub: ThisHub) -> Response:
    """Take the next bytes of an upload; with the last ones the checkpoint is verified and published."""
    chunk = _chunk(request.headers)
    async with turn(hub, upload_id):
        upload = await run_in_threadpool(_find, hub, own_id, upload_id)
        reception = await run_in_threadpool(Reception, hub, upload, chunk)
        try:
            await _receive(hub, request, reception)
            offset, expires_at = await run_in_threadpool(reception.finish)
        finally:
            await run_in_threadpool(reception.close)
    headers = {wire.UPLOAD_OFFSET_HEADER: str(offset), wire.UPLOAD_EXPIRES_HEADER: formatdate(expires_at, usegmt=True)}
    return Response(status_code=204, headers=headers)


@router.delete(_UPLOAD, status_code=204, openapi_extra=tus_document.ANY)
async def terminate(upload_id: str, own_id: OwnModelId, hub: ThisHub) -> Response:
    """Give an upload up. What it has become stays."""
    async with turn(hub, upload_id):
        upload = await run_in_threadpool(_find, hub, own_id, upload_id)
        await run_in_threadpool(discard, hub, upload)
    return Response(status_code=204)


async def _receive(hub: Hub, request: Request, reception: Reception) -> None:
    expect_file(request)
    try:
        await hub.incoming.feed(request.stream(), reception.take, past=_past(hub, request, reception))
    except (ClientDisconnect, HTTPException) as error:
        await run_in_threadpool(reception.break_off)
        if isinstance(error, HTTPException):
            raise
        raise HTTPException(400, "The upload broke off.") from error


def _past(hub: Hub, request: Request, reception: Reception) -> Callable[[], Awaitable[None]] | None:
    """The way of the body's bytes past its stream, where there is one."""
    intake: Intake | None = request.scope.get(INTAKE)
    return partial(hub.incoming.pour, intake, reception.pour) if intake and reception.can_pour else None


def _find(hub: Hub, model_id: str, upload_id: str) -> Upload:
    upload = hub.store.get_upload(model_id, upload_id)
    if upload is None:
        raise HTTPException(404, f"There is no upload {upload_id!r}. Begin a new one.")
    if upload.expires_at <= hub.clock():
        raise HTTPException(410, f"The upload {upload_id!r} has expired. Begin a new one.")
    return upload


def _progress(hub: Hub, upload: Upload) -> dict[str, str]:
    return {
        wire.UPLOAD_OFFSET_HEADER: str(offset_of(hub, upload)),
        wire.UPLOAD_EXPIRES_HEADER: formatdate(upload.expires_at, usegmt=True),
    }


def _said(headers: Mapping[str, str]) -> NewCheckpoint:
    """What ``Upload-Metadata`` says of the checkpoint."""
    try:
        fields = wire.parse_upload_metadata(headers.get(wire.UPLOAD_METADATA_HEADER, ""))
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    return describe(fields, filename=fields.get("filename", ""))


def _metadata(upload: Upload) -> dict[str, object]:
    kind = {"type": "final", "map": upload.map} if upload.is_final else {"type": "epoch", "isBest": upload.is_best}
    named = {wire.SHA256_FIELD: upload.sha256} if upload.sha256 else {}
    return {"filename": upload.filename, "epoch": upload.epoch, **kind, **named}


def _length(headers: Mapping[str, str], *, at_most: int) -> int:
    length = _number(headers, wire.UPLOAD_LENGTH_HEADER)
    if length > at_most:
        raise HTTPException(413, f"An upload has at most {at_most} bytes, not {length}.")
    if length == 0:
        raise CheckpointError("An upload of no bytes is no checkpoint.")
    return length


def _chunk(headers: Mapping[str, str]) -> Chunk:
    kind = headers.get("content-type", "")
    if kind != wire.TUS_CONTENT_TYPE:
        raise HTTPException(415, f"The content type must be {wire.TUS_CONTENT_TYPE}, not {kind!r}.")
    offset = _number(headers, wire.UPLOAD_OFFSET_HEADER)
    sha256 = wire.parse_repr_digest(headers.get(wire.REPR_DIGEST_HEADER, ""))
    given = headers.get(wire.UPLOAD_CHECKSUM_HEADER)
    if given is None:
        return Chunk(offset_bytes=offset, file_sha256=sha256)
    name, _, digest = given.partition(" ")
    try:
        checksum = base64.b64decode(digest, validate=True)
        return Chunk(offset_bytes=offset, file_sha256=sha256, algorithm=_ALGORITHMS[name], checksum=checksum)
    except (KeyError, binascii.Error) as error:
        message = f"Upload-Checksum must be sha256 or sha1 and Base64, not {given[:200]!r}."
        raise HTTPException(400, message) from error


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise HTTPException(400, f"{name} must be a number of bytes, not {text[:200]!r}.")
    return int(text)
