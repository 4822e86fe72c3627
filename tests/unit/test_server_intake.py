"""A large body where the event loop reads ahead, as asyncio does on Windows: what lies behind it is another request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from uvicorn import Config
from uvicorn.server import ServerState

from hub_callbacks.server.connections import PatientProtocol
from hub_callbacks.server.intake import INTAKE, Intake

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

BODY = b"x" * 3_000_000


class ReadAhead(asyncio.Transport):
    """Gives bytes to the protocol that there was when it read them (asyncio.proactor_events)."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: asyncio.BaseProtocol | None = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def give(self, data: bytes) -> None:
        protocol = self.protocol
        assert isinstance(protocol, Intake)
        while data:
            buffer = protocol.get_buffer(len(data))
            size_bytes = min(len(buffer), len(data))
            buffer[:size_bytes] = data[:size_bytes]
            protocol.buffer_updated(size_bytes)
            data = data[size_bytes:]


def test_request_that_was_read_with_the_body_before_it_is_served() -> None:
    served: list[tuple[str, int]] = []
    has_both = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        size_bytes, is_over = 0, False
        intake = scope.get(INTAKE)
        receive = intake.receive if intake else receive
        while not is_over:
            message = await receive()
            size_bytes += len(message["body"])
            is_over = not message["more_body"]
        served.append((scope["path"], size_bytes))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        if len(served) == 2:
            has_both.set()

    async def run() -> None:
        config = Config(app, ws="none", lifespan="off")
        config.load()
        transport = ReadAhead()
        protocol = PatientProtocol(config=config, server_state=ServerState(), app_state={})
        protocol.connection_made(transport)
        protocol.data_received(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n")
        transport.give(BODY + b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nsmall")
        await asyncio.wait_for(has_both.wait(), 30)
        protocol.connection_lost(None)

    asyncio.run(run())
    assert served == [("/a", len(BODY)), ("/b", 5)]
