"""What a failed request means to a person at a terminal."""

from __future__ import annotations

from hub_callbacks.errors import (
    BusyError,
    HubCallbacksError,
    PermanentError,
    RetryableError,
    TransportError,
    UnauthorizedError,
    UnreachableError,
)


def in_words(error: HubCallbacksError) -> str:
    """One line for an error: what happened, and what to do; the request itself only where it helps."""
    if isinstance(error.__cause__, TransportError):  # who asked has put it into words
        return str(error)
    if isinstance(error, UnreachableError):
        return f"The hub is not there. Is it running? Look: hub-callbacks doctor ({error})"
    if isinstance(error, UnauthorizedError):
        return f"The hub wants a key that it knows: hub-callbacks settings api_key=KEY ({error})"
    if isinstance(error, RetryableError) and error.status:
        return f"{_healing(error)} ({error})"
    if isinstance(error, PermanentError) and error.said:
        return f"The hub says: {error.said} ({error.status})"
    return str(error)


def _healing(error: RetryableError) -> str:
    if isinstance(error, BusyError):
        wait = f"{error.retry_after_s:.0f} s" if error.retry_after_s else "a while"
        return f"The hub asks to be left alone. Try again in {wait}."
    return "The hub cannot do it now. Try again in a minute; if it stays so, see the hub's log."
