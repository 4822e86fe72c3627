"""The courier as a process: started detached, one per outbox, found through its lock."""

from __future__ import annotations

import argparse
import contextlib
import logging
import logging.handlers
import os
import time
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from hub_callbacks.courier import local_hub
from hub_callbacks.courier.detached import spawn
from hub_callbacks.courier.loop import Courier, is_needed
from hub_callbacks.errors import OutboxFullError
from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.settings import Settings

logger = logging.getLogger(__name__)

_FULL_S = 10.0  # between two looks at a full disk
_LOCK_TIMEOUT_S = 2.0  # longer than `pid` holds the lock to see whether it is free
_LOG_BYTES = 1 << 20


def start(folder: OutboxFolder, settings: Settings) -> None:
    """Start the courier of an outbox, unless one is at work.

    Args:
        folder: The outbox.
        settings: Of the local hub: its data folder and port.

    Raises:
        OSError: It cannot be started.
    """
    if pid(folder) is None:
        arguments = ["--outbox", str(folder.path), "--data-dir", str(settings.data_dir), "--port", str(settings.port)]
        spawn("hub_callbacks.courier.process", arguments, log=folder.path / "courier.err")


def pid(folder: OutboxFolder) -> int | None:
    """The process id of the courier at work on an outbox, or None."""
    if not folder.courier_lock.exists():
        return None
    try:
        with FileLock(folder.courier_lock, timeout=0):
            return None
    except Timeout:
        return _read_pid(folder)


def main(arguments: list[str] | None = None) -> None:
    """Work on an outbox until nothing is left; return at once when another courier does."""
    parser = argparse.ArgumentParser(prog="hub_callbacks.courier.process", description=main.__doc__)
    parser.add_argument("--outbox", type=Path, required=True, help="folder of the outbox")
    parser.add_argument("--data-dir", type=Path, required=True, help="data folder of the local hub")
    parser.add_argument("--port", type=int, required=True, help="preferred port of the local hub")
    given = parser.parse_args(arguments)
    folder = OutboxFolder(given.outbox)
    _log_to(folder.courier_log)
    courier = Courier(folder, partial(local_hub.ensure, given.data_dir, port=given.port))
    with contextlib.suppress(Timeout):
        while _has_work(folder):
            with FileLock(folder.courier_turn, timeout=0), FileLock(folder.courier_lock, timeout=_LOCK_TIMEOUT_S):
                _run(courier, folder)


def _run(courier: Courier, folder: OutboxFolder) -> None:
    """Work; where the disk is full from the start, be there when it no longer is."""
    try:
        folder.courier_pid.write_text(str(os.getpid()), encoding="ascii")
        courier.run()
    except (OutboxFullError, OSError) as error:
        logger.warning("The courier tries again in %.0f s: %s", _FULL_S, error)
        time.sleep(_FULL_S)


def _has_work(folder: OutboxFolder) -> bool:
    """Asked before the lock is taken and again after it is freed: no record can slip in between unseen."""
    outbox = Outbox(folder)
    try:
        return is_needed(outbox)
    finally:
        outbox.close()


def _read_pid(folder: OutboxFolder) -> int | None:
    try:
        return int(folder.courier_pid.read_text(encoding="ascii"))
    except (OSError, ValueError):  # it has only just taken the lock
        return None


def _log_to(path: Path) -> None:
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=2, encoding="utf-8")
    logging.basicConfig(
        level=logging.INFO, handlers=[handler], format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


if __name__ == "__main__":
    main()
