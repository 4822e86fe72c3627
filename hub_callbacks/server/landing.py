"""A file on its way in: its bytes go to the disk while more of them come, and it gets its name when all are there."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_STRIDE_BYTES: Final = 8 << 20  # the disk is asked rarely, and has enough to do each time
_PIECE_BYTES: Final = 1 << 16  # Linux takes pages as large as a write; large ones took it two to six times as long
_AGAIN_BYTES: Final = 1 << 18  # they are still in the processor's cache when they are hashed


class LandingFile(io.FileIO):
    """A file that is written from its beginning to its end. One thread at a time may call it.

    Linux begins to write to the disk when much has gathered, or seconds later; then most of a large file would wait for
    `publish`. So the disk is told of each stretch: POSIX_FADV_DONTNEED begins to write it, and drops what is on the
    disk already, which is next to nothing of what has just come (mm/fadvise.c). Other systems are left to themselves.
    """

    _told_bytes = 0

    def go_on_at(self, size_bytes: int) -> None:
        """Cut the file off there; the next byte goes to its end."""
        self.truncate(size_bytes)
        self._told_bytes = self.seek(size_bytes)

    def append(self, data: bytes | memoryview) -> None:
        """Write more bytes, all of them. They outlive this process; a power cut may take them until `publish`."""
        view = memoryview(data)
        while view:
            view = view[self.write(view[:_PIECE_BYTES]) :]
        self._tell_disk()

    def append_from(self, pipe: int, size_bytes: int) -> None:
        """`append` what is in a pipe, which Linux moves by itself where the file system lets it."""
        while size_bytes:
            size_bytes -= self._move(pipe, size_bytes)
        self._tell_disk()

    def again(self, start: int, stop: int) -> Iterator[memoryview]:
        """Bytes that were written, in pieces, each good until the next one. Any thread may call it.

        Raises:
            EOFError: They are not there any more.
        """
        room = memoryview(bytearray(_AGAIN_BYTES))
        while start < stop:
            size_bytes = os.preadv(self.fileno(), [room[: stop - start]], start)
            if not size_bytes:
                raise EOFError(self.name)
            yield room[:size_bytes]
            start += size_bytes

    def _move(self, pipe: int, size_bytes: int) -> int:
        try:
            return os.splice(pipe, self.fileno(), size_bytes)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        data = os.read(pipe, size_bytes)
        self.append(data)
        return len(data)

    def _tell_disk(self) -> None:
        stretch_bytes = self.tell() - self._told_bytes
        if stretch_bytes >= _STRIDE_BYTES and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self.fileno(), self._told_bytes, stretch_bytes, os.POSIX_FADV_DONTNEED)
            self._told_bytes += stretch_bytes

    def publish(self, path: Path, home: Path) -> None:
        """Close the file, which is at ``path``, and move it. Bytes and name outlive a power cut when this returns."""
        os.fsync(self.fileno())
        self.close()
        home.parent.mkdir(exist_ok=True)
        path.replace(home)
        for folder in (home.parent, home.parent.parent):
            _fsync_folder(folder)


def _fsync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # Windows has no handle for a folder to sync, and journals the rename itself
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
