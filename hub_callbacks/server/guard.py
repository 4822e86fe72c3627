"""What every request and reply passes: the Host check, the count of what goes on, headers for browsers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_callbacks.errors import HubCallbacksError
from hub_callbacks.server.failures import failure
from hub_callbacks.server.intake import INTAKE
from hub_callbacks.server.limits import DEFAULTS, Limits
from hub_callbacks.server.patience import within

_BODY = "hub_callbacks.body"  # where the scope has it
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


@dataclass(slots=True)
class Activity:
    """Whether anybody uses the hub. The event loop's thread alone changes it."""

    in_flight: int = 0
    _last: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """A request came."""
        self.in_flight += 1

    def end(self) -> None:
        """It was answered."""
        self.in_flight -= 1
        self._last = time.monotonic()

    def idle_s(self) -> float:
        """Seconds since the last request was answered; 0 while there is one."""
        return 0.0 if self.in_flight else time.monotonic() - self._last


class StalledError(HubCallbacksError):
    """The client takes no byte of the reply any more."""


class Guard:
    """ASGI middleware around the whole application.

    Args:
        app: The application.
        activity: Where requests are counted.
        limits: How large a body may be, and how long a client may neither send nor take a byte that is due before it is
            given up.
        hosts: The names in ``Host`` that are ours; any where empty. On loopback a page of another site could have its
            own name point to 127.0.0.1 and read our replies (DNS rebinding): its Host gives it away.
    """

    def __init__(
        self, app: ASGIApp, *, activity: Activity, hosts: Collection[str] = (), limits: Limits = DEFAULTS
    ) -> None:
        self._app, self._activity, self._hosts, self._limits = app, activity, frozenset(hosts), limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._activity.begin()
        try:
            await self._serve(scope, receive, send)
        finally:
            self._activity.end()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope)
        stall_s = self._limits.stall_s
        intake = scope.get(INTAKE)
        body = _Body(intake.receive if intake else receive, waits_for_continue="expect" in asked, limits=self._limits)
        scope[_BODY] = body

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                _protect(headers)
                if not await body.drain():
                    headers["connection"] = "close"  # what may still come of the body is no next request
            try:
                await within(stall_s, send(message))
            except TimeoutError as error:
                raise StalledError(f"The client took no byte of the reply for {stall_s:g} seconds.") from error

        if self._hosts and _name(asked.get("host", "")) not in self._hosts:
            reply = failure(
                421,
                "This is not a name of this hub. Name it in the setting hosts, or open http://127.0.0.1 with the port.",
            )
            await reply(scope, body.receive, answer)
        else:
            with contextlib.suppress(StalledError):  # the server closes the connection, and says so in its log
                await self._app(scope, body.receive, answer)


def expect_file(request: Request) -> None:
    """Let the request's body be as large as files are; without this, none is read to its end that is larger."""
    body: _Body = request.scope[_BODY]
    body.expect_file()


class _Body:
    """A request's body, read to its end before the reply goes out.

    A server that answers and closes while the client still sends resets the connection, and the client, which had
    sent on, often never sees the answer: a refusal would look like a broken line, and be tried for ever.
    """

    def __init__(self, receive: Receive, *, waits_for_continue: bool, limits: Limits) -> None:
        self._receive, self._stall_s = receive, limits.stall_s
        self._limit_bytes, self._is_limited = limits.body_bytes, True
        self._size_bytes = 0
        self._is_drained = waits_for_continue  # RFC 9110, section 10.1.1: it sends nothing until we ask for it
        self._is_over = self._has_stalled = False

    async def receive(self) -> Message:
        """The next part of the body; behind its end the client's leaving, for which there is no hurry.

        Raises:
            HTTPException: 408, none came for too long; 413, it is too large.
        """
        if self._is_over:
            return await self._receive()
        try:
            message = await within(self._stall_s, self._receive())
        except TimeoutError as error:
            self._has_stalled = self._is_over = True
            raise HTTPException(408, f"No byte came for {self._stall_s:g} seconds.") from error
        self._is_drained = self._is_over = message["type"] != "http.request" or not message.get("more_body", False)
        self._size_bytes += len(message.get("body", b""))
        if self._is_limited and self._size_bytes > self._limit_bytes:
            raise HTTPException(413, f"The body may have {self._limit_bytes} bytes at most.")
        return message

    def expect_file(self) -> None:
        """Let it be as large as whoever reads it allows."""
        self._is_limited = False

    async def drain(self) -> bool:
        """Read what is left of the body; whether it has ended, or the client waits for us to ask for it."""
        self._is_limited = False
        with contextlib.suppress(HTTPException):  # the reply comes all the same
            while not self._is_drained and not self._has_stalled:
                await self.receive()
        return self._is_drained


def _protect(headers: MutableHeaders) -> None:
    headers.setdefault("x-content-type-options", "nosniff")
    headers.setdefault("referrer-policy", "same-origin")  # our URLs may hold tokens


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()
