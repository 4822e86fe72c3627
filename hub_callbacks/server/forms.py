"""The form of an upload, received whole, and the checks that every file passes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from hub_callbacks import wire
from hub_callbacks.server.archives import check_archive
from hub_callbacks.server.context import Hub
from hub_callbacks.server.guard import expect_file
from hub_callbacks.server.multipart import FormError, UploadForm
from hub_callbacks.server.publishing import check_zip
from hub_callbacks.server.store import TooManyUploadsError
from hub_callbacks.server.store.rows import Caller, NewFile
from hub_callbacks.server.store.things import ThingKind

_NAME_CHARS: Final = 128
_IMAGES: Final = (  # the first bytes of each kind, and where they stand
    (0, b"\x89PNG\r\n\x1a\n", ".png"),
    (0, b"\xff\xd8\xff", ".jpg"),
    (0, b"GIF8", ".gif"),
    (8, b"WEBP", ".webp"),
)


def file_form(description: str, **fields: Any) -> dict[str, Any]:
    """What the OpenAPI document says of a route that takes a form with one file."""
    schema = {
        "type": "object",
        "required": ["file", *(name for name, field in fields.items() if field.pop("required", False))],
        "properties": {**fields, "file": {"type": "string", "format": "binary", "description": description}},
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


@asynccontextmanager
async def received_form(request: Request, hub: Hub, caller: Caller, *, limit_bytes: int) -> AsyncIterator[UploadForm]:
    """The request's form, all of whose body has come. At the end, what was not published of it is forgotten.

    Raises:
        HTTPException: 400, the upload broke off; 413, the file is too large.
        FormError: It is no form, or one that is not allowed.
        TooManyUploadsError: The caller's key has others in progress, as many as it may.
    """
    form = UploadForm(request.headers.get("content-type", ""), hub.blobs.writer, limit_bytes=limit_bytes)
    with hub.incoming.form(caller.source) as coming:
        await run_in_threadpool(_check_room, hub, caller, coming)
        expect_file(request)
        try:
            await hub.incoming.feed(request.stream(), form.take)
            yield form
        except ClientDisconnect as error:
            raise HTTPException(400, "The upload broke off.") from error
        finally:
            await run_in_threadpool(form.discard)


def _check_room(hub: Hub, caller: Caller, coming: int) -> None:
    if coming + hub.store.uploads_in_progress(caller.source) > hub.limits.uploads:
        raise TooManyUploadsError


def publish_archive(hub: Hub, dataset_id: str, form: UploadForm) -> NewFile:
    """The form's file as the data set's archive, in place of the one before.

    Raises:
        FormError: The form holds no such file, or another than it says.
        CheckpointError: The file is no zip archive.
        ArchiveError: The archive is broken, or dangerous to unpack.
    """
    writer = form.finish()
    check_zip(form.head)
    sha256, claimed = writer.sha256(), form.fields.get(wire.SHA256_FIELD, "").lower()
    if claimed and claimed != sha256:
        raise FormError(f"The file's SHA-256 is {sha256}, not {claimed!r} as the form says.")
    name = _safe_name(form.filename, suffix=".zip")
    file = NewFile(filename=name, size_bytes=writer.size_bytes, sha256=sha256, blob=writer.publish())
    return _set_file(hub, "datasets", dataset_id, file)


def publish_image(hub: Hub, project_id: str, form: UploadForm) -> NewFile:
    """The form's file as the project's image, in place of the one before.

    Raises:
        FormError: The form holds no image.
    """
    writer = form.finish()
    suffix = next((suffix for at, magic, suffix in _IMAGES if form.head[at:].startswith(magic)), None)
    if suffix is None:
        raise FormError("The file is no image: it must be PNG, JPEG, GIF or WebP.")
    name = _safe_name(form.filename.rpartition(".")[0], suffix=suffix)
    sha256 = writer.sha256()
    file = NewFile(filename=name, size_bytes=writer.size_bytes, sha256=sha256, blob=writer.publish())
    return _set_file(hub, "projects", project_id, file)


def _set_file(hub: Hub, kind: ThingKind, thing_id: str, file: NewFile) -> NewFile:
    try:
        if kind == "datasets":
            _check_archive(hub, file)
        replaced = hub.store.set_file(kind, thing_id, file)
    except Exception:
        hub.blobs.delete(file.blob)
        raise
    if replaced:
        hub.blobs.delete(replaced)
    return file


def _check_archive(hub: Hub, file: NewFile) -> None:
    def read(start: int, stop: int) -> bytes:
        return b"".join(hub.blobs.read(file.blob, start, stop)) if start < stop else b""

    limits = hub.limits
    check_archive(read, file.size_bytes, max_files=limits.files, max_unpacked_bytes=limits.unpacked_bytes)


def _safe_name(name: str, *, suffix: str) -> str:
    """The name that a client gave its file, without anything that means something to a file system or a browser."""
    stem = re.split(r"[/\\]", name)[-1].removesuffix(suffix)
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", stem).strip(".")[: _NAME_CHARS - len(suffix)]
    return (plain or "file") + suffix
