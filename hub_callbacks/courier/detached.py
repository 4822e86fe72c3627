"""Processes that outlive the one that starts them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def spawn(command: Sequence[str], *, log: Path) -> None:
    """Start a process in a session of its own, so that neither Ctrl-C nor a closed terminal reaches it.

    Args:
        command: Program and arguments.
        log: File that its output is appended to.

    Raises:
        OSError: It cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=log.parent, **_detached()
        )
    process.returncode = 0  # nobody waits for it: without this, Popen would warn of a process still running


def _detached() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
