"""One request's part of an upload: written, checked, and at the end published.

Bytes are written in their order, so the file's length says how many have come, also when the hub was killed. The store
keeps up to where they count: to the end of the upload, or, while a body with a checksum comes, to its beginning; what a
dead hub wrote beyond that is cut off. Bytes are not forced to the disk before the end. A power cut may damage the last
ones; the SHA-256 of the whole file, read again by a process that has not seen it all, tells.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Future, wait
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

from fastapi import HTTPException
from starlette.concurrency import run_in_threadpool

from hub_callbacks import wire
from hub_callbacks.server.context import Hub
from hub_callbacks.server.incoming import UploadBusyError
from hub_callbacks.server.intake import Tap
from hub_callbacks.server.publishing import HEAD_BYTES, CheckpointError, check_zip, publish
from hub_callbacks.server.store.rows import NewCheckpoint, Upload

if TYPE_CHECKING:
    from hashlib import _Hash

_HASH_BYTES: Final = 4 << 20  # wait for a thread; it takes much longer to hash them than to begin
_NOTE_S: Final = 60.0  # between two notes that an upload goes on, which put its expiry off


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """What a PATCH says of its body.

    Attributes:
        offset_bytes: Where it belongs.
        file_sha256: SHA-256 of the whole file, in hexadecimal digits; empty when it does not say.
        algorithm: Of its checksum, as `hashlib` calls it; empty without one.
        checksum: Its digest.
    """

    offset_bytes: int
    file_sha256: str = ""
    algorithm: str = ""
    checksum: bytes = b""


def offset_of(hub: Hub, upload: Upload) -> int:
    """How many bytes of the upload are there; of one that is not published, never all, so that the last come again."""
    if upload.is_published:
        return upload.size_bytes
    return hub.blobs.partial_bytes(upload.blob, min(upload.offset_bytes, upload.size_bytes - 1))


def delete_expired(hub: Hub) -> None:
    """Forget the uploads whose time is over, and delete what came of them."""
    for blob in hub.store.expire_uploads():
        hub.blobs.delete(blob)


def discard(hub: Hub, upload: Upload) -> None:
    """Forget the upload, and delete what came of it. A checkpoint that it has become stays."""
    hub.store.delete_upload(upload.id)
    hub.incoming.forget(upload.id)
    if not upload.is_published:
        hub.blobs.delete(upload.blob)


def _elsewhere(offset: int, given: int) -> HTTPException:
    message = f"The upload is at byte {offset}, not {given}. Go on there."
    return HTTPException(409, message, headers={wire.UPLOAD_OFFSET_HEADER: str(offset)})


@asynccontextmanager
async def turn(hub: Hub, upload_id: str) -> AsyncIterator[None]:
    """The only request that writes to the upload, of all processes that share its store, until the block ends.

    Raises:
        UploadBusyError: There is another.
    """
    turns = hub.store.turns
    with hub.incoming.turn(upload_id):
        if turns.are_needed and not await run_in_threadpool(turns.take, upload_id):
            raise UploadBusyError(upload_id)
        try:
            yield
        finally:
            if turns.are_needed:
                await run_in_threadpool(turns.leave, upload_id)


class Reception:
    """Takes the body of one PATCH. One thread at a time may call it, within the upload's turn.

    Args:
        hub: The hub.
        upload: Where the body belongs.
        chunk: What the request says of it.

    Raises:
        HTTPException: 409, the upload has another offset.
    """

    def __init__(self, hub: Hub, upload: Upload, chunk: Chunk) -> None:
        self._hub, self._upload, self._chunk = hub, upload, chunk
        offset = offset_of(hub, upload)
        if chunk.offset_bytes != offset or upload.is_published:
            raise _elsewhere(offset, chunk.offset_bytes)
        self._offset = self._hashed = offset
        self._checksum = hashlib.new(chunk.algorithm, usedforsecurity=False) if chunk.algorithm else None
        self._counts_to = upload.size_bytes if self._checksum is None else offset
        self._hashing: Future[None] | None = None
        self._noted_at = hub.clock()
        self._part = hub.blobs.partial(upload.blob)
        try:
            self._digest = self._begin()
        except Exception:
            self._part.close()
            raise

    def take(self, pieces: Iterable[bytes]) -> None:
        """Take the next pieces of the body. Those of a file are still being hashed when this returns.

        Raises:
            HTTPException: 413, there are more bytes than the upload has.
        """
        for piece in pieces:
            self._check_room(len(piece))
            self._part.write(piece)
            self._offset += len(piece)
            if self._part.file is None:
                self._hash(piece)
        self._hash_behind()
        if self._hub.clock() - self._noted_at >= _NOTE_S:
            self._note()

    @property
    def can_pour(self) -> bool:
        """Whether `pour` may be called."""
        return self._part.file is not None

    def pour(self, tap: Tap) -> int:
        """Take what comes through a tap; how many bytes that was, without those that it held.

        Raises:
            HTTPException: 413, there are more bytes than the upload has.
        """
        file = self._part.file
        assert file is not None  # noqa: S101 - see `can_pour`
        with closing(tap):
            self.take(tap.held)
            self._check_room(tap.left_bytes)
            begun_at = self._offset
            for came_bytes in tap.pour(file):
                self._offset += came_bytes
                self._hash_behind()
        return self._offset - begun_at

    def finish(self) -> tuple[int, float]:
        """Check the body, which has ended, and publish the checkpoint when it is whole.

        Returns:
            The new offset, and when the upload expires.

        Raises:
            HTTPException: 460, the body is not what its checksum says, and was discarded; or the whole file is not what
                its SHA-256 says, and the upload was.
            CheckpointError: The whole file is no checkpoint, and the upload was discarded.
        """
        self._await_hashes()
        if self._checksum is not None and self._checksum.digest() != self._chunk.checksum:
            self._part.truncate(self._chunk.offset_bytes)
            message = f"The bytes from {self._chunk.offset_bytes} on were damaged on their way: send them again."
            raise HTTPException(wire.TUS_CHECKSUM_MISMATCH, message)
        if self._offset == self._upload.size_bytes:
            self._publish()
            return self._offset, self._upload.expires_at
        return self._offset, self._keep()

    def break_off(self) -> None:
        """Keep what has come of a body that will not end, unless it was to be checked as a whole."""
        self._await_hashes()
        if self._checksum is None:
            self._keep()

    def close(self) -> None:
        """Close the file."""
        if self._hashing is not None:
            wait([self._hashing])
        self._part.close()

    def _check_room(self, size_bytes: int) -> None:
        if self._offset + size_bytes > self._upload.size_bytes:
            raise HTTPException(413, f"The upload has {self._upload.size_bytes} bytes; these go beyond its end.")

    def _hash(self, piece: bytes | memoryview) -> None:
        for digest in filter(None, (self._digest, self._checksum)):
            digest.update(piece)

    def _hash_behind(self) -> None:
        """Have another thread read and hash what was written to a file, as it goes on."""
        is_at_it = self._hashing is not None and not self._hashing.done()
        if not is_at_it and self._offset - self._hashed >= _HASH_BYTES:
            self._hashing = self._hub.incoming.hashers.submit(self._catch_up)

    def _catch_up(self) -> None:
        if self._part.file is not None and (self._digest or self._checksum):
            while self._hashed < self._offset:
                for piece in self._part.file.again(self._hashed, self._offset):
                    self._hash(piece)
                    self._hashed += len(piece)

    def _await_hashes(self) -> None:
        """Have the sums hold all that was taken."""
        if self._hashing is not None:
            wait([self._hashing])
        self._catch_up()

    def _begin(self) -> _Hash | None:
        """Cut off what does not count, then note what will; the running hash of what is there, if it is known."""
        self._part.truncate(self._offset)
        if self._upload.offset_bytes != self._counts_to:
            self._note()
        return self._hub.incoming.digest(self._upload.id, self._offset, self._part.mark)

    def _keep(self) -> float:
        self._counts_to = self._upload.size_bytes if self._checksum is None else self._offset
        self._part.flush()
        expires_at = self._note()
        self._hub.incoming.remember(self._upload.id, self._offset, self._part.mark, self._digest)
        return expires_at

    def _note(self) -> float:
        expires_at = self._hub.store.advance_upload(self._upload, self._counts_to)
        if expires_at is None:
            raise _elsewhere(self._offset, self._chunk.offset_bytes)
        self._noted_at = self._hub.clock()
        self._upload = replace(self._upload, offset_bytes=self._counts_to, expires_at=expires_at)
        return expires_at

    def _publish(self) -> None:
        try:
            sha256 = self._verify()
        except (HTTPException, CheckpointError):
            self._part.close()
            discard(self._hub, self._upload)
            raise
        said = {field.name: getattr(self._upload, field.name) for field in fields(NewCheckpoint)}
        try:
            new = NewCheckpoint(**{**said, "sha256": sha256, "blob": self._part.publish()})
        except FileNotFoundError as error:
            raise HTTPException(410, "The upload was deleted, with its model or by a reset.") from error
        publish(self._hub, self._upload.model_id, new, upload_id=self._upload.id)
        self._hub.incoming.forget(self._upload.id)

    def _verify(self) -> str:
        """The file's SHA-256, which is the one that its client named at the beginning or at the end, if it did."""
        sha256 = (self._digest or self._read_again()).hexdigest()
        for claimed in filter(None, (self._upload.sha256, self._chunk.file_sha256)):
            if claimed != sha256:
                message = f"The file's SHA-256 is {sha256}, not {claimed!r}. Begin a new upload."
                raise HTTPException(wire.TUS_CHECKSUM_MISMATCH, message)
        check_zip(next(iter(self._part.read()))[:HEAD_BYTES])
        return sha256

    def _read_again(self) -> _Hash:
        digest = hashlib.sha256()
        for piece in self._part.read():
            digest.update(piece)
        return digest
