"""An upload that continues after a break: tus 1.0 (https://tus.io/protocols/resumable-upload).

A file goes in chunks, each with its SHA-256; after a break the hub says how much it has, and the rest is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import IO
from urllib.parse import urljoin

import requests

from hub_callbacks import wire
from hub_callbacks.errors import PermanentError, RetryableError
from hub_callbacks.transport.http import expected_of, send

_VERSION = {wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION}
_GONE = {requests.codes.not_found, requests.codes.gone}
_OUT_OF_STEP = {*_GONE, requests.codes.conflict, requests.codes.locked, wire.TUS_CHECKSUM_MISMATCH}


def create(session: requests.Session, url: str, *, size_bytes: int, metadata: Mapping[str, object]) -> str:
    """Announce a file; the URL that takes its bytes.

    Args:
        session: With the key.
        url: Where uploads are created.
        size_bytes: Size of the file.
        metadata: What the file is, as `hub_callbacks.wire.UploadMetadata`.

    Raises:
        TransportError: As for `hub_callbacks.transport.http.request`.
    """
    headers = {
        **_VERSION,
        wire.UPLOAD_LENGTH_HEADER: str(size_bytes),
        wire.UPLOAD_METADATA_HEADER: wire.upload_metadata(metadata),
    }
    reply = send(session, "POST", url, headers=headers)
    with expected_of(reply):
        return urljoin(url, reply.headers["location"])


def offset_bytes(session: requests.Session, url: str) -> int | None:
    """How much the hub has of an upload; None when it has forgotten it.

    Raises:
        TransportError: As for `hub_callbacks.transport.http.request`.
    """
    try:
        return _offset(send(session, "HEAD", url, headers=_VERSION))
    except PermanentError as error:
        if error.status in _GONE:
            return None
        raise


def put(
    session: requests.Session, url: str, file: IO[bytes], *, offset: int, on_progress: Callable[[int], None]
) -> None:
    """Send a file from an offset on, to its end; one chunk at a time is in memory.

    Raises:
        RetryableError: The hub has another offset, has forgotten the upload, or got a damaged chunk: begin again with
            `offset_bytes`.
        TransportError: As for `hub_callbacks.transport.http.request`.
    """
    file.seek(offset)
    while chunk := file.read(wire.TUS_CHUNK_BYTES):
        offset = _put_chunk(session, url, chunk, offset=offset)
        on_progress(offset)


def _put_chunk(session: requests.Session, url: str, chunk: bytes, *, offset: int) -> int:
    headers = {
        **_VERSION,
        "Content-Type": wire.TUS_CONTENT_TYPE,
        wire.UPLOAD_OFFSET_HEADER: str(offset),
        wire.UPLOAD_CHECKSUM_HEADER: wire.upload_checksum(hashlib.sha256(chunk).digest()),
    }
    try:
        return _offset(send(session, "PATCH", url, data=chunk, headers=headers))
    except PermanentError as error:
        if error.status in _OUT_OF_STEP:
            raise RetryableError(str(error)) from error
        raise


def _offset(reply: requests.Response) -> int:
    with expected_of(reply):
        return int(reply.headers[wire.UPLOAD_OFFSET_HEADER])
