"""Blobs: the bytes of checkpoints, whole or not there. A folder keeps them; other homes have the same two Protocols."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

_READ_BYTES = 1 << 18


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


class Blobs(Protocol):
    """Where blobs are kept. Any thread may call it."""

    def writer(self) -> BlobWriter:
        """A new blob, under a name of the store's own making."""

    def read(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from ``start`` up to ``stop``, in pieces."""

    def delete(self, name: str) -> None:
        """Remove the blob, if it is there."""


class FolderBlobs:
    """Blobs as files of one folder, spread over 256 subfolders.

    What an interrupted upload left in ``incoming`` is removed when the folder is opened; one process owns it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        for leftover in self._incoming.iterdir():
            leftover.unlink(missing_ok=True)

    def writer(self) -> FileWriter:
        """A new blob, in a temporary file first."""
        name = secrets.token_hex(16)  # not a client's word: what a client says never names a file
        return FileWriter(name, incoming=self._incoming / name, home=self._path(name))

    def read(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from ``start`` up to ``stop``, in pieces of 256 KiB at most.

        Raises:
            FileNotFoundError: There is no such blob. Raised at once, not at the first piece.
        """
        file = self._path(name).open("rb")
        file.seek(start)
        return _pieces(file, stop - start)

    def delete(self, name: str) -> None:
        """Remove the file, if it is there."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name


class FileWriter:
    """A blob on its way into a `FolderBlobs`. One thread at a time may call it."""

    def __init__(self, name: str, *, incoming: Path, home: Path) -> None:
        self._name, self._incoming, self._home = name, incoming, home
        self._file = incoming.open("xb", buffering=0)
        self._digest = hashlib.sha256()
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """Bytes written so far."""
        return self._size_bytes

    def write(self, data: bytes) -> None:
        """Write more bytes."""
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._digest.update(data)
        self._size_bytes += len(data)

    def sha256(self) -> str:
        """SHA-256 of the bytes so far, in hexadecimal digits."""
        return self._digest.hexdigest()

    def publish(self) -> str:
        """Give the file its name. Bytes and name are on the disk when this returns, and outlive a power cut."""
        os.fsync(self._file.fileno())
        self._file.close()
        self._home.parent.mkdir(exist_ok=True)
        self._incoming.replace(self._home)
        for folder in (self._home.parent, self._home.parent.parent):
            _fsync_folder(folder)
        return self._name

    def discard(self) -> None:
        """Remove the temporary file."""
        self._file.close()
        self._incoming.unlink(missing_ok=True)


def _fsync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # Windows has no handle for a folder to sync, and journals the rename itself
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _pieces(file: IO[bytes], left: int) -> Iterator[bytes]:
    with file:
        while left > 0 and (piece := file.read(min(left, _READ_BYTES))):
            left -= len(piece)
            yield piece
