"""What every request and reply passes: the Host check, the count of what goes on, headers for browsers."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub_callbacks.server.failures import failure

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


class Guard:
    """ASGI middleware around the whole application.

    Args:
        app: The application.
        activity: Where requests are counted.
        hosts: The names in ``Host`` that are ours; any where empty. On loopback a page of another site could have its
            own name point to 127.0.0.1 and read our replies (DNS rebinding): its Host gives it away.
    """

    def __init__(self, app: ASGIApp, *, activity: Activity, hosts: Collection[str]) -> None:
        self._app, self._activity, self._hosts = app, activity, frozenset(hosts)

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
        headers = Headers(scope=scope)
        body = _Body(receive, waits_for_continue="expect" in headers)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                _protect(MutableHeaders(scope=message))
                await body.drain()
            await send(message)

        if self._hosts and _name(headers.get("host", "")) not in self._hosts:
            reply = failure(421, "This is not a name of this hub. Open it as http://127.0.0.1 with its port.")
            await reply(scope, body.receive, answer)
        else:
            await self._app(scope, body.receive, answer)


class _Body:
    """A request's body, read to its end before the reply goes out.

    A server that answers and closes while the client still sends resets the connection, and the client, which had
    sent on, often never sees the answer: a refusal would look like a broken line, and be tried for ever.
    """

    def __init__(self, receive: Receive, *, waits_for_continue: bool) -> None:
        self._receive = receive
        self._is_over = waits_for_continue  # RFC 9110, section 10.1.1: it sends nothing until we ask for it

    async def receive(self) -> Message:
        message = await self._receive()
        self._is_over = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        while not self._is_over:
            await self.receive()


def _protect(headers: MutableHeaders) -> None:
    headers.setdefault("x-content-type-options", "nosniff")
    headers.setdefault("referrer-policy", "same-origin")  # our URLs may hold tokens


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()
