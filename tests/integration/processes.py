"""What tests of real processes do to them, and wait for."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Any


def eventually(condition: Callable[[], Any], *, timeout_s: float = 60.0) -> Any:
    """What the condition gives as soon as it is true."""
    give_up_at = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < give_up_at, "it did not come true in time"
        time.sleep(0.05)
    return value


def kill(process_id: int | None) -> None:
    """Kill a process, if there is one and it has not ended."""
    if process_id:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)
