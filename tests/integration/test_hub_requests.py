"""Requests that are none, or that could be read as two: the hub refuses them, and closes the connection."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from hub_callbacks import wire
from hub_callbacks.server.connections import PatientProtocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.hubs import HubServer

TIMEOUT_S = 30
HOST = b"Host: localhost\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
HIDDEN = f"GET {wire.HUB} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@pytest.fixture(scope="module")
def hub(start_hub: Callable[[Path], HubServer], tmp_path_factory: pytest.TempPathFactory) -> HubServer:
    """A hub on SQLite alone: no store is asked what a request is."""
    return start_hub(tmp_path_factory.mktemp("requests"))


def connect(hub: HubServer) -> socket.socket:
    address = urlsplit(hub.url)
    return socket.create_connection((address.hostname, address.port or 0), timeout=TIMEOUT_S)


def converse(hub: HubServer, *parts: bytes) -> bytes:
    """All that the hub says to what is sent, until it closes the connection."""
    with connect(hub) as connection:
        for part in parts:
            connection.sendall(part)
        return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def statuses(said: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.1 ([0-9]+)", said)


@pytest.mark.parametrize(
    "request_",
    [
        b"no request\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/2.0\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Name : value\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Name: value\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Name: \0\r\n\r\n",
        b"GET / HTTP/1.1\n" + HOST + b"\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +4\r\n\r\n" + HIDDEN,
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4, 0\r\n\r\n" + HIDDEN,
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\nContent-Length: 4\r\n\r\n" + HIDDEN,
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + HIDDEN,
        b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + b"Content-Length: 4\r\n\r\n0\r\n\r\n" + HIDDEN,
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" + HIDDEN,
        b"POST / HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n0\r\n\r\n" + HIDDEN,
        b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n0x4\r\nabcd\r\n0\r\n\r\n" + HIDDEN,
        b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n4\nabcd\r\n0\r\n\r\n" + HIDDEN,
        b"POST / HTTP/1.1\r\n"
        + HOST
        + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN)
        + HIDDEN,
    ],
)
def test_what_is_no_request_is_refused_and_nothing_behind_it_is_read(hub: HubServer, request_: bytes) -> None:
    assert statuses(converse(hub, request_)) == [b"400"]
    assert hub.send("GET", wire.HUB).status_code == 200


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nName: ", b"GET / HTTP/1.1\r\n" + HOST + b"Name: "])
def test_head_without_end_is_refused(hub: HubServer, start: bytes) -> None:
    said = converse(hub, start.ljust(PatientProtocol.silent_bytes + 1, b"x"))
    assert statuses(said) == [b"400"]


def test_trailers_without_end_are_refused(hub: HubServer) -> None:
    head = f"POST {wire.MODELS} HTTP/1.1\r\nExpect: 100-continue\r\n".encode() + HOST + CHUNKED + b"\r\n"
    line = b"Name: " + b"x" * 1000 + b"\r\n"
    with connect(hub) as connection:
        connection.sendall(head)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 100")
        connection.sendall((b"0\r\n" + line * PatientProtocol.silent_bytes)[: PatientProtocol.silent_bytes + 1])
        assert statuses(read_all(connection)) == [b"400"]


def test_trailer_is_no_header(hub: HubServer) -> None:
    body = json.dumps({"meta": {"name": "by trailer"}}).encode()
    head = f"POST {wire.MODELS} HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\n".encode()
    chunks = b"%x\r\n%s\r\n0\r\n" % (len(body), body)
    trailer = f"{wire.API_KEY_HEADER}: {hub.key}\r\n\r\n".encode()
    said = converse(hub, head + HOST + CHUNKED + b"\r\n", chunks + trailer)
    assert statuses(said) == [b"401"]


def test_offer_of_another_protocol_is_ignored_and_the_connection_closed(hub: HubServer) -> None:
    head = f"GET {wire.HUB} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n".encode() + HOST + b"\r\n"
    assert statuses(converse(hub, head + HIDDEN)) == [b"200"]


def test_requests_that_come_at_once_are_answered_in_turn(hub: HubServer) -> None:
    missing = b"GET /v1/nothing HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
    assert statuses(converse(hub, HIDDEN + b"\r\n" + HIDDEN + missing + HIDDEN)) == [b"200", b"200", b"404"]


def test_body_in_chunks_is_read_whole(hub: HubServer) -> None:
    body = json.dumps({"meta": {"name": "in chunks"}}).encode()
    head = f"POST {wire.MODELS} HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\n".encode()
    key = f"{wire.API_KEY_HEADER}: {hub.key}\r\n\r\n".encode()
    chunks = [b"1;extension=1\r\n%c\r\n" % byte for byte in body]
    assert statuses(converse(hub, head + HOST + CHUNKED + key, *chunks, b"0\r\n\r\n")) == [b"200"]
