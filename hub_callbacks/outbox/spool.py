"""The spool: whole copies of checkpoints and artifacts, made while the trainer stands still.

The trainer rewrites last.pt in place (ultralytics 8.0-8.4 ``save_model``: ``torch.save(path)`` or ``write_bytes``), so
neither its path nor a hard link can be read later. A copy can.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from hub_callbacks.outbox.schema import mapped

_FICLONE = 0x40049409  # ioctl_ficlone(2): share the blocks, copy on write


def copy_in(source: Path, spool: Path) -> Path:
    """Copy a file into the spool, sharing its blocks where the file system can.

    Returns:
        The copy, whole: it gets its name when its last byte is written.

    Raises:
        OutboxFullError: The disk is full. Nothing is left behind.
        OutboxError: The source cannot be read, or the spool cannot be written. Nothing is left behind.
    """

    def copy(partial: Path) -> None:
        if not _reflink(source, partial):
            shutil.copyfile(source, partial)

    return _make(spool, source.suffix, copy)


def write_in(content: bytes, spool: Path, *, suffix: str) -> Path:
    """Write a small file into the spool; returns and raises as `copy_in`."""
    return _make(spool, suffix, lambda partial: partial.write_bytes(content))


def size_bytes(spool: Path) -> int:
    """Bytes that the copies in the spool take."""
    return sum(status.st_size for _, status in _files(spool))


def sweep(spool: Path, known: set[str], *, older_than: float) -> int:
    """Delete files that no item names and that are older than a Unix time, left by a trainer's death; count them."""
    orphans = [path for path, status in _files(spool) if path.name not in known and status.st_mtime < older_than]
    for path in orphans:
        path.unlink(missing_ok=True)
    return len(orphans)


def _make(spool: Path, suffix: str, fill: Callable[[Path], object]) -> Path:
    target = spool / f"{secrets.token_hex(8)}{suffix}"
    partial = target.with_suffix(".partial")
    with mapped(spool):
        spool.mkdir(parents=True, exist_ok=True)
        try:
            fill(partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return target


def _files(spool: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The files that are there now: one that the courier or another trainer deletes meanwhile is none."""
    for path in spool.iterdir() if spool.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):
            yield path, path.stat()


def _reflink(source: Path, target: Path) -> bool:
    if sys.platform != "linux":
        return False
    import fcntl

    with source.open("rb") as reader, target.open("xb") as writer:
        try:
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
        except OSError:  # another file system, or one that cannot
            return False
        os.utime(target)
        return True
