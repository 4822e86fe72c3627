"""What this process is receiving: bodies in pieces fit for a thread, and the uploads that are at work now."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool

from hub_callbacks.errors import HubCallbacksError

if TYPE_CHECKING:
    from hashlib import _Hash

_PIECE_BYTES: Final = 1 << 20  # a piece for a thread: large enough that the hop there costs nothing
_REMEMBERED: Final = 256  # running hashes, of some 200 bytes each


class UploadBusyError(HubCallbacksError):
    """Another request is writing to the same upload."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(
            f"Another request is writing to the upload {upload_id!r}. Ask for its offset, and go on there."
        )


async def feed(stream: AsyncIterator[bytes], *takers: Callable[[bytes], None]) -> None:
    """Hand a stream's bytes in large pieces to each taker, on threads of their own, while the next ones come.

    The first taker alone may raise; none of its calls goes on when this returns or raises.

    Raises:
        Exception: What the stream or the first taker raises.
    """
    work: asyncio.Future[list[None]] | None = None
    try:
        async for piece in _in_large_pieces(stream):
            if work is not None:
                await work
            work = asyncio.gather(*(run_in_threadpool(take, piece) for take in takers))
    finally:
        if work is not None:
            await work


async def _in_large_pieces(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    pieces, size_bytes = [], 0
    async for piece in stream:
        pieces.append(piece)
        size_bytes += len(piece)
        if size_bytes >= _PIECE_BYTES:
            yield b"".join(pieces)
            pieces, size_bytes = [], 0
    yield b"".join(pieces)


class Incoming:
    """The uploads that this process is receiving. One thread at a time may call it for one upload.

    A running SHA-256 cannot be stored. As long as the process lives, it saves reading the whole file again at the end.
    """

    def __init__(self) -> None:
        self._busy: set[str] = set()
        self._digests: OrderedDict[str, tuple[tuple[int, str], _Hash]] = OrderedDict()

    @contextmanager
    def turn(self, upload_id: str) -> Iterator[None]:
        """The only request that writes to the upload, until the block ends.

        Raises:
            UploadBusyError: There is another.
        """
        if upload_id in self._busy:
            raise UploadBusyError(upload_id)
        self._busy.add(upload_id)
        try:
            yield
        finally:
            self._busy.discard(upload_id)

    def digest(self, upload_id: str, size_bytes: int, mark: str) -> _Hash | None:
        """A copy of the running SHA-256 of the upload's first bytes, or None when this process has not seen them.

        Args:
            upload_id: The upload.
            size_bytes: How many bytes they are.
            mark: What the blob says of them (`PartialBlob.mark`).
        """
        if size_bytes == 0:
            return hashlib.sha256()
        seen, digest = self._digests.get(upload_id, (None, None))
        return digest.copy() if digest and seen == (size_bytes, mark) else None

    def remember(self, upload_id: str, size_bytes: int, mark: str, digest: _Hash | None) -> None:
        """Keep the running SHA-256 of those bytes for the next request."""
        self.forget(upload_id)
        if digest is not None:
            self._digests[upload_id] = ((size_bytes, mark), digest)
        while len(self._digests) > _REMEMBERED:
            self._digests.popitem(last=False)

    def forget(self, upload_id: str) -> None:
        """Keep nothing of the upload."""
        self._digests.pop(upload_id, None)
