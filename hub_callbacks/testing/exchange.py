"""A `FaultHub`'s HTTP: its server, and one exchange of a request for a reply."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hub_callbacks import wire
from hub_callbacks.testing.answer import Answer
from hub_callbacks.testing.form import FileForm

JSON, HTML = "application/json", "text/html"
_BLOCK_BYTES = 1 << 18
_NO_LINGER = struct.pack("ii", 1, 0)  # socket(7), SO_LINGER: close with an RST


class HttpExchange(BaseHTTPRequestHandler):
    """One request and its reply."""

    protocol_version = "HTTP/1.1"
    server: HttpServer

    def handle_one(self) -> None:
        """Have the hub answer."""
        self._left = int(self.headers.get("content-length", 0))
        self.server.exchange(self)

    do_GET = do_HEAD = do_POST = do_PATCH = handle_one  # noqa: N815 - http.server's names

    def pieces(self, size_bytes: int | None = None) -> Iterator[bytes]:
        """The body's next bytes, in blocks; all that are left when no size is given."""
        wanted = self._left if size_bytes is None else min(size_bytes, self._left)
        while wanted:
            piece = self.rfile.read(min(_BLOCK_BYTES, wanted))
            if not piece:
                raise ConnectionAbortedError
            wanted -= len(piece)
            self._left -= len(piece)
            yield piece

    def json(self) -> Any:
        """The body's JSON; None when there is no body.

        Raises:
            ValueError: It is none.
        """
        return json.loads(b"".join(self.pieces()) or b"null")

    def form(self) -> FileForm:
        """The form in the body.

        Raises:
            ValueError: It is none.
        """
        form = FileForm(self.headers.get("content-type", ""))
        for piece in self.pieces():
            form.feed(piece)
        return form

    def drain(self, share: float = 1.0) -> None:
        """Read the body, or that share of it, and forget it."""
        for _ in self.pieces(int(self._left * share)):
            pass

    def serve_in_part(self, share: float) -> None:
        """Do with that share of the body what can be done without the rest: an upload by tus goes on behind it."""
        left = int(self._left * share)
        if self.command == "PATCH" and self.headers.get("content-type") == wire.TUS_CONTENT_TYPE:
            self._left = left
            self.serve()
        else:
            self.drain(share)

    def serve(self) -> Answer:
        """Do what is asked; the reply that is due."""
        return self.server.serve(self)

    def head(self, status: int, size_bytes: int, headers: Mapping[str, str]) -> None:
        """Send the status and headers of a reply of that size."""
        self.send_response(status)
        for name, value in {"content-length": str(size_bytes), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def write(self, data: bytes) -> None:
        """Send bytes of the reply."""
        self.wfile.write(data)

    def say(self, answer: Answer) -> None:
        """Send the status and headers of an answer."""
        self.head(answer.status, len(answer.body), {"content-type": JSON, **answer.headers})

    def raw_head(self, answer: Answer) -> bytes:
        """The status and headers of an answer, as they go over the line."""
        headers = {"content-length": str(len(answer.body)), "content-type": JSON, **answer.headers}
        lines = [f"HTTP/1.1 {answer.status} As asked", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode()

    def answer(self) -> None:
        """Do what is asked, and say so."""
        answer = self.serve()
        self.say(answer)
        if self.command != "HEAD":
            self.write(answer.body)

    def end(self) -> None:
        """Close the connection when this exchange is over."""
        self.close_connection = True

    def reset(self) -> None:
        """Break the connection off, with an RST."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.rfile.close()  # it holds the socket open, too
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
        """Say nothing."""


class HttpServer(ThreadingHTTPServer):
    """Listens on loopback, with a thread for each connection.

    Args:
        port: Where; 0 for a free one.
        exchange: Called with each exchange, to see to it.
        serve: Called by an exchange, to do what is asked.
    """

    request_queue_size = 64

    def __init__(
        self, port: int, exchange: Callable[[HttpExchange], None], serve: Callable[[HttpExchange], Answer]
    ) -> None:
        super().__init__(("127.0.0.1", port), HttpExchange)
        self.exchange, self.serve = exchange, serve
        self._connections: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections from now on, and break off those that there are."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):  # its thread was faster
                connection.shutdown(socket.SHUT_RDWR)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Note the connection."""
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that have gone."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)
