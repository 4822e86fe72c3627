"""Where a hub listens: its socket, and the names under which others reach it."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hub_callbacks.server.folder import ServeError
from hub_callbacks.wire import LocalHub

LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 256
_RECEIVED_BYTES: Final = 2 << 20  # of a connection, which Linux doubles; 20 MB a second over a line of 100 ms
_DEALS: Final = sys.platform == "linux"  # the system deals connections out to all sockets on a port (socket(7))
_MOST_RECEIVED: Final = Path("/proc/sys/net/core/rmem_max")


def listen(host: str, ports: Iterable[int | None]) -> socket.socket:
    """A listening socket on the first port that is free.

    Raises:
        ServeError: None is.
    """
    problem: OSError | None = None
    for port in ports:
        if port is None:
            continue
        try:
            return _listening(_bind(host, port))
        except OSError as error:
            problem = error
    raise ServeError(f"The hub cannot listen on {host!r}, ports {list(ports)}: {problem}.")


def reserve(host: str, port: int) -> socket.socket:
    """A port for processes that `listen_beside` each other.

    Raises:
        ServeError: It is not free.
    """
    listener = listen(host, [port])
    if not _DEALS:
        return listener
    with listener:  # that nobody else listens there is known now, and no more once the port can be shared
        port = listener.getsockname()[1]
    return _bind(host, port, is_shared=True)


def listen_beside(reserved: socket.socket) -> socket.socket:
    """A listening socket on that port, which gets its share of the connections; where there is no such thing, that one.

    Of several processes that wait at one socket, the first to wake takes nearly all connections, and keeps them.
    """
    if not _DEALS:
        return reserved
    host, port = reserved.getsockname()[:2]
    return _listening(_bind(host, port, is_shared=True))


def _bind(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, proto)
    try:
        if os.name == "posix":  # on Windows it would let two processes share the port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _limit_received(bound)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def _listening(bound: socket.socket) -> socket.socket:
    try:
        bound.listen(_BACKLOG)  # until then, Linux lets another process bind the same port
    except OSError:
        bound.close()
        raise
    return bound


def _limit_received(listener: socket.socket) -> None:
    """Have the system take little of an upload ahead of us: what it holds when we are killed has to come again.

    Linux lets it grow to its own limit, which may be many chunks of an upload (`wire.TUS_CHUNK_BYTES`). Where ours
    would be cut down to less, as on a system with Linux's defaults, it is left alone: its limit is 6 MB then.
    """
    try:
        may_be_set = int(_MOST_RECEIVED.read_text()) >= _RECEIVED_BYTES
    except (OSError, ValueError):  # another system
        return
    if may_be_set:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED_BYTES)


def answers(hub: LocalHub | None) -> bool:
    """Whether something listens where that note says."""
    port = last_port(hub)
    if port is None:
        return False
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0):
            return True
    except OSError:
        return False


def last_port(hub: LocalHub | None) -> int | None:
    """The port of that note, None without one."""
    try:
        return urlsplit(hub.url).port if hub else None
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether nobody else can reach a hub that listens there."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def local_url(host: str, port: int) -> str:
    """Where processes of this machine reach a hub that listens there."""
    loopback = "::1" if ":" in host else LOOPBACK
    return _url(loopback if _is_wildcard(host) else host, port)


def public_url(host: str, port: int) -> str:
    """Where others reach it."""
    return _url(socket.gethostname() if _is_wildcard(host) else host, port)


def _is_wildcard(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_unspecified


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
