"""The hub of a round: one that is served for all, or the local one that the courier starts by itself."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Protocol

import actors
from hub_callbacks.courier import local_hub
from hub_callbacks.server.listening import LOOPBACK
from hub_callbacks.wire import LocalHub

_START_S = 120.0  # of an interpreter on a machine that is busy with other rounds


class RoundHub(Protocol):
    """What a round wants of its hub."""

    def start(self) -> None:
        """Let it be there, also again after it was killed."""

    def process_id(self) -> int | None:
        """Its process; None as long as nobody has started it."""

    def environ(self) -> dict[str, str]:
        """What a trainer must be told to find it."""

    def address(self) -> tuple[str, str]:
        """Its URL and a key for it, when it answers."""

    def end(self) -> None:
        """Let it be gone."""


class ServedHub:
    """A hub that a person serves, and serves again on the same port."""

    def __init__(self, folder: Path, context: ForkServerContext, *, database_url: str = "") -> None:
        self._folder = folder
        self._database_url = database_url
        self._context = context
        self._port = _free_port()
        self._key = ""
        self._process: ForkServerProcess | None = None

    def start(self) -> None:
        """Let it listen; the first time it announces its key.

        Raises:
            TimeoutError: It does not.
        """
        self.end()
        receiver, sender = self._context.Pipe(duplex=False)
        self._process = self._context.Process(
            target=actors.hub, args=(self._folder, self._port, sender, self._database_url)
        )
        self._process.start()
        sender.close()
        for _ in range(1 if self._key else 2):
            if not receiver.poll(_START_S):
                raise TimeoutError("the hub did not start")
            announced = receiver.recv()
        self._key = self._key or announced.split()[-1]

    def process_id(self) -> int | None:
        return self._process.pid if self._process else None

    def environ(self) -> dict[str, str]:
        url, key = self.address()
        return {"HUB_CALLBACKS_API_KEY": key, "HUB_CALLBACKS_API_URL": url}

    def address(self) -> tuple[str, str]:
        return f"http://{LOOPBACK}:{self._port}", self._key

    def end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.join()


class CouriersHub:
    """The local hub: nobody starts it but the courier, also after it was killed."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def start(self) -> None:
        """Nothing: that is what it is about."""

    def process_id(self) -> int | None:
        note = LocalHub.read(self._data_dir)
        return note.pid if note else None

    def environ(self) -> dict[str, str]:
        return {"HUB_CALLBACKS_PORT": "0"}

    def address(self) -> tuple[str, str]:
        hub = local_hub.ensure(self._data_dir, port=0)
        return hub.url, hub.key

    def end(self) -> None:
        if process_id := self.process_id():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)


def _free_port() -> int:
    """A port that a hub can be started on, and started again."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])
