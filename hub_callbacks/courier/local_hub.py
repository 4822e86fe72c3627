"""The local hub, started when it is needed."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from hub_callbacks.courier.detached import spawn
from hub_callbacks.errors import UnreachableError
from hub_callbacks.transport import HubApi
from hub_callbacks.wire import LocalHub

START_TIMEOUT_S = 60.0  # a cold disk and two busy cores; 1.5 s is usual
_POLL_S = 0.1


def running(data_dir: Path) -> LocalHub | None:
    """The local hub of a data folder, or None when it does not answer."""
    hub = LocalHub.read(data_dir)
    if hub is None:
        return None
    with closing(HubApi(hub.url, "")) as api:  # another user's hub may have the port by now: it gets no key
        return hub if api.is_that(hub) else None


def ensure(data_dir: Path, *, port: int) -> LocalHub:
    """The local hub of a data folder, started and answering.

    Args:
        data_dir: Its folder.
        port: Where it listens, unless the port is in use.

    Raises:
        UnreachableError: It cannot be started, does not answer in time, or has ended; its log says why.
    """
    if hub := running(data_dir):
        return hub
    log = data_dir / "hub" / "hub.log"
    arguments = ["--local", "--data-dir", str(data_dir), "--port", str(port)]
    try:
        process = spawn("hub_callbacks.server", arguments, log=log)
    except OSError as error:
        raise UnreachableError(f"The local hub cannot be started: {error}.") from error
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up_at:
        if hub := running(data_dir):
            return hub
        if process.poll():  # not 0: then another process serves the folder, or will in a moment
            raise UnreachableError(f"The local hub ended with exit status {process.returncode}; see {str(log)!r}.")
        time.sleep(_POLL_S)
    raise UnreachableError(f"The local hub did not start in {START_TIMEOUT_S:.0f} s; see {str(log)!r}.")
