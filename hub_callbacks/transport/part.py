"""A part of a file as the body of a request."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import IO

_BLOCK_BYTES = 1 << 18  # large enough that reading and writing cost what the bytes cost; held once


class Part:
    """A part of a file, read as it is sent: its length is known, its bytes are never in memory together.

    Args:
        file: The file, which does not change; nobody else may move its position meanwhile.
        offset: Where the part begins.
        size_bytes: Its length.
    """

    def __init__(self, file: IO[bytes], *, offset: int, size_bytes: int) -> None:
        self._file = file
        self._offset = offset
        self._size_bytes = size_bytes

    def __len__(self) -> int:
        return self._size_bytes

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(self._offset)
        left = self._size_bytes
        while left:
            block = self._file.read(min(left, _BLOCK_BYTES))
            if not block:
                raise OSError(f"{self._file.name!r} is {left} bytes shorter than it was")
            left -= len(block)
            yield block

    def sha256(self) -> bytes:
        """Its SHA-256."""
        digest = hashlib.sha256()
        for block in self:
            digest.update(block)
        return digest.digest()
