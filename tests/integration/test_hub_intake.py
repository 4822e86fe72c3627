"""Large bodies, which pass the parser by, or the whole process: whole, held back, broken off, between others."""

from __future__ import annotations

import asyncio
import hashlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import pytest
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request

from hub_callbacks.server.guard import Activity, Guard
from hub_callbacks.server.incoming import Incoming
from hub_callbacks.server.intake import INTAKE
from hub_callbacks.server.landing import LandingFile
from hub_callbacks.server.limits import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from hub_callbacks.server.intake import Tap

    Serve = Callable[..., tuple[str, int]]

TIMEOUT_S = 30
STALL_S = 0.5
LINGER_S = 0.1
LARGE = os.urandom(3_000_001)
VERY_LARGE = os.urandom(40_000_001)
SMALL = b"a small body"

needs_splice = pytest.mark.skipif(not hasattr(os, "splice"), reason="the system cannot splice")


async def reply(send: Send, status: int, text: str) -> None:
    headers = [(b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


async def tell_hash(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the path, whether the body passed the parser by, and the SHA-256 of what came."""
    digest, is_over = hashlib.sha256(), False
    while not is_over:
        message = await receive()
        digest.update(message["body"])
        is_over = not message["more_body"]
    await reply(send, 200, f"{scope['path']} {INTAKE in scope} {digest.hexdigest()}")


def guarded(app: ASGIApp) -> Guard:
    return Guard(ExceptionMiddleware(app), activity=Activity(), limits=Limits(stall_s=STALL_S, body_bytes=100_000_000))


def request(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def said(path: str, body: bytes) -> str:
    return f"{path} {len(body) >= 1 << 20} {hashlib.sha256(body).hexdigest()}"


def read_replies(connection: socket.socket, expected: str) -> str:
    """What comes, up to and with the text that is waited for."""
    came = b""
    while expected.encode() not in came:
        piece = connection.recv(1 << 16)
        assert piece, came
        came += piece
    return came.decode()


@pytest.mark.parametrize("loop", ["auto", "asyncio"])
def test_bodies_of_any_size_come_whole_on_one_connection(serve: Serve, loop: str) -> None:
    with socket.create_connection(serve(guarded(tell_hash), loop), timeout=TIMEOUT_S) as connection:
        for number, body in enumerate([LARGE, SMALL, LARGE[1:], LARGE[:1_000_000], b"", LARGE]):
            connection.sendall(request(f"/{number}", body))
            read_replies(connection, said(f"/{number}", body))


@pytest.mark.parametrize("loop", ["auto", "asyncio"])
def test_request_behind_a_large_body_in_the_same_bytes_is_answered(serve: Serve, loop: str) -> None:
    with socket.create_connection(serve(guarded(tell_hash), loop), timeout=TIMEOUT_S) as connection:
        connection.sendall(request("/a", LARGE) + request("/b", SMALL) + request("/c", LARGE) + request("/d", b""))
        came = read_replies(connection, said("/d", b""))
    assert [path for path in "abcd" if f"/{path} " in came] == ["a", "b", "c", "d"]
    assert hashlib.sha256(LARGE).hexdigest() in came.partition("/c")[2]


def test_request_behind_the_rest_of_a_body_that_paused_is_answered(serve: Serve) -> None:
    data = request("/a", LARGE)
    with socket.create_connection(serve(guarded(tell_hash)), timeout=TIMEOUT_S) as connection:
        connection.sendall(data[:-100_000])
        time.sleep(2 * LINGER_S)  # what has come is handed on
        connection.sendall(data[-100_000:] + request("/b", SMALL))
        came = read_replies(connection, said("/b", SMALL))
    assert said("/a", LARGE) in came


def test_large_body_that_comes_in_small_pieces_is_whole(serve: Serve) -> None:
    data = request("/a", LARGE)
    with socket.create_connection(serve(guarded(tell_hash)), timeout=TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), 70_001):
            connection.sendall(data[start : start + 70_001])
        read_replies(connection, said("/a", LARGE))


def test_client_that_waits_is_told_to_continue_with_a_large_body(serve: Serve) -> None:
    head = request("/a", LARGE, "Expect: 100-continue").removesuffix(LARGE)
    with socket.create_connection(serve(guarded(tell_hash)), timeout=TIMEOUT_S) as connection:
        connection.sendall(head)
        read_replies(connection, "HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(LARGE)
        read_replies(connection, said("/a", LARGE))


def test_what_came_before_the_client_left_is_told_before_that(serve: Serve) -> None:
    told: list[Message] = []
    has_begun, has_ended = threading.Event(), threading.Event()

    async def listen(_: Scope, receive: Receive, __: Send) -> None:
        while not told or told[-1]["type"] == "http.request":
            told.append(await receive())
            has_begun.set()
        has_ended.set()

    with socket.create_connection(serve(guarded(listen)), timeout=TIMEOUT_S) as connection:
        connection.sendall(request("/a", LARGE)[:-1_000_000])
        assert has_begun.wait(TIMEOUT_S)
    assert has_ended.wait(TIMEOUT_S)
    assert b"".join(message.get("body", b"") for message in told) == LARGE[:-1_000_000]
    assert all(message["more_body"] for message in told[:-1])
    assert told[-1]["type"] == "http.disconnect"


def test_what_has_come_is_handed_on_while_the_rest_takes_its_time(serve: Serve) -> None:
    came: list[bytes] = []
    has_all = threading.Event()

    async def listen(_: Scope, receive: Receive, send: Send) -> None:
        is_over = False
        while not is_over:
            message = await receive()
            came.append(message["body"])
            is_over = not message["more_body"]
            if b"".join(came) == LARGE[:-1_000_000]:
                has_all.set()
        await reply(send, 200, "thanks")

    with socket.create_connection(serve(guarded(listen)), timeout=TIMEOUT_S) as connection:
        connection.sendall(request("/a", LARGE)[:-1_000_000])
        assert has_all.wait(TIMEOUT_S)
        connection.sendall(LARGE[-1_000_000:])
        read_replies(connection, "thanks")
    assert b"".join(came) == LARGE


def test_bytes_are_handed_on_by_the_megabyte(serve: Serve) -> None:
    """Also where each comes late: small pieces cost the application more than their bytes do."""
    sizes: list[int] = []

    async def listen(_: Scope, receive: Receive, send: Send) -> None:
        is_over = False
        while not is_over:
            message = await receive()
            sizes.append(len(message["body"]))
            is_over = not message["more_body"]
        await reply(send, 200, "thanks")

    data = request("/a", bytes(20 << 20))
    with socket.create_connection(serve(guarded(listen)), timeout=TIMEOUT_S) as connection:
        for start in range(0, len(data), 70_001):
            connection.sendall(data[start : start + 70_001])
        read_replies(connection, "thanks")
    assert sum(sizes) == 20 << 20
    assert len(sizes) < 60  # 22, where no pause of the machine cuts a lot off; 300 were sent


def test_application_that_has_the_whole_body_waits_until_the_client_leaves(serve: Serve) -> None:
    types: list[str] = []
    has_all, has_ended = threading.Event(), threading.Event()

    async def linger(_: Scope, receive: Receive, __: Send) -> None:
        while (await receive())["more_body"]:
            pass
        has_all.set()
        types.append((await receive())["type"])
        has_ended.set()

    with socket.create_connection(serve(guarded(linger)), timeout=TIMEOUT_S) as connection:
        connection.sendall(request("/a", LARGE))
        assert has_all.wait(TIMEOUT_S)
        assert not types
    assert has_ended.wait(TIMEOUT_S)
    assert types == ["http.disconnect"]


def test_client_is_held_back_while_the_application_is_busy(serve: Serve) -> None:
    body = bytes(64 << 20)
    go_on = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        loops.append(asyncio.get_running_loop())
        await go_on.wait()
        await tell_hash(scope, receive, send)

    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        connection.connect(serve(guarded(busy)))
        connection.setblocking(False)
        left = memoryview(request("/a", body))
        while left and select.select([], [connection], [], 2 * STALL_S)[1]:
            left = left[connection.send(left) :]
        assert len(left) > len(body) // 4  # the rest is in the buffers of the system and in ours
        loops[0].call_soon_threadsafe(go_on.set)
        connection.setblocking(True)
        connection.sendall(left)
        read_replies(connection, said("/a", body))


@pytest.mark.parametrize("sent_bytes", [0, 1_500_000])
def test_large_body_that_does_not_go_on_is_refused(serve: Serve, sent_bytes: int) -> None:
    head = request("/a", LARGE).removesuffix(LARGE)
    with socket.create_connection(serve(guarded(tell_hash)), timeout=TIMEOUT_S) as connection:
        connection.sendall(head + LARGE[:sent_bytes])
        came = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert came.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in came


def test_refusal_reaches_a_client_that_still_sends_and_may_go_on(serve: Serve) -> None:
    async def refuse(_: Scope, __: Receive, send: Send) -> None:
        await reply(send, 403, "not you")

    with socket.create_connection(serve(guarded(refuse)), timeout=TIMEOUT_S) as connection:
        for _ in range(2):
            connection.sendall(request("/a", LARGE))
            assert "403" in read_replies(connection, "not you")


class Pourer:
    """Writes bodies to a file as an upload does: what comes fast, through taps."""

    def __init__(self, path: Path, *, fails: bool = False) -> None:
        self._path, self._fails = path, fails
        self.poured_bytes = 0
        self.is_over = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        incoming = Incoming()
        with closing(LandingFile(self._path, "w+")) as file:

            def take(pieces: Iterable[bytes]) -> None:
                for piece in pieces:
                    file.append(piece)

            def pour(tap: Tap) -> int:
                with closing(tap):
                    take(tap.held)
                    came_bytes = sum(tap.pour(file))
                self.poured_bytes += came_bytes
                if self._fails and came_bytes:
                    raise HTTPException(507, "no room")
                return came_bytes

            try:
                past = partial(incoming.pour, scope[INTAKE], pour) if INTAKE in scope else None
                await incoming.feed(Request(scope, receive).stream(), take, past=past)
                digest = hashlib.sha256(b"".join(map(bytes, file.again(0, file.tell()))))
                await reply(send, 200, f"{scope['path']} {INTAKE in scope} {digest.hexdigest()}")
            finally:
                self.is_over.set()


@needs_splice
@pytest.mark.parametrize("loop", ["auto", "asyncio"])
def test_bytes_that_come_fast_are_poured_and_the_next_request_is_served(
    serve: Serve, tmp_path: Path, loop: str
) -> None:
    pourer = Pourer(tmp_path / "file")
    with socket.create_connection(serve(guarded(pourer), loop), timeout=TIMEOUT_S) as connection:
        for path in ("/a", "/b"):
            connection.sendall(request(path, VERY_LARGE))
            read_replies(connection, said(path, VERY_LARGE))
        connection.sendall(request("/c", VERY_LARGE) + request("/d", SMALL))
        came = read_replies(connection, said("/d", SMALL))
    assert said("/c", VERY_LARGE) in came
    assert pourer.poured_bytes > len(VERY_LARGE)


@needs_splice
def test_what_was_poured_before_the_client_left_stays(serve: Serve, tmp_path: Path) -> None:
    pourer = Pourer(tmp_path / "file")
    with socket.create_connection(serve(guarded(pourer)), timeout=TIMEOUT_S) as connection:
        connection.sendall(request("/a", VERY_LARGE)[:-1])
    assert pourer.is_over.wait(TIMEOUT_S)
    assert pourer.poured_bytes
    assert (tmp_path / "file").read_bytes() == VERY_LARGE[:-1]


@needs_splice
def test_body_that_stops_and_goes_on_is_whole(serve: Serve, tmp_path: Path) -> None:
    pourer = Pourer(tmp_path / "file")
    data = memoryview(request("/a", VERY_LARGE))
    with socket.create_connection(serve(guarded(pourer)), timeout=TIMEOUT_S) as connection:
        for start in range(0, len(data), 9_000_000):
            connection.sendall(data[start : start + 9_000_000])
            time.sleep(2 * LINGER_S)  # as long as it takes to give a client up as slow
        read_replies(connection, said("/a", VERY_LARGE))


@needs_splice
def test_request_behind_the_rest_of_a_poured_body_is_answered(serve: Serve, tmp_path: Path) -> None:
    """The rest comes late and slowly, by the stream again; what it has room for is less than before."""
    pourer = Pourer(tmp_path / "file")
    data = request("/a", VERY_LARGE)
    with socket.create_connection(serve(guarded(pourer)), timeout=TIMEOUT_S) as connection:
        connection.sendall(data[:-100_000])
        time.sleep(2 * LINGER_S)
        connection.sendall(data[-100_000:] + request("/b", SMALL))
        came = read_replies(connection, said("/b", SMALL))
    assert said("/a", VERY_LARGE) in came


@needs_splice
def test_body_that_is_refused_when_some_was_poured_is_read_to_its_end(serve: Serve, tmp_path: Path) -> None:
    pourer = Pourer(tmp_path / "file", fails=True)
    with socket.create_connection(serve(guarded(pourer)), timeout=TIMEOUT_S) as connection:
        for _ in range(2):
            connection.sendall(request("/a", VERY_LARGE))
            assert "HTTP/1.1 507 " in read_replies(connection, "no room")
    assert pourer.poured_bytes


@needs_splice
def test_body_that_stops_when_some_was_poured_is_refused(serve: Serve, tmp_path: Path) -> None:
    pourer = Pourer(tmp_path / "file")
    with socket.create_connection(serve(guarded(pourer)), timeout=TIMEOUT_S) as connection:
        connection.sendall(request("/a", VERY_LARGE)[:-1])
        came = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert came.startswith(b"HTTP/1.1 408 ")
    assert pourer.poured_bytes
