"""A file from a hub: its bytes as they come, from where an earlier try broke off (RFC 9110, section 14)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from hub_callbacks.errors import PermanentError, RetryableError, UnreachableError
from hub_callbacks.transport.http import answered_by, expected_of, send

_BLOCK_BYTES = 1 << 18
_AS_IT_IS = {"accept-encoding": "identity"}  # else a length would be that of what was compressed


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """What a hub says of a file.

    Attributes:
        url: Where it is; a token may stand in its query.
        size_bytes: Its length; None when the hub does not say.
        etag: What tells this file from any other under that URL; empty when the hub does not say.
    """

    url: str
    size_bytes: int | None
    etag: str

    @property
    def sha256(self) -> str:
        """Its SHA-256, where the ETag is one, as with our hub; else empty."""
        found = re.fullmatch(r'"([0-9a-f]{64})"', self.etag)
        return found[1] if found else ""


class Downloads:
    """Fetches files, with no header of authority: their URLs are signed, and may lead to anybody."""

    def __init__(self) -> None:
        self._session = requests.Session()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def look(self, url: str) -> RemoteFile:
        """What the hub says of the file at a URL; asked by GET, since a signed URL is good for one method.

        Raises:
            TransportError: As for `hub_callbacks.transport.http.request`.
        """
        with self._get(url) as reply:
            length = reply.headers.get("content-length", "")
            size_bytes = int(length) if length.isdigit() else None
            return RemoteFile(url=url, size_bytes=size_bytes, etag=reply.headers.get("etag", ""))

    def fetch(self, file: RemoteFile, part: Path, *, on_progress: Callable[[int], None]) -> None:
        """Get the rest of a file: what ``part`` has already is not sent again.

        Args:
            file: The file; without an ETag it is sent from the beginning.
            part: Where its bytes go; all are there when this returns.
            on_progress: Called with the number of bytes that are there, for every block.

        Raises:
            UnreachableError: The line broke; what came is kept.
            TransportError: As for `hub_callbacks.transport.http.request`.
        """
        have_bytes = part.stat().st_size if part.exists() and file.etag else 0
        if have_bytes and have_bytes == file.size_bytes:
            return
        headers = {"range": f"bytes={have_bytes}-", "if-range": file.etag} if have_bytes else {}
        try:
            reply = self._get(file.url, **headers)
        except PermanentError as error:
            if error.status != requests.codes.requested_range_not_satisfiable:
                raise
            part.unlink()
            raise RetryableError(f"{error} It is sent anew.") from error
        with reply, part.open("ab") as target:
            target.truncate(_first_byte(reply, have_bytes))
            target.seek(0, os.SEEK_END)
            for block in blocks(reply):
                target.write(block)
                on_progress(target.tell())
        _check_length(part, file)

    def _get(self, url: str, **headers: str) -> requests.Response:
        self._session.trust_env = not url.startswith("http://127.")  # no proxy, no .netrc on loopback
        return send(self._session, "GET", url, headers=_AS_IT_IS | headers, stream=True, allow_redirects=True)


def blocks(reply: requests.Response) -> Iterator[bytes]:
    """The reply's bytes as they come.

    Raises:
        UnreachableError: The line broke.
    """
    coming = reply.iter_content(_BLOCK_BYTES)
    while True:
        with answered_by(reply.url):
            block = next(coming, None)
        if block is None:
            return
        yield block


def _first_byte(reply: requests.Response, have_bytes: int) -> int:
    """Where the bytes of the reply belong.

    Raises:
        RetryableError: It is a part that nobody asked for.
    """
    if reply.status_code != requests.codes.partial_content:
        return 0
    with expected_of(reply):
        first = int(reply.headers["content-range"].removeprefix("bytes ").partition("-")[0])
        if first != have_bytes:
            raise ValueError(first)
        return first


def _check_length(part: Path, file: RemoteFile) -> None:
    have_bytes = part.stat().st_size
    if file.size_bytes is not None and have_bytes != file.size_bytes:
        if have_bytes > file.size_bytes:
            part.unlink()
        raise UnreachableError(f"The download broke off at byte {have_bytes} of {file.size_bytes}.")
