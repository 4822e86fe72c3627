"""Processes that outlive the one that starts them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# The child finds what this process has imported, also from paths that a notebook or a script has added; behind its
# own paths, so that nothing of the standard library is shadowed.
_RUN = "import runpy, sys; sys.path += {paths!r}; runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"


class Detached(subprocess.Popen[bytes]):
    """A process that nobody has to wait for: unlike Popen, it says nothing when it is forgotten while it runs."""

    def __del__(self) -> None:
        """Leave it alone."""


def spawn(module: str, arguments: Sequence[str], *, log: Path) -> Detached:
    """Run a module of ours in a session of its own, so that neither Ctrl-C nor a closed terminal reaches it.

    Args:
        module: Its dotted name.
        arguments: What it finds in `sys.argv`.
        log: File that its output is appended to.

    Raises:
        OSError: It cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    paths = [str(Path(path).absolute()) for path in sys.path]
    command = [sys.executable, "-c", _RUN.format(paths=paths, module=module), *arguments]
    with log.open("ab") as output:
        return Detached(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=log.parent, **_detached())


def _detached() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
