"""Checkpoints out, to whoever holds a signed URL. A part can be asked for (RFC 9110, section 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.responses import StreamingResponse

from hub_callbacks.server.bodies import FAILURES
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.files import FILES, download_name, opens

router = APIRouter(tags=["checkpoints"])

_PATH = f"{FILES}/{{checkpoint_id}}/{{name:path}}"
_RANGE = re.compile(r"^bytes=(\d{0,18})-(\d{0,18})$")
_BYTES = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


@router.get(
    _PATH,
    response_class=Response,
    responses={200: _BYTES, 206: _BYTES, 403: FAILURES[403], 404: FAILURES[404], 422: FAILURES[422]},
)
def download(checkpoint_id: str, name: str, request: Request, hub: ThisHub, token: str = "") -> Response:
    """The checkpoint's bytes, as an attachment."""
    if not opens(hub, token, checkpoint_id):
        raise HTTPException(403, "The link is not of this hub, or has expired. Ask the hub for a fresh one.")
    checkpoint = hub.store.get_checkpoint(checkpoint_id)
    if checkpoint is None:
        raise HTTPException(404, f"There is no checkpoint {checkpoint_id!r} ({name!r}).")
    etag = f'"{checkpoint.sha256}"'
    start, stop = _wanted(request.headers, checkpoint.size_bytes, etag)
    headers = {
        "accept-ranges": "bytes",
        "etag": etag,
        "content-length": str(stop - start),
        "content-disposition": f'attachment; filename="{download_name(checkpoint)}"',
        "cache-control": "private, no-transform",
    }
    is_part = (start, stop) != (0, checkpoint.size_bytes)
    if is_part:
        headers["content-range"] = f"bytes {start}-{stop - 1}/{checkpoint.size_bytes}"
    pieces = [] if request.method == "HEAD" else hub.blobs.read(checkpoint.blob, start, stop)
    return StreamingResponse(pieces, 206 if is_part else 200, headers, "application/octet-stream")


router.head(_PATH, include_in_schema=False)(download)


def _wanted(headers: Mapping[str, str], size_bytes: int, etag: str) -> tuple[int, int]:
    """First byte and end of what is asked for: one range, or all where it is several, malformed or outdated.

    Raises:
        HTTPException: 416 when the range lies outside of the file.
    """
    match = _RANGE.match(headers.get("range", ""))
    if match is None or match[0] == "bytes=-" or headers.get("if-range", etag) != etag:
        return 0, size_bytes
    first, last = match[1], match[2]
    start = int(first) if first else max(size_bytes - int(last), 0)
    stop = min(int(last) + 1, size_bytes) if first and last else size_bytes
    if start >= stop:
        message = f"The range {match[0]!r} lies outside of {size_bytes} bytes."
        raise HTTPException(416, message, headers={"content-range": f"bytes */{size_bytes}"})
    return start, stop
