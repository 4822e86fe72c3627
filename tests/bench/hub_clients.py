"""Clients that cost next to nothing: one loop over plain sockets, and requests whose bytes were made beforehand."""

from __future__ import annotations

import selectors
import socket
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_RECEIVE_BYTES = 1 << 16
_PATIENCE_S = 120.0  # without any reply; then what is still out counts as failed
_HEAD_END = b"\r\n\r\n"


@dataclass(slots=True)
class Outcome:
    """What came of many requests.

    Attributes:
        seconds: From each request's first byte to its reply's last, of those that were answered with a 2xx.
        failures: The first line of every other reply, or why there was none.
        took_s: From the first request to the last reply.
        client_s: What the clients themselves took of a processor.
    """

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    took_s: float = 0.0
    client_s: float = 0.0

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.seconds) / self.took_s

    @property
    def p99_ms(self) -> float:
        return statistics.quantiles(self.seconds, n=100)[98] * 1000


class Connection:
    """A connection that is kept, with one request at a time on it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=_PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reply = b""
        self._sent_at = 0.0

    def send(self, request: bytes) -> None:
        self._reply = b""
        self._sent_at = time.perf_counter()
        self.socket.sendall(request)

    def close(self) -> None:
        self.socket.close()

    def receive(self) -> tuple[str, float] | None:
        """Take what is there: the reply's status and the seconds that it took, or None while it goes on."""
        piece = self.socket.recv(_RECEIVE_BYTES)
        self._reply += piece
        if piece and not _is_whole(self._reply):
            return None
        line = self._reply.partition(b"\r\n")[0].decode("latin-1")
        return line.partition(" ")[2] if piece else f"closed after {line!r}", time.perf_counter() - self._sent_at


def post(url: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """The bytes of a request."""
    said = {"host": urlsplit(url).netloc, "content-type": "application/json", "content-length": len(body), **headers}
    head = "\r\n".join([f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items())])
    return head.encode() + _HEAD_END + body


def drive(clients: Sequence[tuple[Connection, Iterable[bytes]]], *, seconds: float = float("inf")) -> Outcome:
    """Have each client send its requests, one after the other, until they are over or so many seconds have passed."""
    outcome = Outcome()
    began_at, client_at = time.perf_counter(), time.process_time()
    with selectors.DefaultSelector() as selector:
        for connection, requests in clients:
            _register(selector, connection, iter(requests))
        while selector.get_map():
            ready = selector.select(_PATIENCE_S)
            if not ready:
                outcome.failures += ["no reply"] * len(selector.get_map())
                break
            is_over = time.perf_counter() - began_at > seconds
            for key, _ in ready:
                _go_on(selector, key, outcome, is_over=is_over)
    outcome.took_s, outcome.client_s = time.perf_counter() - began_at, time.process_time() - client_at
    return outcome


def _register(selector: selectors.BaseSelector, connection: Connection, requests: Iterator[bytes]) -> None:
    request = next(requests, None)
    if request is not None:
        selector.register(connection.socket, selectors.EVENT_READ, (connection, requests))
        connection.send(request)


def _go_on(selector: selectors.BaseSelector, key: selectors.SelectorKey, outcome: Outcome, *, is_over: bool) -> None:
    connection, requests = key.data
    try:
        reply = connection.receive()
    except OSError as error:
        reply = (repr(error), 0.0)
    if reply is None:
        return
    status, took_s = reply
    is_good = status.startswith("2")
    if is_good:
        outcome.seconds.append(took_s)
    else:
        outcome.failures.append(status)
    request = None if is_over or not is_good else next(requests, None)
    if request is None:
        selector.unregister(connection.socket)
    else:
        connection.send(request)


def _is_whole(reply: bytes) -> bool:
    head, end, body = reply.partition(_HEAD_END)
    if not end:
        return False
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return len(body) >= int(value)
    return body.endswith(b"0\r\n\r\n")
