"""Calling a function again while it fails in a way that can heal."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Any

from hub_callbacks.errors import RetryableError

logger = logging.getLogger(__name__)


def call_retrying(
    function: Callable[[], Any], *, retry: int, timeout_s: float, verbose: bool, sleep: Callable[[float], None]
) -> Any:
    """What the function returns. None, as hub-sdk returns it, and `RetryableError` are failures that may heal.

    Between two tries it waits 1, 2, 4 ... s with full jitter, or as long as the hub asked.

    Args:
        function: The function.
        retry: How often to call it again.
        timeout_s: It is not called again after this time.
        verbose: Whether to log each failure.
        sleep: Waits for a number of seconds.

    Raises:
        RetryableError: The last call raised it.
    """
    give_up_at = time.monotonic() + timeout_s
    for attempt in range(retry + 1):
        is_last = attempt == retry or time.monotonic() > give_up_at
        delay_s = random.uniform(0, 2.0**attempt)  # noqa: S311 - jitter, no secret
        try:
            reply = function()
        except RetryableError as error:
            if is_last:
                raise
            reply, delay_s = None, delay_s if error.retry_after_s is None else error.retry_after_s
        if reply is not None or is_last:
            return reply
        if verbose:
            logger.warning("The hub did not answer; the next try is in %.0f s.", delay_s)
        sleep(delay_s)
    return None
