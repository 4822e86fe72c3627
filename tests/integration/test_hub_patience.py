"""Clients that stall, and how the hub stops."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from hub_callbacks import wire
from hub_callbacks.server.app import create_app
from hub_callbacks.server.folder import open_folder
from hub_callbacks.server.guard import Activity, Guard
from hub_callbacks.server.limits import Limits

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from tests.hubs import HubServer

STALL_S = 0.5
TIMEOUT_S = 30
LOOPBACK = "127.0.0.1"


@pytest.fixture
def hub_address(serve: Callable[[ASGIApp], tuple[str, int]], tmp_path: Path) -> Iterator[tuple[tuple[str, int], str]]:
    """A hub with little patience, and a key of it."""
    with open_folder(tmp_path) as folder:
        key = folder.first_key()
        assert key is not None
        yield serve(create_app(folder.store, folder.blobs, limits=Limits(stall_s=STALL_S))), key


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@pytest.mark.parametrize("start", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_connection_whose_request_does_not_begin_is_closed(
    hub_address: tuple[tuple[str, int], str], start: bytes
) -> None:
    with socket.create_connection(hub_address[0], timeout=TIMEOUT_S) as connection:
        connection.sendall(start)
        assert read_all(connection) == b""


def test_second_request_must_come_whole_too(hub_address: tuple[tuple[str, int], str]) -> None:
    request = f"GET {wire.HEALTH} HTTP/1.1\r\nHost: {LOOPBACK}\r\n\r\n".encode()
    with socket.create_connection(hub_address[0], timeout=TIMEOUT_S) as connection:
        connection.sendall(request)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
        connection.sendall(request[:-2])
        assert b"HTTP/1.1" not in read_all(connection)


def test_answer_that_takes_long_is_not_given_up_for_what_comes_meanwhile(
    serve: Callable[[ASGIApp], tuple[str, int]],
) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    async def slow(_: Scope, __: Receive, send: Send) -> None:
        asked.set()
        await asyncio.to_thread(may_answer.wait, TIMEOUT_S)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    with socket.create_connection(serve(slow), timeout=TIMEOUT_S) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert asked.wait(TIMEOUT_S)
        connection.sendall(b"GET / HTTP/1.1\r\n")
        connection.settimeout(3 * STALL_S)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(TIMEOUT_S)
        may_answer.set()
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 204")


@pytest.mark.parametrize(
    ("path", "status"), [(wire.MODELS, b"408"), (wire.upload("x" * 20), b"404"), ("/v1/nothing", b"404")]
)
def test_body_that_does_not_go_on_is_answered_as_json(
    hub_address: tuple[tuple[str, int], str], path: str, status: bytes
) -> None:
    address, key = hub_address
    head = f"POST {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nx-api-key: {key}\r\nContent-Length: 1000\r\n"
    kind = "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    with socket.create_connection(address, timeout=TIMEOUT_S) as connection:
        connection.sendall(f"{head}{kind}half".encode())
        reply, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert (reply.split()[1], json.loads(body)["success"]) == (status, False)


def test_body_that_is_slow_and_goes_on_is_taken(hub_address: tuple[tuple[str, int], str]) -> None:
    address, key = hub_address
    body = json.dumps({"meta": {"name": "slow"}}).encode()
    head = f"POST {wire.MODELS} HTTP/1.1\r\nHost: {LOOPBACK}\r\nx-api-key: {key}\r\nConnection: close\r\n"
    pause = threading.Event()
    with socket.create_connection(address, timeout=TIMEOUT_S) as connection:
        connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        for start in range(0, len(body), 4):
            connection.sendall(body[start : start + 4])
            pause.wait(STALL_S / 4)
        assert read_all(connection).startswith(b"HTTP/1.1 200")


def test_reply_that_is_not_read_is_given_up(serve: Callable[[ASGIApp], tuple[str, int]]) -> None:
    given_up = threading.Event()

    async def endless(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
        finally:
            given_up.set()

    address = serve(Guard(endless, activity=Activity(), limits=Limits(stall_s=STALL_S)))
    with socket.create_connection(address, timeout=TIMEOUT_S) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert given_up.wait(TIMEOUT_S)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to handle")
def test_hub_that_is_told_to_stop_ends_what_it_is_at_and_folds_its_store(
    start_hub: Callable[[Path], HubServer], tmp_path: Path
) -> None:
    hub = start_hub(tmp_path)
    body = json.dumps({"meta": {"name": "last"}}).encode()
    address = urlsplit(hub.url)
    head = f"POST {wire.MODELS} HTTP/1.1\r\nHost: {address.netloc}\r\nx-api-key: {hub.key}\r\n"
    with socket.create_connection((LOOPBACK, int(address.port or 0)), timeout=TIMEOUT_S) as connection:
        connection.sendall(f"{head}Content-Type: application/json\r\nExpect: 100-continue\r\n".encode())
        connection.sendall(f"Content-Length: {len(body)}\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")  # it waits for the body
        hub.process.send_signal(signal.SIGTERM)
        connection.sendall(body)
        assert read_all(connection).startswith(b"HTTP/1.1 200")
    assert hub.process.wait(TIMEOUT_S) == 0
    assert not (tmp_path / "hub" / "hub.db-wal").exists()
