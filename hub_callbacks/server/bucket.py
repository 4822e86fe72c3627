"""Blobs in a bucket: S3, GCS, Azure or what speaks one of their protocols, through obstore.

::

    <bucket>/<prefix>/NAME/<first byte>-<end>-<token>   the parts, of 8 MiB at most
    <bucket>/<prefix>/NAME/whole                        which of them are the blob; written last

A part is an object of its own, for obstore gives nobody the id of a multipart upload, and another process could not go
on with one. Its key is used once, so no late writer changes what another has hashed; and nothing is copied when the
blob is published. What no ``whole`` names is not there for readers.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from hub_callbacks.errors import HubCallbacksError

if TYPE_CHECKING:
    from hashlib import _Hash

    from obstore import ObjectMeta
    from obstore.store import ObjectStore

PART_BYTES: Final = 8 << 20  # what one upload holds in memory; S3 takes an object of that size in a tenth of a second
_WHOLE: Final = "whole"
_READ_BYTES: Final = 1 << 18
_LISTED: Final = 1000  # of one request for names, S3's own limit


class BucketError(HubCallbacksError, OSError):
    """The bucket cannot be opened, read or written."""


@dataclass(frozen=True, slots=True, order=True)
class _Part:
    start: int
    stop: int
    key: str


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
        return max(_ends(_parts(self._bucket, name), at_most), default=0)

    def read(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from ``start`` up to ``stop``, in pieces.

        Raises:
            FileNotFoundError: There is no such blob. Raised at once, not at the first piece.
        """
        return _pieces(self._bucket, _whole(self._bucket, name), start, stop)

    def size_bytes(self, name: str) -> int | None:
        """Bytes of the blob, None where it is not whole."""
        try:
            return _whole(self._bucket, name)[-1].stop
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> None:
        """Remove the blob, whole or partial, if it is there; first what makes it one."""
        keys = [found["path"] for found in _list(self._bucket, name)]
        _delete(self._bucket, sorted(keys, key=lambda key: not key.endswith(f"/{_WHOLE}")))

    def names(self, *, before: float) -> Iterator[str]:
        """The names of all blobs, whole or partial, that nobody has written to since that moment (Unix time)."""
        newest: dict[str, float] = {}
        for found in _list(self._bucket):
            name, _, _ = found["path"].rpartition("/")
            changed: datetime = found["last_modified"]
            newest[name] = max(newest.get(name, 0.0), changed.timestamp())
        yield from (name for name, changed_at in newest.items() if changed_at < before)


class BucketPartial:
    """A blob of a `BucketBlobs` that comes in parts. One thread at a time may call it."""

    def __init__(self, bucket: ObjectStore, name: str) -> None:
        self._bucket, self._name = bucket, name
        self._parts: list[_Part] = []
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
        found = _parts(self._bucket, self._name)
        self._parts, self._buffer = _chain(_ends(found, size_bytes), size_bytes), bytearray()
        _delete(self._bucket, [part.key for part in found if part.stop > size_bytes])

    def write(self, data: bytes) -> None:
        """Take more bytes; each full part goes to the bucket."""
        view = memoryview(data)
        while view:
            room = PART_BYTES - len(self._buffer)
            self._buffer += view[:room]
            view = view[room:]
            if len(self._buffer) == PART_BYTES:
                self.flush()

    def flush(self) -> None:
        """Let the bucket have what was written."""
        if self._buffer:
            start = self._parts[-1].stop if self._parts else 0
            stop = start + len(self._buffer)
            key = f"{self._name}/{start:015}-{stop:015}-{secrets.token_hex(4)}"
            _put(self._bucket, key, bytes(self._buffer))
            self._parts.append(_Part(start, stop, key))
            self._buffer = bytearray()

    def read(self) -> Iterator[bytes]:
        """Every byte, in pieces."""
        self.flush()
        return _pieces(self._bucket, self._parts, 0, self._parts[-1].stop if self._parts else 0)

    def publish(self) -> str:
        """Make the blob visible; its name."""
        self.flush()
        named = [part.key.rpartition("/")[2] for part in self._parts]
        _put(self._bucket, f"{self._name}/{_WHOLE}", json.dumps(named).encode())
        return self._name

    def close(self) -> None:
        """Let go of it; what was flushed stays."""
        self._buffer = bytearray()

    def discard(self) -> None:
        """Remove every part that was written through this object."""
        self.close()
        _delete(self._bucket, [part.key for part in self._parts])


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
        BucketError: The URL is none that obstore knows, or obstore is not installed.
    """
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError as error:
        raise BucketError('For a bucket, install "hub-callbacks[cloud]".') from error
    options: Any = {"allow_http": True} if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://") else {}
    try:
        return BucketBlobs(from_url(url, client_options=options))
    except (BaseError, ValueError) as error:
        raise BucketError(f"The bucket {url!r} cannot be opened: {error}") from error


def _ends(parts: Iterable[_Part], at_most: int) -> dict[int, _Part]:
    """Where a part ends that closes to those before it, from the first byte on; one such part for each end."""
    ends: dict[int, _Part] = {}
    for part in sorted(parts):
        if (part.start == 0 or part.start in ends) and part.stop <= at_most:
            ends.setdefault(part.stop, part)
    return ends


def _chain(ends: Mapping[int, _Part], stop: int) -> list[_Part]:
    """The parts that make up the first ``stop`` bytes.

    Raises:
        BucketError: There are none.
    """
    chain = []
    while stop:
        if stop not in ends:
            raise BucketError(f"The bucket has lost a part of an upload, before byte {stop}.")
        chain.append(ends[stop])
        stop = ends[stop].start
    return chain[::-1]


def _parts(bucket: ObjectStore, name: str) -> list[_Part]:
    keys = (found["path"] for found in _list(bucket, name))
    return [_part(name, key.rpartition("/")[2]) for key in keys if not key.endswith(f"/{_WHOLE}")]


def _part(name: str, key: str) -> _Part:
    start, stop, _ = key.split("-")
    return _Part(int(start), int(stop), f"{name}/{key}")


def _whole(bucket: ObjectStore, name: str) -> list[_Part]:
    """The parts of a blob.

    Raises:
        FileNotFoundError: There is none of that name.
    """
    import obstore

    with _mapped(name):
        named = bytes(obstore.get(bucket, f"{name}/{_WHOLE}").bytes())
    return [_part(name, key) for key in json.loads(named)]


def _pieces(bucket: ObjectStore, parts: Iterable[_Part], start: int, stop: int) -> Iterator[bytes]:
    import obstore

    for part in parts:
        first, end = max(start, part.start), min(stop, part.stop)
        if first < end:
            with _mapped(part.key):
                found = obstore.get(bucket, part.key, options={"range": (first - part.start, end - part.start)})
                yield from map(bytes, found.stream(min_chunk_size=_READ_BYTES))


def _put(bucket: ObjectStore, key: str, data: bytes) -> None:
    import obstore

    with _mapped(key):
        obstore.put(bucket, key, data, use_multipart=False)


def _delete(bucket: ObjectStore, keys: list[str]) -> None:
    import obstore

    with _mapped(", ".join(keys[:1])):
        for first in range(0, len(keys), _LISTED):
            obstore.delete(bucket, keys[first : first + _LISTED])


def _list(bucket: ObjectStore, name: str | None = None) -> Iterator[ObjectMeta]:
    import obstore

    with _mapped(name or ""):
        for found in obstore.list(bucket, name, chunk_size=_LISTED):
            yield from found


@contextmanager
def _mapped(what: str) -> Iterator[None]:
    """The one place where obstore's errors become ours."""
    from obstore.exceptions import BaseError, NotFoundError

    try:
        yield
    except (FileNotFoundError, NotFoundError) as error:
        raise FileNotFoundError(f"The bucket has no {what!r}.") from error
    except BaseError as error:
        raise BucketError(f"The bucket failed at {what!r}: {error}") from error
