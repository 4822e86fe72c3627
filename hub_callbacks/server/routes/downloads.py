"""Files out, to whoever holds a signed URL. A part can be asked for (RFC 9110, section 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.responses import StreamingResponse

from hub_callbacks.server.bodies import FAILURES, also
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.files import FILES, find_download

router = APIRouter(tags=["files"])

_PATH = f"{FILES}/{{file_id}}/{{name:path}}"
_RANGE = re.compile(r"^bytes=(\d{0,18})-(\d{0,18})$")
_OUTSIDE = also(http_416="What is asked for lies outside of the file.")
_BYTES = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


@router.get(
    _PATH,
    response_class=Response,
    responses={200: _BYTES, 206: _BYTES, **{status: FAILURES[status] for status in (403, 404, 422)}, **_OUTSIDE},
)
def download(file_id: str, name: str, request: Request, hub: ThisHub, token: str = "") -> Response:
    """The bytes of a checkpoint, a data set's archive or a project's image, as an attachment."""
    try:
        found = find_download(hub, file_id, token)
    except PermissionError as error:
        message = "The link is not of this hub, or has expired. Ask the hub for a fresh one."
        raise HTTPException(403, message) from error
    if found is None:
        raise HTTPException(404, f"There is no file {file_id!r} ({name!r}).")
    etag = f'"{found.sha256}"'
    start, stop = _wanted(request.headers, found.size_bytes, etag)
    headers = {
        "accept-ranges": "bytes",
        "etag": etag,
        "content-length": str(stop - start),
        "content-disposition": f'attachment; filename="{found.name}"',
        "cache-control": "private, no-transform",
    }
    is_part = (start, stop) != (0, found.size_bytes)
    if is_part:
        headers["content-range"] = f"bytes {start}-{stop - 1}/{found.size_bytes}"
    pieces = [] if request.method == "HEAD" else hub.blobs.read(found.blob, start, stop)
    return StreamingResponse(pieces, 206 if is_part else 200, headers, found.media_type)


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
