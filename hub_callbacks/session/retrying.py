"""Calling a function again while it fails in a way that can heal."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Any

from hub_callbacks.errors import RetryableError, TransportError
from hub_callbacks.transport.http import failure, read_to_the_end

logger = logging.getLogger(__name__)


def call_retrying(
    function: Callable[[], Any],
    *,
    retry: int,
    timeout_s: float,
    verbose: bool,
    sleep: Callable[[float], None],
    is_streamed: bool = False,
) -> Any:
    """What the function returns: any reply but None, as hub-sdk returns for a failure.

    None, `RetryableError` and a ``requests.Response`` with a status that can heal are failures: the function is called
    again after 1, 2, 4 ... s with full jitter, or as long as the hub asked. A response with any other status is final.

    Args:
        function: The function.
        retry: How often to call it again.
        timeout_s: It is not called again after this time.
        verbose: Whether to log each failure, with what the hub says.
        sleep: Waits for a number of seconds.
        is_streamed: Whether to read a response to its end, before it is a success.

    Raises:
        RetryableError: The last call raised it.
    """
    give_up_at = time.monotonic() + timeout_s
    for attempt in range(retry + 1):
        is_last = attempt == retry or time.monotonic() > give_up_at
        try:
            reply, error = _call(function, is_streamed=is_streamed)
        except RetryableError as raised:
            if is_last:
                raise
            reply, error = None, raised
        if error is None:
            return reply
        is_over = is_last or not isinstance(error, RetryableError)
        delay_s = _delay_s(error, attempt)
        if verbose:
            logger.warning("%s%s", error, "" if is_over else f" The next try is in {delay_s:.0f} s.")
        if is_over:
            return reply
        sleep(delay_s)
    return None


def _call(function: Callable[[], Any], *, is_streamed: bool) -> tuple[Any, TransportError | None]:
    """The reply, and what is wrong with it."""
    reply = function()
    if reply is None:
        return None, RetryableError("The hub did not answer.")
    error = failure(reply)
    if error is None and is_streamed:
        read_to_the_end(reply)
    return reply, error


def _delay_s(error: TransportError, attempt: int) -> float:
    asked_s = error.retry_after_s if isinstance(error, RetryableError) else None
    return random.uniform(0, 2.0**attempt) if asked_s is None else asked_s  # noqa: S311 - jitter, no secret
