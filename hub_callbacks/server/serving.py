"""Serving a folder's hub: for a team, until it is stopped, or as the local hub, until nobody needs it."""

from __future__ import annotations

import contextlib
import gc
import ipaddress
import math
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from hub_callbacks.server.app import create_app
from hub_callbacks.server.connections import PatientProtocol
from hub_callbacks.server.folder import HubFolder, HubInUseError, ServeError, open_folder
from hub_callbacks.server.guard import LOOPBACK_HOSTS, Activity
from hub_callbacks.server.limits import DEFAULTS, Limits
from hub_callbacks.server.upkeep import upkeep
from hub_callbacks.wire import LocalHub

LOOPBACK = "127.0.0.1"
_HANDOVER_S = 10.0  # a hub that is stopping, or just starting, is done by then
_KEEP_ALIVE_S = 75  # above the clients' pauses between two requests
_BACKLOG = 256
_RECEIVED_BYTES = 2 << 20  # of a connection, which Linux doubles; 20 MB a second over a line of 100 ms
_MOST_RECEIVED = Path("/proc/sys/net/core/rmem_max")


def serve(
    *,
    host: str,
    port: int,
    data_dir: Path,
    announce: Callable[[str], None],
    database_url: str = "",
    blobs_url: str = "",
    limits: Limits = DEFAULTS,
) -> None:
    """Serve the hub of a data folder until SIGINT or SIGTERM.

    The first time it makes an admin's key. The key is stored hashed: it can be read only in what is announced.

    Args:
        host: Address to listen on; 0.0.0.0 for all of IPv4.
        port: Port to listen on; 0 for any.
        data_dir: The folder under which everything local lies.
        announce: Takes the lines for the operator, once the hub listens.
        database_url: Where its store is; a file in the folder when empty.
        blobs_url: The bucket of its files; a folder in the folder when empty.
        limits: What it takes and keeps at most.

    Raises:
        BucketError: The bucket cannot be used.
        HubInUseError: Another process serves this folder.
        StoreError: The store cannot be opened.
        ServeError: The address cannot be listened on, or the folder cannot be made.
    """
    with (
        open_folder(data_dir, database_url=database_url, blobs_url=blobs_url) as folder,
        _listen(host, [port]) as listener,
    ):
        port = listener.getsockname()[1]

        def ready() -> None:
            _write_note(folder, _url(_reachable(host), port))
            announce(f"Hub at {_url(_public(host), port)}")
            if key := folder.first_key():
                announce(f"Admin key, shown this once: {key}")

        named = {name.lower() for name in limits.hosts}
        hosts = LOOPBACK_HOSTS | named if named or _is_loopback(host) else ()
        _run(folder, listener, hosts=hosts, on_ready=ready, limits=limits)


def serve_local(*, port: int, data_dir: Path, idle_s: float, limits: Limits = DEFAULTS) -> None:
    """Serve the local hub of a data folder on loopback until it was idle so long.

    It listens on ``port`` (0 when it does not matter), else where it listened last, else on any. It returns at once
    when another process serves the folder.

    Raises:
        ServeError: The folder cannot be made.
    """
    last = LocalHub.read(data_dir)
    try:
        with (
            open_folder(data_dir, wait_s=0.0 if _answers(last) else _HANDOVER_S) as folder,
            _listen(LOOPBACK, [port or None, _port(last), 0]) as listener,
        ):
            url = _url(LOOPBACK, listener.getsockname()[1])

            def ready() -> None:
                _write_note(folder, url)

            _run(folder, listener, hosts=LOOPBACK_HOSTS, on_ready=ready, idle_s=idle_s, limits=limits)
    except HubInUseError:
        return  # that one is the local hub


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it is ready and stops when it is idle."""

    def __init__(
        self, config: uvicorn.Config, *, on_ready: Callable[[], None], activity: Activity, idle_s: float | None
    ) -> None:
        super().__init__(config)
        self._on_ready, self._activity, self._idle_s = on_ready, activity, idle_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM, and return: uvicorn would raise the signal again, and end us with files open."""
        is_main = threading.current_thread() is threading.main_thread()  # no other thread may set them
        signals = HANDLED_SIGNALS if is_main else ()
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def on_tick(self, counter: int) -> bool:
        is_idle = self._idle_s is not None and self._activity.idle_s() >= self._idle_s
        return await super().on_tick(counter) or is_idle


def _run(
    folder: HubFolder,
    listener: socket.socket,
    *,
    hosts: Iterable[str],
    on_ready: Callable[[], None],
    idle_s: float | None = None,
    limits: Limits = DEFAULTS,
) -> None:
    activity = Activity()
    config: dict[str, Any] = {
        "log_level": "warning",
        "access_log": False,  # its lines hold query strings, and those hold tokens
        "lifespan": "off",
        "ws": "none",
        "http": PatientProtocol,
        "server_header": False,
        "timeout_keep_alive": _KEEP_ALIVE_S,
        "timeout_graceful_shutdown": math.ceil(limits.stop_s),
    }
    app = create_app(folder.store, folder.blobs, hosts=frozenset(hosts), activity=activity, limits=limits)
    server = _Server(uvicorn.Config(app, **config), on_ready=on_ready, activity=activity, idle_s=idle_s)
    gc.collect()
    gc.freeze()  # what is there by now stays: each look through all of it would stop the hub for a fifth of a second
    with upkeep(app.state.hub):
        server.run(sockets=[listener])


def _write_note(folder: HubFolder, url: str) -> None:
    folder.note(url, os.getpid()).write(folder.data_dir)


def _listen(host: str, ports: Iterable[int | None]) -> socket.socket:
    """A listening socket on the first port that is free.

    Raises:
        ServeError: None is.
    """
    problem: OSError | None = None
    for port in ports:
        if port is None:
            continue
        try:
            return _bind(host, port)
        except OSError as error:
            problem = error
    raise ServeError(f"The hub cannot listen on {host!r}, ports {list(ports)}: {problem}.")


def _bind(host: str, port: int) -> socket.socket:
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, proto)
    try:
        if os.name == "posix":  # on Windows it would let two processes share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _limit_received(listener)
        listener.bind(address)
        listener.listen(_BACKLOG)  # until then, Linux lets another process bind the same port
    except OSError:
        listener.close()
        raise
    return listener


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


def _answers(hub: LocalHub | None) -> bool:
    port = _port(hub)
    if port is None:
        return False
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0):
            return True
    except OSError:
        return False


def _port(hub: LocalHub | None) -> int | None:
    try:
        return urlsplit(hub.url).port if hub else None
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_wildcard(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host).is_unspecified


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _reachable(host: str) -> str:
    """Where processes of this machine reach a hub that listens there."""
    if _is_wildcard(host):
        return "::1" if ":" in host else LOOPBACK
    return host


def _public(host: str) -> str:
    """Where others reach it."""
    return socket.gethostname() if _is_wildcard(host) else host


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
