"""Large bodies past the parser: where the length is known, nothing in them needs to be looked at.

A parser, and the server around it, copy every byte of a body three times or more. What a large upload costs is that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, cast

import httptools

if TYPE_CHECKING:
    from starlette.types import Message, Scope
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

RECEIVE: Final = "hub_callbacks.receive"  # where a scope has the `Intake.receive` that stands in for its own, if any
_LARGE_BYTES: Final = 1 << 20
_HELD_BYTES: Final = 1 << 18  # as much waits for the application; then the client does


def hand_over(connection: HttpToolsProtocol) -> None:
    """Let an `Intake` take the body, if it is large, of the request whose head the connection has just read.

    Call it before anything of the request runs: what came of the body with the head is in the connection's cycle.
    """
    cycle = connection.cycle
    length = next((value for name, value in cycle.scope["headers"] if name == b"content-length"), b"0")
    left_bytes = int(length) - len(cycle.body)
    if left_bytes >= _LARGE_BYTES and not connection.pipeline and not connection.parser.should_upgrade():
        intake = Intake(connection, left_bytes)
        cast("Scope", cycle.scope)[RECEIVE] = intake.receive
        connection.transport.set_protocol(intake)


class Intake(asyncio.Protocol):
    """Takes the rest of a request's body in place of its connection, which is back in its place at the body's end.

    The event loop's thread alone may call it.

    Args:
        connection: It has read the request's head.
        left_bytes: What is to come of the body.
    """

    def __init__(self, connection: HttpToolsProtocol, left_bytes: int) -> None:
        self._connection, self._cycle = connection, connection.cycle
        self._left_bytes, self._held_bytes = left_bytes, 0
        self._pieces: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._has_begun = False

    def data_received(self, data: bytes) -> None:
        """Keep the bytes as they came; what lies behind the body is the connection's again."""
        piece, rest = (data, b"") if len(data) <= self._left_bytes else self._parted(data)
        self._left_bytes -= len(piece)
        if not self._cycle.response_complete:
            self._held_bytes += len(piece)
            self._pieces.append(piece)
            self._news.set()
        if not self._left_bytes:
            self._give_back(rest)
        elif self._held_bytes >= _HELD_BYTES:
            self._connection.flow.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the connection, and who waits for the body."""
        self._connection.connection_lost(exc)
        self._news.set()

    def pause_writing(self) -> None:
        """Tell the connection."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Tell the connection."""
        self._connection.resume_writing()

    async def receive(self) -> Message:
        """The next part of the body, as ASGI has it. What came before the connection was lost is told before that."""
        if not self._has_begun:
            return await self._first()
        if not self._pieces and self._left_bytes and not self._cycle.disconnected:
            self._news.clear()
            self._connection.flow.resume_reading()
            await self._news.wait()
        if not self._pieces:
            return cast("Message", await self._cycle.receive())  # the body is over, or the client gone
        piece = self._pieces.popleft()
        self._held_bytes -= len(piece)
        return {"type": "http.request", "body": piece, "more_body": bool(self._left_bytes or self._pieces)}

    async def _first(self) -> Message:
        """What came with the head, at once; the client is told to continue, if it waits for that."""
        self._has_begun = True
        self._cycle.message_event.set()
        message = cast("Message", await self._cycle.receive())
        return {**message, "more_body": True} if message["type"] == "http.request" else message

    def _parted(self, data: bytes) -> tuple[bytes, bytes]:
        return data[: self._left_bytes], data[self._left_bytes :]

    def _give_back(self, rest: bytes) -> None:
        connection = self._connection
        connection.parser = httptools.HttpRequestParser(connection)  # the old one still waits for the body
        connection.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        connection.on_message_complete()
        self._cycle.message_event.clear()  # whoever asks for more is to wait, until the client leaves
        connection.transport.set_protocol(connection)
        if rest:
            connection.data_received(rest)
