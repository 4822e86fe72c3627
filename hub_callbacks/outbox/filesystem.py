"""What kind of file system a folder lies on."""

from __future__ import annotations

import os
from pathlib import Path

# As the kernel names them in /proc/self/mounts; "fuse." file systems are told by what follows.
_NETWORK = {"9p", "afs", "beegfs", "ceph", "cifs", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
            "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "sshfs", "wekafs"}  # fmt: skip


def is_on_network(folder: Path, *, mounts: Path = Path("/proc/self/mounts")) -> bool:
    """Whether a folder lies on a network file system, where SQLite's WAL must not be used.

    WAL keeps its index in shared memory, which does not reach another machine
    (https://www.sqlite.org/wal.html#overview). Told from the mount table; where there is none, the answer is no.

    Args:
        folder: The folder, or where it will be made.
        mounts: The mount table (proc_pid_mounts(5)).
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    found = [line.split() for line in lines if len(line.split()) > 2]
    path = os.path.realpath(folder)
    over = [(_unescape(point), kind) for _, point, kind, *_ in found if _is_under(path, _unescape(point))]
    kind = max(over, key=lambda mount: len(mount[0]), default=("", ""))[1]
    return kind.removeprefix("fuse.") in _NETWORK


def _is_under(path: str, point: str) -> bool:
    return point == "/" or path == point or path.startswith(f"{point}/")


def _unescape(point: str) -> str:
    """Spaces and tabs in a mount point are written as octal escapes."""
    return point.replace("\\040", " ").replace("\\011", "\t")
