"""What this process is receiving: bodies in lots fit for a thread, and the uploads that are at work now."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from hub_callbacks.errors import HubCallbacksError
from hub_callbacks.server.intake import Intake, Tap

if TYPE_CHECKING:
    from hashlib import _Hash

# For a thread at once: large enough that the hop there costs little, and small, for three are held (one is written, one
# waits, one comes: `hub_callbacks.server.intake`), and are lost when the hub is killed. With what waits in the system's
# buffers they must stay below `wire.TUS_CHUNK_BYTES`.
_LOT_BYTES: Final = 1 << 20
_WRITERS: Final = 40  # as many lots are written at once; to a bucket, one takes a tenth of a second
_REMEMBERED: Final = 256  # running hashes, of some 200 bytes each


class UploadBusyError(HubCallbacksError):
    """Another request is writing to the same upload."""

    def __init__(self, upload_id: str) -> None:
        super().__init__(
            f"Another request is writing to the upload {upload_id!r}. Ask for its offset, and go on there."
        )


class Incoming:
    """The uploads that this process is receiving. One thread at a time may call it for one upload, or about forms.

    A running SHA-256 cannot be stored. As long as the process lives, it saves reading the whole file again at the end.

    Attributes:
        hashers: Threads for sums of bytes while they are written.
    """

    def __init__(self) -> None:
        self.hashers = ThreadPoolExecutor(os.cpu_count(), "hasher")
        self._writers = ThreadPoolExecutor(_WRITERS, "writer")  # asyncio's hop to a thread costs a third of anyio's
        self._busy: set[str] = set()
        self._forms: Counter[str] = Counter()
        self._digests: OrderedDict[str, tuple[tuple[int, str], _Hash]] = OrderedDict()

    async def feed(
        self,
        stream: AsyncIterator[bytes],
        take: Callable[[Sequence[bytes]], None],
        *,
        past: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Hand a stream's bytes on, many at a time, on another thread, while the next ones come.

        Also those before a break. No call of ``take`` goes on when this returns or raises.

        Args:
            stream: A request's body.
            take: Takes the bytes.
            past: Called after each lot that came at once, to let the bytes that follow go past the stream.

        Raises:
            Exception: What the stream, ``take`` or ``past`` raises.
        """
        loop = asyncio.get_running_loop()
        work: asyncio.Future[None] | None = None
        lot, size_bytes = list[bytes](), 0
        try:
            async for piece in stream:
                lot.append(piece)
                size_bytes += len(piece)
                if size_bytes >= _LOT_BYTES:
                    if work is not None:
                        await work
                    work = loop.run_in_executor(self._writers, take, lot)
                    is_fast, lot, size_bytes = len(lot) == 1, [], 0
                    if past is not None and is_fast:
                        await work
                        await past()
        finally:
            if work is not None:
                await work
            await loop.run_in_executor(self._writers, take, lot)

    async def pour(self, intake: Intake, pour: Callable[[Tap], int]) -> None:
        """Have the bytes that come fast poured through taps of the intake, on another thread."""
        loop = asyncio.get_running_loop()
        while (tap := intake.tap()) is not None:
            try:
                came_bytes = await loop.run_in_executor(self._writers, pour, tap)
            finally:
                intake.shut(tap)
            if not came_bytes:
                break

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

    @contextmanager
    def form(self, key_id: str) -> Iterator[int]:
        """A form that comes with that key, until the block ends; how many are coming, with this one."""
        self._forms[key_id] += 1
        try:
            yield self._forms[key_id]
        finally:
            self._forms[key_id] -= 1
            if not self._forms[key_id]:
                del self._forms[key_id]

    def forms(self, key_id: str) -> int:
        """How many forms are coming with that key."""
        return self._forms[key_id]

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
