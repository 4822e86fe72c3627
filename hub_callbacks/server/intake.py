"""Large bodies past the parser: where the length is known, nothing in them needs to be looked at.

A parser, and the server around it, copy every byte of a body three times or more. Here the system writes them to where
they stay until they are on the disk; of what comes fast Linux makes no copy for us at all (`Tap`).
"""

from __future__ import annotations

import asyncio
import os
import select
import time
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, cast

import httptools

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.types import Message, Scope
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    from hub_callbacks.server.landing import LandingFile

INTAKE: Final = "hub_callbacks.intake"  # where a scope has the `Intake` whose `receive` stands in for its own, if any
_LARGE_BYTES: Final = 1 << 20
_LOT_BYTES: Final = 1 << 20  # one waits for the application while another comes; then the client does
_LINGER_S: Final = 0.1  # as long does what has come wait for the rest of its lot
_BEHIND_BYTES: Final = 1 << 16  # of what lies behind the body, at once
_PIPE_BYTES: Final = 1 << 20
_POUR_S: Final = 0.1  # as long does a slow client keep a thread
_PAUSE_MS: Final = 5  # a client that takes longer for its next bytes is slow


def hand_over(connection: HttpToolsProtocol) -> None:
    """Let an `Intake` take the body, if it is large, of the request whose head the connection has just read.

    Call it before anything of the request runs: what came of the body with the head is in the connection's cycle.
    """
    cycle = connection.cycle
    length = next((value for name, value in cycle.scope["headers"] if name == b"content-length"), b"0")
    left_bytes = int(length) - len(cycle.body)
    if left_bytes >= _LARGE_BYTES and not connection.pipeline and not connection.parser.should_upgrade():
        intake = Intake(connection, left_bytes)
        cast("Scope", cycle.scope)[INTAKE] = intake
        connection.flow.pause_reading()  # until it is asked for; uvloop asks how a protocol reads when it begins to
        connection.transport.set_protocol(intake)


class Intake(asyncio.BufferedProtocol):
    """Takes the rest of a request's body in place of its connection, which is back in its place at the body's end.

    The event loop's thread alone may call it.

    Args:
        connection: It has read the request's head.
        left_bytes: What is to come of the body.
    """

    def __init__(self, connection: HttpToolsProtocol, left_bytes: int) -> None:
        self._connection, self._cycle = connection, connection.cycle
        self._left_bytes = left_bytes
        self._lots: deque[bytearray] = deque()
        self._lot, self._lot_bytes = self._new_lot(), 0
        self._news = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = self._has_begun = False

    def get_buffer(self, _: int) -> memoryview:
        """Where the next bytes go: no further than to the body's end."""
        return memoryview(self._lot)[self._lot_bytes :]

    def buffer_updated(self, nbytes: int) -> None:
        """Keep the bytes that came there. asyncio on Windows has read on behind the body; that is the connection's."""
        if not self._left_bytes:
            self._connection.data_received(bytes(self._lot[:nbytes]))
            return
        self._left_bytes -= nbytes
        self._lot_bytes += nbytes
        if self._lot_bytes == len(self._lot):
            self._end_lot()
        elif self._timer is None:
            self._timer = self._connection.loop.call_later(_LINGER_S, self._hand_on)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the connection, and who waits for the body."""
        self._connection.connection_lost(exc)
        self._hand_on()

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
        if not self._lots and self._left_bytes and not self._is_due:
            self._news.clear()
            self._connection.flow.resume_reading()
            await self._news.wait()
        if not self._lots and self._lot_bytes:
            self._cut_lot()
        if not self._lots:
            return cast("Message", await self._cycle.receive())  # the body is over, or the client gone
        lot = self._lots.popleft()
        if self._left_bytes:
            self._connection.flow.resume_reading()
        return {"type": "http.request", "body": lot, "more_body": bool(self._left_bytes or self._lots)}

    def tap(self) -> Tap | None:
        """The way to the next bytes past this object, which takes none until the tap is `shut`; None without one."""
        transport = self._connection.transport
        is_over = not self._left_bytes or transport.is_closing()
        if is_over or transport.get_extra_info("ssl_object") is not None:
            return None
        self._connection.flow.pause_reading()
        if self._lot_bytes:
            self._cut_lot()
        held, self._lots = self._lots, deque()
        return Tap(
            transport.get_extra_info("socket").fileno(), held=cast("Iterable[bytes]", held), left_bytes=self._left_bytes
        )

    def shut(self, tap: Tap) -> None:
        """Go on behind what came through the tap."""
        self._left_bytes = tap.left_bytes
        self._fit_lot()
        if not self._left_bytes:
            self._lots.append(bytearray())  # the message that says so
            if not self._connection.transport.is_closing():
                self._give_back()

    async def _first(self) -> Message:
        """What came with the head, at once; the client is told to continue, if it waits for that."""
        self._has_begun = True
        self._cycle.message_event.set()
        message = cast("Message", await self._cycle.receive())
        return {**message, "more_body": True} if message["type"] == "http.request" else message

    def _new_lot(self) -> bytearray:
        return bytearray(min(self._left_bytes or _BEHIND_BYTES, _LOT_BYTES))

    def _end_lot(self) -> None:
        if not self._cycle.response_complete:
            self._lots.append(self._lot)
        self._lot = self._new_lot()
        self._begin_lot()
        self._news.set()
        if not self._left_bytes:
            self._give_back()
        elif self._lots:
            self._connection.flow.pause_reading()

    def _cut_lot(self) -> None:
        """Hand on what has come of a lot; the rest may take its time."""
        self._lots.append(self._lot[: self._lot_bytes])
        self._fit_lot()
        self._begin_lot()

    def _fit_lot(self) -> None:
        """Have no more room than there is to come; what lies behind the body is not ours."""
        if self._left_bytes < len(self._lot):
            self._lot = self._new_lot()

    def _begin_lot(self) -> None:
        self._lot_bytes, self._is_due = 0, self._cycle.disconnected
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hand_on(self) -> None:
        self._is_due = True
        self._news.set()

    def _give_back(self) -> None:
        connection = self._connection
        connection.parser = httptools.HttpRequestParser(connection)  # the old one still waits for the body
        connection.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        connection.on_message_complete()
        self._cycle.message_event.clear()  # whoever asks for more is to wait, until the client leaves
        connection.flow.pause_reading()  # as in `hand_over`
        connection.transport.set_protocol(connection)
        connection.flow.resume_reading()


class Tap:
    """Moves the next bytes of a body from its connection to a file: the system does, and this process never has them.

    One thread may call it, once.

    Args:
        descriptor: The connection's. The tap takes one of its own, which leads nowhere else when that is closed.
        held: What came before.
        left_bytes: What is to come of the body.

    Attributes:
        held: The same: to be written first.
        left_bytes: The same, without what was moved.
    """

    def __init__(self, descriptor: int, *, held: Iterable[bytes], left_bytes: int) -> None:
        self._descriptor = os.dup(descriptor)
        self.held, self.left_bytes = held, left_bytes

    def pour(self, file: LandingFile) -> Iterator[int]:
        """Append what comes to the file, as long as it comes fast; the bytes of each piece, once it is there.

        Raises:
            OSError: The file does not take them.
        """
        end = time.monotonic() + _POUR_S
        with _pipe() as (reader, writer):
            while time.monotonic() < end and (came_bytes := self._fill(writer)):
                self.left_bytes -= came_bytes
                file.append_from(reader, came_bytes)
                yield came_bytes

    def close(self) -> None:
        """Let go of the connection."""
        os.close(self._descriptor)

    def _fill(self, pipe: int) -> int:
        """How many bytes came into the pipe, which is empty; 0 where none did: of a lost connection its loop hears."""
        with suppress(ConnectionError):
            for _ in range(2):
                with suppress(BlockingIOError):
                    return os.splice(self._descriptor, pipe, min(self.left_bytes, _PIPE_BYTES))
                _wait(self._descriptor)
        return 0


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    """A pipe with room for much, where the system grants that."""
    import fcntl  # there is none on Windows

    reader, writer = os.pipe()
    try:
        with suppress(OSError):
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def _wait(descriptor: int) -> None:
    """A moment for more to come."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll(_PAUSE_MS)
