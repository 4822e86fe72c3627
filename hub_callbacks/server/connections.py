"""Connections: HTTP/1.1 as strict as RFC 9112 wants it, and no patience without end for clients that do not go on."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hub_callbacks.server.intake import hand_over

_VERSIONS = {"1.0", "1.1"}


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with limits to what a request's head may take. `guard` has those of its body.

    llhttp, which parses it, refuses what two parsers could read as two different requests. What it leaves to servers is
    refused here: a head without end, none or two of ``Host``, an encoding of the body that we would hand on as it is.

    Attributes:
        head_s: Seconds from the first byte of a connection, or of its next request, to the end of the request's head.
        silent_bytes: How much may come that is no whole head and no byte of a body.
    """

    head_s: ClassVar[float] = 30.0
    silent_bytes: ClassVar[int] = 1 << 16
    _head_timer: asyncio.TimerHandle | None = None
    _is_head_due = _is_body_due = False
    _unread_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes; go on waiting only while they are no whole head."""
        self._is_head_due = not self._is_body_due
        self._unread_bytes += len(data)
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            hand_over(self)
        if self._unread_bytes > self.silent_bytes and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")
        if self._is_head_due:
            self._wait_for_head()
        else:
            self._stop_waiting()

    def on_message_begin(self) -> None:
        """Another request begins."""
        super().on_message_begin()
        self._is_head_due = True

    def on_headers_complete(self) -> None:
        """Begin to answer; what a trailer says is nobody's (RFC 9110, section 6.5.1)."""
        self._check_head()
        self._is_head_due, self._is_body_due, self._unread_bytes = False, True, 0
        super().on_headers_complete()
        self.headers = []
        if self.parser.should_upgrade():  # to no other protocol; but llhttp reads no further
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._unread_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request has come whole."""
        self._is_body_due, self._unread_bytes = False, 0
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _check_head(self) -> None:
        """Have llhttp give up a request that it would take; it makes an error of its own of whatever is raised."""
        version = self.parser.get_http_version()
        names = [name for name, _ in self.headers]
        codings = {value.lower() for name, value in self.headers if name == b"transfer-encoding"}
        if version not in _VERSIONS or names.count(b"host") > 1 or (version == "1.1" and b"host" not in names):
            raise ValueError("RFC 9112, sections 2.3 and 3.2")
        if codings - {b"chunked"} or (codings and version == "1.0"):
            raise ValueError("RFC 9112, section 6.1")
        if self.parser.should_upgrade() and (codings or b"content-length" in names):  # it would be the next request
            raise ValueError("RFC 9110, section 7.8")

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if self.cycle is None or self.cycle.response_complete:
            self.timeout_keep_alive_handler()
        else:  # the one before is still being answered
            self._wait_for_head()
