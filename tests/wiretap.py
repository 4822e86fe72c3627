"""What goes to a hub, as a network between would see it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest


class Wiretap:
    """Stands before a hub, lets every byte through, and keeps those that go to it.

    Attributes:
        url: Where clients are to send what is for the hub.
    """

    def __init__(self, hub_url: str) -> None:
        address = urlsplit(hub_url)
        self._hub = (str(address.hostname), int(address.port or 0))
        self._heard: list[bytearray] = []
        self._clients: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._start(self._accept)

    def has_heard(self, content: bytes) -> bool:
        """Whether these bytes have gone to the hub, on any connection."""
        return any(content in heard for heard in self._heard)

    def close(self) -> None:
        with self._server:
            self._server.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for client in self._clients:
            _shut(client)
        for thread in self._threads:
            thread.join()

    def _start(self, target: Callable[..., None], *args: Any) -> threading.Thread:
        thread = threading.Thread(target=target, args=args)
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                client, _ = self._server.accept()
                self._clients.append(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        self._heard.append(heard := bytearray())
        with client, socket.create_connection(self._hub) as hub:
            back = self._start(_pass, hub, client, bytearray())
            _pass(client, hub, heard)
            back.join()


def _pass(source: socket.socket, target: socket.socket, heard: bytearray) -> None:
    with contextlib.suppress(OSError):  # one of the two has gone
        while data := source.recv(1 << 16):
            heard.extend(data)
            target.sendall(data)
    _shut(target)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is closed
        connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def tap() -> Iterator[Callable[[str], Wiretap]]:
    """Put a wiretap before the hub at a URL."""
    with ExitStack() as stack:

        def start(hub_url: str) -> Wiretap:
            return stack.enter_context(contextlib.closing(Wiretap(hub_url)))

        yield start
