"""Blobs: the bytes of checkpoints, whole or not there. A folder keeps them; other homes have the same two Protocols."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from hub_callbacks.server.landing import LandingFile

_READ_BYTES = 1 << 20  # each piece is a hop to a thread: a quarter of them, and the hub takes half as long for a file


class BlobWriter(Protocol):
    """A blob on its way in, seen by nobody until it is published."""

    @property
    def size_bytes(self) -> int:
        """Bytes written so far."""

    def write(self, data: bytes) -> None:
        """Take more bytes."""

    def sha256(self) -> str:
        """SHA-256 of the bytes so far, in hexadecimal digits."""

    def publish(self) -> str:
        """Make the blob durable and visible; its name."""

    def discard(self) -> None:
        """Forget the bytes; does nothing after `publish`."""


class PartialBlob(Protocol):
    """A blob that comes in parts, over days and restarts, seen by nobody until it is published."""

    def truncate(self, size_bytes: int) -> None:
        """Forget what lies behind so many bytes, and go on there."""

    def write(self, data: bytes) -> None:
        """Take more bytes."""

    def flush(self) -> None:
        """Let what was written outlive this process."""

    @property
    def file(self) -> LandingFile | None:
        """Where a `Tap` may pour the next bytes, if it is a file of this machine."""

    @property
    def mark(self) -> str:
        """What tells these very bytes from others of the same length that came another way."""

    def read(self) -> Iterator[bytes]:
        """Every byte, in pieces."""

    def publish(self) -> str:
        """Make the blob durable and visible; its name."""

    def close(self) -> None:
        """Let go of it; what was written stays."""


class Blobs(Protocol):
    """Where blobs are kept. Any thread may call it."""

    def writer(self) -> BlobWriter:
        """A new blob, under a name of the store's own making."""

    def new_name(self) -> str:
        """A name for a new partial blob."""

    def partial(self, name: str) -> PartialBlob:
        """The partial blob of that name, begun where there is none. One at a time may be open, of all processes."""

    def partial_bytes(self, name: str, at_most: int) -> int:
        """How far the partial blob can go on, within its first ``at_most`` bytes; after a power cut, the last may be
        wrong.
        """

    def size_bytes(self, name: str) -> int | None:
        """Bytes of the blob, None where there is none that was published."""

    def names(self, *, before: float) -> Iterator[str]:
        """Every blob, whole or partial, that nobody has written to since that moment (Unix time, seconds)."""

    def read(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from ``start`` up to ``stop``, in pieces."""

    def delete(self, name: str) -> None:
        """Remove the blob, whole or partial, if it is there."""

    def check(self) -> None:
        """Nothing, as long as blobs can be kept and read here; else raises an `OSError`."""


class FolderBlobs:
    """Blobs as files of one folder, spread over 256 subfolders.

    What an interrupted upload left in ``incoming``, and what lies in ``partial``, stays until it is deleted.

    Args:
        folder: Where the files are.
        is_own: No other process has it: what lies in ``incoming`` is removed at once.
    """

    def __init__(self, folder: Path, *, is_own: bool = True) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._partial = folder / "partial"
        for part in (self._incoming, self._partial):
            part.mkdir(parents=True, exist_ok=True)
        for leftover in self._incoming.iterdir() if is_own else ():
            leftover.unlink(missing_ok=True)

    def writer(self) -> FileWriter:
        """A new blob, in a temporary file first."""
        name = self.new_name()
        return FileWriter(name, incoming=self._incoming / name, home=self._path(name))

    def new_name(self) -> str:
        """A random name: what a client says never names a file."""
        return secrets.token_hex(16)

    def partial(self, name: str) -> PartialFile:
        """The file of that name among the partial ones, made where there is none."""
        return PartialFile(name, partial=self._partial / name, home=self._path(name))

    def partial_bytes(self, name: str, at_most: int) -> int:
        """Size of the file of that name, 0 where there is none."""
        sizes = filter(None, (self.size_bytes(name), _size(self._partial / name)))
        return min(next(sizes, 0), at_most)

    def size_bytes(self, name: str) -> int | None:
        """Size of the published file."""
        return _size(self._path(name))

    def names(self, *, before: float) -> Iterator[str]:
        """The names of all files that were last written before that moment."""
        for path in self._folder.glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    yield path.name

    def read(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from ``start`` up to ``stop``, in pieces of 1 MiB at most.

        Raises:
            FileNotFoundError: There is no such blob. Raised at once, not at the first piece.
        """
        file = self._path(name).open("rb")
        file.seek(start)
        return _pieces(file, stop - start)

    def delete(self, name: str) -> None:
        """Remove the file, whole or partial, if it is there."""
        for path in (self._path(name), self._partial / name, self._incoming / name):
            path.unlink(missing_ok=True)

    def check(self) -> None:
        """Nothing, as long as files can be made in the folder.

        Raises:
            OSError: They cannot.
        """
        probe = self._incoming / f"probe-{self.new_name()}"
        probe.touch()
        probe.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name


class FileWriter:
    """A blob on its way into a `FolderBlobs`. One thread at a time may call it."""

    def __init__(self, name: str, *, incoming: Path, home: Path) -> None:
        self._name, self._incoming, self._home = name, incoming, home
        self._file = LandingFile(incoming, "x")
        self._digest = hashlib.sha256()
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """Bytes written so far."""
        return self._size_bytes

    def write(self, data: bytes) -> None:
        """Write more bytes."""
        self._file.append(data)
        self._digest.update(data)
        self._size_bytes += len(data)

    def sha256(self) -> str:
        """SHA-256 of the bytes so far, in hexadecimal digits."""
        return self._digest.hexdigest()

    def publish(self) -> str:
        """Give the file its name. Bytes and name are on the disk when this returns, and outlive a power cut."""
        self._file.publish(self._incoming, self._home)
        return self._name

    def discard(self) -> None:
        """Remove the temporary file."""
        self._file.close()
        self._incoming.unlink(missing_ok=True)


class PartialFile:
    """A blob of a `FolderBlobs` that comes in parts. One thread at a time may call it."""

    def __init__(self, name: str, *, partial: Path, home: Path) -> None:
        self._name, self._partial, self._home = name, partial, home
        if home.exists():  # the hub died when it had published the file, and before the store knew
            home.replace(partial)
        partial.touch()
        self._file = LandingFile(partial, "r+")

    def truncate(self, size_bytes: int) -> None:
        """Cut the file off there; the next byte goes to its end."""
        self._file.go_on_at(size_bytes)

    def write(self, data: bytes) -> None:
        """Write more bytes. They outlive this process; a power cut may take them until `publish`."""
        self._file.append(data)

    def flush(self) -> None:
        """Nothing: what was written is the system's already."""

    @property
    def file(self) -> LandingFile | None:
        """The file itself, on Linux; other systems have neither splice nor, all of them, preadv."""
        return self._file if hasattr(os, "splice") else None

    @property
    def mark(self) -> str:
        """None is needed: nobody else writes to the file, and what is acknowledged is not written again."""
        return ""

    def read(self) -> Iterator[bytes]:
        """Every byte, in pieces of 1 MiB at most."""
        self._file.seek(0)
        while piece := self._file.read(_READ_BYTES):
            yield piece

    def publish(self) -> str:
        """Give the file its name. Bytes and name are on the disk when this returns, and outlive a power cut."""
        self._file.publish(self._partial, self._home)
        return self._name

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _pieces(file: IO[bytes], left: int) -> Iterator[bytes]:
    with file:
        while left > 0 and (piece := file.read(min(left, _READ_BYTES))):
            left -= len(piece)
            yield piece
