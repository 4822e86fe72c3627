"""Time-outs that hold.

The read time-out of ``requests`` begins anew with every byte: a reply that trickles never ends. Its time-out for
connecting is also that of every write: a hub that stands still for a moment costs the upload. Here the read time-out is
for a reply as a whole, and a write has one of its own.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Iterable
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

WRITE_TIMEOUT_S = 60.0  # for one write: a hub that pauses, a network that changes
WRITE_BYTES = 1 << 18  # of one write: with the time-out, a line of 5 kB/s will do
MOST_REPLY_BYTES = 16 << 20  # far more than a hub says; less than what would hurt


def new_session() -> requests.Session:
    """A session whose read time-out is for the whole reply, head and body, counted from the end of the request."""
    session = requests.Session()
    session.mount("http://", _Adapter())
    session.mount("https://", _Adapter())
    return session


class _Reader(io.RawIOBase):
    """Reads a socket as long as its time-out says in all, and no more than `MOST_REPLY_BYTES`.

    Attributes:
        is_over: Whether the other side has sent all that it will.
    """

    def __init__(self, raw: io.RawIOBase, connection: socket.socket) -> None:
        self._raw = raw
        self._connection = connection
        self._limit_s = connection.gettimeout()
        self._began_at = time.monotonic()
        self._read_bytes = 0
        self.is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._limit_s is not None:
            left_s = self._limit_s - (time.monotonic() - self._began_at)
            if left_s <= 0:
                raise TimeoutError(f"the reply was not complete in {self._limit_s:g} s")
            self._connection.settimeout(left_s)
        count = self._raw.readinto(buffer)
        self._read_bytes += count or 0
        self.is_over = count == 0
        if self._read_bytes > MOST_REPLY_BYTES:
            raise OSError(f"the reply is longer than {MOST_REPLY_BYTES} bytes")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._reader = _Reader(self.fp.detach(), sock)
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        """Read the head, which must be whole: http.client takes half an ``Upload-Offset`` for a smaller one."""
        super().begin()
        if self._reader.is_over:
            raise http.client.HTTPException("the head of the reply is cut off")


class _Timed:
    """A connection of urllib3, which sets the socket's time-out to the one for reading before it makes the response."""

    response_class: Any = _Response
    sock: socket.socket | None

    def send(self, data: Any) -> None:
        for piece in _pieces(data):
            if self.sock is not None:
                self.sock.settimeout(WRITE_TIMEOUT_S)
            super().send(piece)  # type: ignore[misc]  # of the connection that this is mixed into


def _pieces(data: Any) -> Iterable[Any]:
    """Bytes in pieces, since a socket's time-out is for all that is sent at once; anything else as it is."""
    if not isinstance(data, bytes) or len(data) <= WRITE_BYTES:
        return (data,)
    whole = memoryview(data)
    return (whole[start : start + WRITE_BYTES] for start in range(0, len(data), WRITE_BYTES))


class _Http(_Timed, HTTPConnection):
    pass


class _Https(_Timed, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self.poolmanager.pool_classes_by_scheme
        return manager
