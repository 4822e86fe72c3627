"""No reply and no stall holds a courier up for longer than the time-out says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from hub_callbacks import wire
from hub_callbacks.errors import UnreachableError
from hub_callbacks.testing import FaultHub
from hub_callbacks.transport import HubApi, timeouts
from hub_callbacks.transport.http import request
from hub_callbacks.transport.timeouts import MOST_REPLY_BYTES, new_session

READ_TIMEOUT_S = 0.5
GIVEN_UP = r"timed out|not complete in 0\.5 s"  # within the last read, or between two


@pytest.fixture
def hub() -> Iterator[FaultHub]:
    with FaultHub() as hub:
        yield hub


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with new_session() as session:
        yield session


def listen(reply: bytes, *, then: bytes = b"", interval_s: float = 0.0) -> tuple[str, threading.Thread]:
    """Answer one connection with bytes, and then with others as long as it is open."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with server, server.accept()[0] as connection:
            connection.recv(65536)
            try:
                connection.sendall(reply)
                while then:
                    connection.sendall(then)
                    time.sleep(interval_s)
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    return f"http://127.0.0.1:{server.getsockname()[1]}/v1/hub", thread


def test_reply_that_trickles_is_given_up_in_time(hub: FaultHub, session: requests.Session) -> None:
    hub.trickle(interval_s=0.1)
    started_at = time.monotonic()
    with pytest.raises(UnreachableError, match=GIVEN_UP):
        request(session, "GET", hub.url + wire.HUB, timeout=(5, READ_TIMEOUT_S))
    assert READ_TIMEOUT_S <= time.monotonic() - started_at < 5
    hub.heal()
    assert request(session, "GET", hub.url + wire.HUB, timeout=(5, READ_TIMEOUT_S))["name"] == "FaultHub"


def test_head_that_trickles_is_given_up_in_time(session: requests.Session) -> None:
    url, thread = listen(b"HTTP/1.1 200 OK\r\nx-endless: ", then=b"x", interval_s=0.1)
    with pytest.raises(UnreachableError, match=GIVEN_UP):
        request(session, "GET", url, timeout=(5, READ_TIMEOUT_S))
    thread.join(60)


def test_silence_is_given_up_in_time(hub: FaultHub, session: requests.Session) -> None:
    hub.hang()
    started_at = time.monotonic()
    with pytest.raises(UnreachableError, match="timed out"):
        request(session, "GET", hub.url + wire.HUB, timeout=(5, READ_TIMEOUT_S))
    assert time.monotonic() - started_at < 5


def test_reply_without_an_end_does_not_fill_the_memory(session: requests.Session) -> None:
    url, thread = listen(b"HTTP/1.1 200 OK\r\n\r\n", then=b"x" * (1 << 20))
    with pytest.raises(UnreachableError, match=f"longer than {MOST_REPLY_BYTES} bytes"):
        request(session, "GET", url)
    thread.join(60)


def test_time_out_of_one_request_is_not_that_of_the_next(hub: FaultHub, session: requests.Session) -> None:
    request(session, "GET", hub.url + wire.HUB, timeout=(5, READ_TIMEOUT_S))
    hub.trickle(interval_s=0.01)
    assert request(session, "GET", hub.url + wire.HUB, timeout=(5, 60))["name"] == "FaultHub"  # over a second


def test_hub_that_trickles_is_not_reachable(hub: FaultHub) -> None:
    hub.trickle()
    api = HubApi(hub.url, "")
    assert not api.is_reachable(timeout_s=READ_TIMEOUT_S)
    api.close()


REPLY = b'HTTP/1.1 200 OK\r\ncontent-length: 52\r\n\r\n{"success": true, "message": "", "data": "got it"}  '


def take(size_bytes: int, *, first_s: float = 0.0, block_s: float = 0.0) -> tuple[str, threading.Thread]:
    """Take a body of that size, with a pause before it, or one before each 64 KiB of it."""
    server = socket.create_server(("127.0.0.1", 0))
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)

    def serve() -> None:
        with server, server.accept()[0] as connection, connection.makefile("rb") as reader:
            while reader.readline().strip():
                pass
            time.sleep(first_s)
            left = size_bytes
            while left and (block := reader.read(min(left, 1 << 16))):
                left -= len(block)
                time.sleep(block_s)
            connection.sendall(REPLY)

    thread = threading.Thread(target=serve)
    thread.start()
    return f"http://127.0.0.1:{server.getsockname()[1]}/", thread


def test_stall_within_a_body_may_be_longer_than_connecting(tmp_path: Path, session: requests.Session) -> None:
    """urllib3 has the time-out for connecting count for sending, too: a hub that stands still would cost the upload."""
    body = tmp_path / "body"
    body.write_bytes(b"x" * (32 << 20))  # more than the sockets' buffers take
    url, thread = take(body.stat().st_size, first_s=1.0)
    with body.open("rb") as file:
        assert request(session, "POST", url, data=file, timeout=(0.3, 60)) == "got it"
    thread.join(60)


def test_slow_line_takes_a_large_body(session: requests.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time-out of a socket is for the whole of what is sent at once (``socket.sendall``)."""
    monkeypatch.setattr(timeouts, "WRITE_TIMEOUT_S", 1.0)
    size_bytes = 16 << 20
    url, thread = take(size_bytes, block_s=0.01)  # 2.5 s
    assert request(session, "POST", url, data=b"x" * size_bytes) == "got it"
    thread.join(60)
