"""An upload that continues after a break: tus 1.0 (https://tus.io/protocols/resumable-upload).

A file goes in as few parts as may be; after a break the hub says how much it has, and the rest is sent. With the last
part goes the SHA-256 of the whole file, which the hub compares before it publishes.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin

import requests

from hub_callbacks import wire
from hub_callbacks.errors import PermanentError, RetryableError
from hub_callbacks.transport.http import expected_of, send
from hub_callbacks.transport.part import Part

_VERSION = {wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION}
_GONE = {requests.codes.not_found, requests.codes.gone}
_OUT_OF_STEP = {*_GONE, requests.codes.conflict, requests.codes.locked, wire.TUS_CHECKSUM_MISMATCH}


def create(
    session: requests.Session, url: str, *, size_bytes: int, metadata: Mapping[str, object]
) -> tuple[str, int | None]:
    """Announce a file; the URL that takes its bytes, and how much the hub has of them, if it says so.

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
        is_said = wire.UPLOAD_OFFSET_HEADER in reply.headers
        return urljoin(url, reply.headers["location"]), _offset(reply) if is_said else None


def offset_bytes(session: requests.Session, url: str) -> int | None:
    """How much the hub has of an upload; None when it has forgotten it.

    Raises:
        TransportError: As for `hub_callbacks.transport.http.request`.
    """
    try:
        return _offset(send(session, "HEAD", url, headers=_VERSION))
    except PermanentError as error:
        if error.status in _GONE and error.is_hubs:
            return None
        raise


def put(
    session: requests.Session, url: str, chunk: Part, *, offset: int, file_sha256: str = "", is_checked: bool = False
) -> int:
    """Send a part of a file; the hub's new offset.

    Args:
        session: With the key.
        url: Where the upload is.
        chunk: The part.
        offset: Where it belongs.
        file_sha256: SHA-256 of the whole file, in hexadecimal digits, with its last part: the hub compares it.
        is_checked: Whether the hub is to compare the part's own SHA-256, too.

    Raises:
        RetryableError: The hub has another offset, has forgotten the upload, or got damaged bytes: begin again with
            `offset_bytes`.
        TransportError: As for `hub_callbacks.transport.http.request`.
    """
    headers = {**_VERSION, "Content-Type": wire.TUS_CONTENT_TYPE, wire.UPLOAD_OFFSET_HEADER: str(offset)}
    if is_checked:
        headers[wire.UPLOAD_CHECKSUM_HEADER] = wire.upload_checksum(chunk.sha256())
    if file_sha256:
        headers[wire.REPR_DIGEST_HEADER] = wire.repr_digest(bytes.fromhex(file_sha256))
    try:
        return _offset(send(session, "PATCH", url, data=chunk, headers=headers))
    except PermanentError as error:
        if error.status in _OUT_OF_STEP:
            raise RetryableError(str(error)) from error
        raise


def _offset(reply: requests.Response) -> int:
    with expected_of(reply):
        return int(reply.headers[wire.UPLOAD_OFFSET_HEADER])
