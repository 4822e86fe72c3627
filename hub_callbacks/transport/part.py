"""A part of a file as the body of a request."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import IO

_BLOCK_BYTES = 1 << 18  # large enough that reading and writing cost what the bytes cost; held once


class Part:
    """A part of a file, read as it is sent: its length is known, its bytes are never in memory together.

    Args:
        file: The file, which does not change; nobody else may move its position meanwhile.
        offset: Where the part begins.
        size_bytes: Its length.
        on_sent: Called with the position in the file up to which it was taken, after each block.
    """

    def __init__(
        self, file: IO[bytes], *, offset: int, size_bytes: int, on_sent: Callable[[int], None] = lambda _: None
    ) -> None:
        self._file = file
        self._offset = offset
        self._size_bytes = size_bytes
        self._on_sent = on_sent

    def __len__(self) -> int:
        return self._size_bytes

    def __iter__(self) -> Iterator[bytes]:
        for position, block in self._blocks():
            yield block
            self._on_sent(position)

    def sha256(self) -> bytes:
        """Its SHA-256."""
        digest = hashlib.sha256()
        for _, block in self._blocks():
            digest.update(block)
        return digest.digest()

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        self._file.seek(self._offset)
        left = self._size_bytes
        while left:
            block = self._file.read(min(left, _BLOCK_BYTES))
            if not block:
                raise OSError(f"{self._file.name!r} is {left} bytes shorter than it was")
            left -= len(block)
            yield self._offset + self._size_bytes - left, block
