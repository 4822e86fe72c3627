"""One HTTP request to a hub: its reply's data, or an error of our tree."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from hub_callbacks import wire
from hub_callbacks.errors import (
    BusyError,
    ForbiddenError,
    PermanentError,
    RetryableError,
    UnauthorizedError,
    UnreachableError,
)

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 60.0  # from the end of the request to the end of the reply, by `timeouts`
_RETRYABLE = {408, 425, 429}  # RFC 9110 15.5.9, RFC 8470 5.2, RFC 6585 4


def request(
    session: requests.Session, method: str, url: str, *, read: Callable[[Any], Any] = lambda data: data, **kwargs: Any
) -> Any:
    """Send one request; the ``data`` of the reply's envelope.

    Args:
        session: With the key.
        method: Such as POST.
        url: Where to.
        read: Picks what is needed from the data; it may raise what looking into other data raises.
        **kwargs: More for ``session.request``.

    Raises:
        UnreachableError: No reply came.
        BusyError: 429, or another that can heal with a ``Retry-After``.
        RetryableError: 408, 425, 5xx, a redirect, or a 2xx that is not the hub's JSON.
        UnauthorizedError: 401.
        ForbiddenError: 403.
        PermanentError: Any other 4xx.
    """
    reply = send(session, method, url, **kwargs)
    with expected_of(reply):
        return read(reply.json()["data"])


def send(session: requests.Session, method: str, url: str, **kwargs: Any) -> requests.Response:
    """Send one request; the reply, which is a 2xx.

    Redirects are not followed, unless the caller says so: ``requests`` turns a redirected POST into a GET.

    Raises:
        TransportError: As for `request`, but for a 2xx.
    """
    options = {"timeout": (CONNECT_TIMEOUT_S, READ_TIMEOUT_S), "allow_redirects": False, **kwargs}
    with answered_by(url):
        reply = session.request(method, url, **options)
    if not reply.ok or reply.is_redirect:
        raise _refusal(reply)
    return reply


def failure(reply: object) -> RetryableError | PermanentError | None:
    """What a reply that somebody else has asked for has failed with; None for a 2xx, and for what is no HTTP reply."""
    if not isinstance(reply, requests.Response) or (reply.ok and not reply.is_redirect):
        return None
    return _refusal(reply)


def read_to_the_end(reply: object) -> None:
    """Read the body of a reply that is streamed, if it is one, and drop it.

    Raises:
        UnreachableError: It breaks off.
    """
    if isinstance(reply, requests.Response):
        with answered_by(reply.url):
            for _ in reply.iter_content(1 << 16):
                pass


@contextmanager
def answered_by(url: str) -> Iterator[None]:
    """Ask, or read what comes.

    Raises:
        UnreachableError: The line broke.
    """
    try:
        yield
    except (requests.RequestException, OSError) as error:
        raise UnreachableError(f"The hub at {_without_query(url)} gave no reply: {_cause(error)}.") from error


@contextmanager
def expected_of(reply: requests.Response) -> Iterator[None]:
    """Look into a 2xx for what only a hub says.

    Raises:
        RetryableError: It is not there.
    """
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise RetryableError(
            f"{_without_query(reply.url)} answered {reply.status_code}, but not as a hub does. Is something in between?"
        ) from error


def _refusal(reply: requests.Response) -> RetryableError | PermanentError:
    message = f"{reply.request.method} {_without_query(reply.url)} answered {reply.status_code}: {_message(reply)}"
    if reply.is_redirect:
        return RetryableError(f"{message} Set api_url to where it leads: {reply.headers['location']!r}.")
    if reply.status_code in _RETRYABLE or reply.status_code >= requests.codes.server_error:
        retry_after_s = _retry_after_s(reply)
        is_busy = reply.status_code == requests.codes.too_many_requests or retry_after_s is not None
        kind = BusyError if is_busy else RetryableError
        return kind(message, retry_after_s=retry_after_s, status=reply.status_code)
    is_hubs = _is_hubs(reply)
    said = _message(reply) if is_hubs else ""
    if not is_hubs:
        message += ", but not as a hub does. Is something in between?"
    if reply.status_code == requests.codes.unauthorized:
        return UnauthorizedError(message, is_hubs=is_hubs)
    if reply.status_code == requests.codes.forbidden:
        return ForbiddenError(message, is_hubs=is_hubs, said=said)
    return PermanentError(message, status=reply.status_code, is_hubs=is_hubs, said=said)


def _is_hubs(reply: requests.Response) -> bool:
    """Whether a refusal is HUB v1's envelope, or tus', whose HEAD has no body."""
    if wire.TUS_RESUMABLE_HEADER in reply.headers:
        return True
    try:
        return reply.json()["success"] is False
    except (ValueError, KeyError, TypeError):
        return False


def _without_query(url: str) -> str:
    """The URL as it may be shown: a token may stand in its query."""
    return url.partition("?")[0]


def _message(reply: requests.Response) -> str:
    try:
        return str(reply.json()["message"])
    except (ValueError, KeyError, TypeError):
        return reply.reason or "no message"


def _retry_after_s(reply: requests.Response) -> float | None:
    """Seconds from ``Retry-After``, which is a number of them or a date (RFC 9110 section 10.2.3)."""
    text = reply.headers.get("retry-after", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _cause(error: BaseException) -> str:
    """The innermost reason, such as ``[Errno 111] Connection refused``, without the layers that wrap it."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error) or type(error).__name__
