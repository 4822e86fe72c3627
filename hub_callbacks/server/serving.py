"""Serving a folder's hub: for a team, until it is stopped, or as the local hub, until nobody needs it."""

from __future__ import annotations

import contextlib
import gc
import math
import os
import signal
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from hub_callbacks.kinds import LogForm
from hub_callbacks.server.app import create_app
from hub_callbacks.server.connections import PatientProtocol
from hub_callbacks.server.folder import HubFolder, HubInUseError, Place, ServeError, open_folder
from hub_callbacks.server.guard import LOOPBACK_HOSTS, Activity
from hub_callbacks.server.limits import DEFAULTS, Limits
from hub_callbacks.server.listening import (
    LOOPBACK,
    answers,
    is_loopback,
    last_port,
    listen,
    listen_beside,
    local_url,
    public_url,
    reserve,
)
from hub_callbacks.server.observing import counted_together, log_access
from hub_callbacks.server.store.database import is_sqlite
from hub_callbacks.server.upkeep import upkeep
from hub_callbacks.server.workers import Line, Workers
from hub_callbacks.wire import LocalHub

_HANDOVER_S: Final = 10.0  # a hub that is stopping, or just starting, is done by then
_KEEP_ALIVE_S: Final = 75  # above the clients' pauses between two requests
_LATE_S: Final = 10.0  # what a worker takes to stop beyond the wait for its requests


def serve(
    place: Place,
    *,
    host: str,
    port: int,
    announce: Callable[[str], None],
    limits: Limits = DEFAULTS,
    access_log: LogForm = "off",
    workers: int = 1,
) -> None:
    """Serve a hub until SIGINT or SIGTERM.

    The first time it makes an admin's key. The key is stored hashed: it can be read only in what is announced.

    Args:
        place: Where the hub keeps what it has.
        host: Address to listen on; 0.0.0.0 for all of IPv4.
        port: Port to listen on; 0 for any.
        announce: Takes the lines for the operator, once the hub listens.
        limits: What it takes and keeps at most.
        access_log: How each request is logged on standard output.
        workers: Processes that serve it, on one port; only PostgreSQL can be shared by several.

    Raises:
        BucketError: The bucket cannot be used.
        HubInUseError: Another process serves this folder.
        StoreError: The store cannot be opened.
        ServeError: The address cannot be listened on, the folder cannot be made, or the workers cannot share the store.
        WorkerError: A worker ended before it served.
    """
    if workers > 1 and is_sqlite(place.database_url):
        raise ServeError(f"On SQLite a hub is one process. For {workers} workers, name a PostgreSQL (--database-url).")
    with place.open() as folder, listen(host, [port]) if workers == 1 else reserve(host, port) as listener:
        port = listener.getsockname()[1]

        def ready() -> None:
            _write_note(folder, local_url(host, port))
            announce(f"Hub at {public_url(host, port)}")
            if key := folder.first_key():
                announce(f"Admin key, shown this once: {key}")
            if workers > 1:
                _check_connections(folder, workers, announce)

        named = {name.lower() for name in limits.hosts}
        hosts = LOOPBACK_HOSTS | named if named or is_loopback(host) else frozenset[str]()
        if workers == 1:
            log_access(access_log)
            _run(folder, listener, hosts=hosts, limits=limits, on_ready=ready)
        else:
            work = partial(_work, place, listener, hosts=hosts, limits=limits, access_log=access_log)
            _run_workers(workers, work, on_ready=ready, stop_s=limits.stop_s)


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
            open_folder(data_dir, wait_s=0.0 if answers(last) else _HANDOVER_S) as folder,
            listen(LOOPBACK, [port or None, last_port(last), 0]) as listener,
        ):
            url = local_url(LOOPBACK, listener.getsockname()[1])
            activity = Activity()
            _run(
                folder,
                listener,
                hosts=LOOPBACK_HOSTS,
                limits=limits,
                on_ready=lambda: _write_note(folder, url),
                is_over=lambda: activity.idle_s() >= idle_s,
                activity=activity,
            )
    except HubInUseError:
        return  # that one is the local hub


def _run_workers(count: int, work: Callable[[Line], None], *, on_ready: Callable[[], None], stop_s: float) -> None:
    stop = threading.Event()
    with counted_together() as forget, _on_signal(lambda *_: stop.set()):
        workers = Workers(count, work, stop_s=stop_s + _LATE_S, on_death=forget)
        workers.run(on_ready=on_ready, is_over=stop.is_set)


def _check_connections(folder: HubFolder, workers: int, announce: Callable[[str], None]) -> None:
    each, granted = folder.store.database.connections()
    if workers * each >= granted:
        announce(
            f"PostgreSQL grants {granted} connections, and {workers} workers may want {workers * each}: raise its "
            "max_connections, or name fewer workers."
        )


def _work(
    place: Place, reserved: socket.socket, line: Line, *, hosts: Collection[str], limits: Limits, access_log: LogForm
) -> None:
    """What one of several workers does."""
    log_access(access_log)
    with place.open() as folder, reserved, listen_beside(reserved) as listener:
        _run(folder, listener, hosts=hosts, limits=limits, on_ready=line.say_ready, is_over=line.is_cut)


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it is ready and stops when it is over."""

    def __init__(self, config: uvicorn.Config, *, on_ready: Callable[[], None], is_over: Callable[[], bool]) -> None:
        super().__init__(config)
        self._on_ready, self._is_over = on_ready, is_over

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM, and return: uvicorn would raise the signal again, and end us with files open."""
        with _on_signal(self.handle_exit):
            yield

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._is_over()


def _run(
    folder: HubFolder,
    listener: socket.socket,
    *,
    hosts: Collection[str],
    limits: Limits,
    on_ready: Callable[[], None],
    is_over: Callable[[], bool] = lambda: False,
    activity: Activity | None = None,
) -> None:
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
    app = create_app(folder.store, folder.blobs, hosts=hosts, activity=activity, limits=limits)
    server = _Server(uvicorn.Config(app, **config), on_ready=on_ready, is_over=is_over)
    gc.collect()
    gc.freeze()  # what is there by now stays: each look through all of it would stop the hub for a fifth of a second
    with upkeep(app.state.hub):
        server.run(sockets=[listener])


@contextlib.contextmanager
def _on_signal(handle: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Have that called at SIGINT and SIGTERM until the block ends; not beside the main thread, which alone may ask."""
    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, handle) for number in (HANDLED_SIGNALS if is_main else ())}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write_note(folder: HubFolder, url: str) -> None:
    folder.note(url, os.getpid()).write(folder.data_dir)
