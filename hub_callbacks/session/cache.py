"""The cache of what was downloaded: bounded; what was not used for longest goes first, and what is in use stays."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock, Timeout

IN_USE_S = 86400.0  # a training reads its file as it begins, and its DDP children do soon after


def lock(path: Path) -> FileLock:
    """Who holds it may write to that file of the cache, and delete it."""
    return FileLock(f"{path}.lock", timeout=-1, is_singleton=False)


def note_use(path: Path, now: float) -> None:
    """Note that a file of the cache is used."""
    os.utime(path, (now, now))


def prune(folder: Path, *, limit_bytes: float, now: float) -> list[Path]:
    """Delete files, those first that were not used for longest, until the rest is within the limit.

    What was used in the last `IN_USE_S` stays, and so does what somebody downloads at the moment; the limit may be
    passed by that.

    Returns:
        What was deleted.
    """
    files = {path: path.stat() for path in folder.glob("*/*") if path.suffix != ".lock"}
    too_many_bytes = sum(stat.st_size for stat in files.values()) - limit_bytes
    deleted: list[Path] = []
    for path, stat in sorted(files.items(), key=lambda file: file[1].st_mtime):
        if too_many_bytes <= 0 or now - stat.st_mtime < IN_USE_S:
            break
        if _delete(path):
            deleted.append(path)
            too_many_bytes -= stat.st_size
    return deleted


def _delete(path: Path) -> bool:
    target = path.with_suffix("") if path.suffix == ".part" else path
    try:
        with lock(target).acquire(timeout=0):
            path.unlink(missing_ok=True)
    except Timeout:
        return False
    return True
