"""Blobs in a bucket: S3, GCS, Azure or what speaks one of their protocols, through obstore.

A part is an object of its own, for obstore gives nobody the id of a multipart upload, and another process could not go
on with one. Its key is used once, so no late writer changes what another has hashed; and nothing is copied when the
blob is published. What the object ``whole`` does not name is not there for readers (`hub_callbacks.server.objects`).
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from hub_callbacks.server import objects
from hub_callbacks.server.objects import BucketError, Part

if TYPE_CHECKING:
    from hashlib import _Hash

    from obstore.store import ObjectStore

PART_BYTES: Final = 4 << 20  # what one upload holds in memory, and what takes S3 a tenth of a second
SCHEMES: Final = ("s3", "gs", "az")
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
_RETRIES: Final[Any] = {"max_retries": 4, "retry_timeout": timedelta(seconds=15)}  # then the client is told: 503


class BucketBlobs:
    """Blobs as objects of a bucket. Any number of processes may share it."""

    def __init__(self, bucket: ObjectStore) -> None:
        self._bucket = bucket

    def writer(self) -> BucketWriter:
        """A new blob, in parts that nobody sees."""
        return BucketWriter(self._bucket, self.new_name())

    def new_name(self) -> str:
        """A random name: what a client says never names an object."""
        return secrets.token_hex(16)

    def partial(self, name: str) -> BucketPartial:
        """The parts of that name, as far as they have come."""
        return BucketPartial(self._bucket, name)

    def partial_bytes(self, name: str, at_most: int) -> int:
        """Where the last part ends that lies within the first ``at_most`` bytes."""
        return max(objects.ends(objects.find_parts(self._bucket, name), at_most), default=0)

    def read(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from ``start`` up to ``stop``, in pieces.

        Raises:
            FileNotFoundError: There is no such blob. Raised at once, not at the first piece.
        """
        return objects.read_parts(self._bucket, objects.read_whole(self._bucket, name), start, stop)

    def size_bytes(self, name: str) -> int | None:
        """Bytes of the blob, None where it is not whole."""
        try:
            parts = objects.read_whole(self._bucket, name)
        except FileNotFoundError:
            return None
        is_whole = set(parts) <= set(objects.find_parts(self._bucket, name))
        return parts[-1].stop if is_whole else None

    def delete(self, name: str) -> None:
        """Remove the blob, whole or partial, if it is there; first what makes it one."""
        objects.delete_objects(self._bucket, name)

    def names(self, *, before: float) -> Iterator[str]:
        """The names of all blobs, whole or partial, that nobody has written to since that moment (Unix time)."""
        newest: dict[str, float] = {}
        for found in objects.list_objects(self._bucket):
            name, _, _ = found["path"].rpartition("/")
            changed: datetime = found["last_modified"]
            newest[name] = max(newest.get(name, 0.0), changed.timestamp())
        yield from (name for name, changed_at in newest.items() if changed_at < before)

    def check(self) -> None:
        """Ask the bucket for something that is not there.

        Raises:
            BucketError: It does not answer, or not to us.
        """
        next(objects.list_objects(self._bucket, "none"), None)


class BucketPartial:
    """A blob of a `BucketBlobs` that comes in parts. One thread at a time may call it."""

    def __init__(self, bucket: ObjectStore, name: str) -> None:
        self._bucket, self._name = bucket, name
        self._parts: list[Part] = []
        self._buffer = bytearray()

    @property
    def mark(self) -> str:
        """What tells these very parts from others of the same length."""
        return hashlib.sha256("\n".join(part.key for part in self._parts).encode()).hexdigest()

    def truncate(self, size_bytes: int) -> None:
        """Forget what lies behind so many bytes, and go on there.

        Raises:
            BucketError: So many are not there.
        """
        found = objects.find_parts(self._bucket, self._name)
        self._parts, self._buffer = objects.chain(objects.ends(found, size_bytes), size_bytes), bytearray()
        objects.delete_parts(self._bucket, [part for part in found if part.stop > size_bytes])

    def write(self, data: bytes) -> None:
        """Take more bytes; each full part goes to the bucket."""
        view = memoryview(data)
        while view:
            room = PART_BYTES - len(self._buffer)
            self._buffer += view[:room]
            view = view[room:]
            if len(self._buffer) == PART_BYTES:
                self.flush()

    @property
    def file(self) -> None:
        """None: the bytes go over a connection."""

    def flush(self) -> None:
        """Let the bucket have what was written."""
        if self._buffer:
            self._parts.append(objects.write_part(self._bucket, self._name, self._size_bytes(), self._buffer))
            self._buffer = bytearray()

    def read(self) -> Iterator[bytes]:
        """Every byte, in pieces."""
        self.flush()
        return objects.read_parts(self._bucket, self._parts, 0, self._size_bytes())

    def publish(self) -> str:
        """Make the blob visible; its name."""
        self.flush()
        objects.write_whole(self._bucket, self._name, self._parts)
        return self._name

    def close(self) -> None:
        """Let go of it; what was flushed stays."""
        self._buffer = bytearray()

    def discard(self) -> None:
        """Remove every part that was written through this object."""
        self.close()
        objects.delete_parts(self._bucket, self._parts)

    def _size_bytes(self) -> int:
        return self._parts[-1].stop if self._parts else 0


class BucketWriter:
    """A blob on its way into a `BucketBlobs`. One thread at a time may call it."""

    def __init__(self, bucket: ObjectStore, name: str) -> None:
        self._partial: BucketPartial | None = BucketPartial(bucket, name)
        self._digest: _Hash = hashlib.sha256()
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """Bytes written so far."""
        return self._size_bytes

    def write(self, data: bytes) -> None:
        """Write more bytes."""
        if self._partial is not None:
            self._partial.write(data)
        self._digest.update(data)
        self._size_bytes += len(data)

    def sha256(self) -> str:
        """SHA-256 of the bytes so far, in hexadecimal digits."""
        return self._digest.hexdigest()

    def publish(self) -> str:
        """Make the blob visible; its name."""
        assert self._partial is not None  # noqa: S101 - it is published once
        name, self._partial = self._partial.publish(), None
        return name

    def discard(self) -> None:
        """Remove what was written; does nothing after `publish`."""
        if self._partial is not None:
            self._partial.discard()
            self._partial = None


def open_bucket(url: str) -> BucketBlobs:
    """The blobs in the bucket at a URL such as ``s3://bucket/prefix``; keys and endpoint come from its environment.

    Raises:
        BucketError: The URL is none of a bucket, obstore is not installed, or the bucket does not let us in.
    """
    blobs = BucketBlobs(object_store(url))
    try:
        blobs.check()
    except BucketError as error:
        raise _unusable(url, error.__cause__ or error) from error
    return blobs


def object_store(url: str) -> ObjectStore:
    """What speaks the protocol of the URL; nothing is asked of the bucket yet.

    Raises:
        BucketError: The URL is none of a bucket, something is missing in the environment, or obstore is not installed.
    """
    if urlsplit(url).scheme not in SCHEMES:
        raise BucketError(f"The hub keeps files in a folder or a bucket (s3://, gs:// or az://), not in {url!r}.")
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError as error:
        raise BucketError('For a bucket, install "hub-callbacks[cloud]".') from error
    is_plain = any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINTS)
    options: Any = {"allow_http": True} if is_plain else {}
    try:
        return from_url(url, client_options=options, retry_config=_RETRIES)
    except (BaseError, ValueError) as error:
        raise _unusable(url, error) from error


def _unusable(url: str, error: BaseException) -> BucketError:
    return BucketError(f"The bucket {url!r} cannot be used: {objects.reason(error)}")
