"""What a failed request means to a person at a terminal."""

from __future__ import annotations

from hub_callbacks.errors import (
    HubCallbacksError,
    PermanentError,
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
    if isinstance(error, PermanentError) and error.said:
        return f"The hub says: {error.said} ({error.status})"
    return str(error)
