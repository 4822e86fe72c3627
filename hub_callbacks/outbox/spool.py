"""The spool: whole copies of checkpoints, made while the trainer stands still.

The trainer rewrites last.pt in place (ultralytics 8.0-8.4 ``save_model``: ``torch.save(path)`` or ``write_bytes``), so
neither its path nor a hard link can be read later. A copy can.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
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
    target = spool / f"{secrets.token_hex(8)}{source.suffix}"
    partial = target.with_suffix(".partial")
    with mapped(spool):
        spool.mkdir(parents=True, exist_ok=True)
        try:
            if not _reflink(source, partial):
                shutil.copyfile(source, partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return target


def size_bytes(spool: Path) -> int:
    """Bytes that the copies in the spool take."""
    return sum(path.stat().st_size for path in spool.iterdir()) if spool.is_dir() else 0


def sweep(spool: Path, known: set[str], *, older_than: float) -> int:
    """Delete files that no item names and that are older than a Unix time, left by a trainer's death; count them."""
    if not spool.is_dir():
        return 0
    orphans = [path for path in spool.iterdir() if path.name not in known and path.stat().st_mtime < older_than]
    for path in orphans:
        path.unlink(missing_ok=True)
    return len(orphans)


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
