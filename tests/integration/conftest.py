"""A client of tus, for the tests of uploads that continue, and commands that ask a hub."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import socket
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
import uvicorn
from click.testing import CliRunner, Result

from hub_callbacks import wire
from hub_callbacks.cli import main
from hub_callbacks.server.connections import PatientProtocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from tests.hubs import HubServer

VERSION = {wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION}


def checkpoint(content: bytes) -> bytes:
    """A zip archive, as torch writes them."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    return file.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class TusClient:
    """Sends checkpoints of one model in parts.

    Attributes:
        content: What it sends when it is told nothing else: a zip archive, as torch writes them.
    """

    hub: HubServer
    model_id: str
    content: bytes

    def with_new_model(self) -> TusClient:
        return new_client(self.hub)

    def files(self) -> set[str]:
        """Names of the hub's blobs, partial ones too."""
        return self.hub.blobs()

    def kill_hub(self) -> None:
        self.hub.process.kill()
        self.hub.process.wait(30)

    def stuck(self, location: str, content: bytes, *, offset: int = 0, is_checked: bool = True) -> Stuck:
        """Another client, which stops in the middle of a PATCH."""
        return Stuck(self, location, content, offset=offset, is_checked=is_checked)

    def create(self, content: bytes, **fields: Any) -> requests.Response:
        said = {"filename": "last.pt", "epoch": 3, "type": "epoch", "isBest": True}
        said |= {wire.SHA256_FIELD: hashlib.sha256(content).hexdigest(), **fields}
        return self.announce(len(content), wire.upload_metadata(said))

    def announce(self, length: object, metadata: str) -> requests.Response:
        headers = {wire.UPLOAD_LENGTH_HEADER: str(length), wire.UPLOAD_METADATA_HEADER: metadata}
        return self.hub.send("POST", wire.uploads(self.model_id), headers=VERSION | headers)

    def begin(self, content: bytes, **fields: Any) -> str:
        reply = self.create(content, **fields)
        assert reply.status_code == 201, reply.text
        return reply.headers["location"]

    def head(self, location: str) -> requests.Response:
        return self.hub.send("HEAD", location, headers=VERSION)

    def offset(self, location: str) -> int:
        reply = self.head(location)
        assert reply.status_code == 200
        return int(reply.headers[wire.UPLOAD_OFFSET_HEADER])

    def patch(self, location: str, offset: int, part: Any, **headers: str | None) -> requests.Response:
        checksum = wire.upload_checksum(hashlib.sha256(part).digest()) if isinstance(part, bytes) else None
        said = {
            wire.UPLOAD_OFFSET_HEADER: str(offset),
            "Content-Type": wire.TUS_CONTENT_TYPE,
            wire.UPLOAD_CHECKSUM_HEADER: checksum,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        given = {name: value for name, value in said.items() if value is not None}
        return self.hub.send("PATCH", location, data=part, headers=VERSION | given)

    def ask_until(self, location: str, holds: Callable[[], bool]) -> None:
        """Ask for the offset again and again until something holds."""
        for _ in range(2000):
            if holds():
                return
            self.offset(location)
        pytest.fail("It never came to hold.")

    def probe(self, location: str) -> int:
        """Write where nothing belongs; the status tells whether it is another's turn."""
        return self.patch(location, 1 << 30, b"x").status_code

    def published(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.hub.ask("GET", wire.checkpoints(self.model_id))
        return found


class Stuck:
    """A client in the middle of a PATCH: it has sent all but the last byte of its body."""

    def __init__(self, client: TusClient, location: str, content: bytes, *, offset: int, is_checked: bool) -> None:
        address = urlsplit(client.hub.url)
        self._socket = socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=30)
        headers = {
            "Host": address.netloc,
            wire.API_KEY_HEADER: client.hub.key,
            wire.UPLOAD_OFFSET_HEADER: offset,
            "Content-Type": wire.TUS_CONTENT_TYPE,
            "Content-Length": len(content),
            **VERSION,
        }
        if is_checked:
            headers[wire.UPLOAD_CHECKSUM_HEADER] = wire.upload_checksum(hashlib.sha256(content).digest())
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._socket.sendall(f"PATCH {location} HTTP/1.1\r\n{lines}\r\n".encode() + content[:-1])
        self._last = content[-1:]

    def go_on(self) -> bytes:
        """Send the last byte; the head of the reply."""
        with self._socket:
            self._socket.sendall(self._last)
            return self._socket.recv(65536)

    def break_off(self) -> None:
        self._socket.close()


class Line:
    """A line to the first of some hubs that answers; it counts the bytes towards it, and can be cut.

    Attributes:
        sent_bytes: How much has gone towards the hub.
        cut_at_bytes: Where it breaks, once; None for never.
    """

    def __init__(self, *hub_ports: int) -> None:
        self.sent_bytes = 0
        self.cut_at_bytes: int | None = None
        self._hub_ports = hub_ports
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), self._reach() as hub:
            threading.Thread(target=self._pump, args=(hub, client, lambda data: True), daemon=True).start()
            self._pump(client, hub, self._may_pass)

    def _reach(self) -> socket.socket:
        for port in self._hub_ports:
            with contextlib.suppress(ConnectionRefusedError):
                hub = socket.create_connection(("127.0.0.1", port))
                hub.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)  # a line holds little itself
                return hub
        raise ConnectionRefusedError

    def _may_pass(self, data: bytes) -> bool:
        self.sent_bytes += len(data)
        if self.cut_at_bytes is None or self.sent_bytes <= self.cut_at_bytes:
            return True
        self.cut_at_bytes = None
        return False

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket, may_pass: Callable[[bytes], bool]) -> None:
        with contextlib.suppress(OSError):
            while (data := source.recv(65536)) and may_pass(data):
                target.sendall(data)
        for side in (source, target):  # to close alone would wait for the other thread
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)


def new_client(hub: HubServer) -> TusClient:
    model_id = str(hub.ask("POST", wire.MODELS, json={"meta": {"name": "train"}})["id"])
    return TusClient(hub=hub, model_id=model_id, content=checkpoint(bytes(range(256)) * 40))


@pytest.fixture(scope="module", params=["sqlite+folder", "postgresql+folder", "postgresql+s3"])
def hub(
    request: pytest.FixtureRequest, start_hub: Callable[..., HubServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HubServer]:
    """A running hub on each kind of store; the tests of a module share it."""
    options: list[str] = []
    if "postgresql" in request.param:
        options += ["--database-url", request.getfixturevalue("create_database")()]
    bucket = request.getfixturevalue("create_bucket")() if "s3" in request.param else None
    hub = start_hub(tmp_path_factory.mktemp("hub"), *options, bucket=bucket)
    yield hub
    hub.process.terminate()
    hub.process.wait(30)


@pytest.fixture
def create_client() -> Callable[[HubServer], TusClient]:
    """Makes a client with a model of its own."""
    return new_client


@pytest.fixture
def tus(hub: HubServer) -> TusClient:
    """A client with a model of its own on the hub that the tests of a module share."""
    return new_client(hub)


@pytest.fixture
def own_tus(start_hub: Callable[[Path], HubServer], tmp_path: Path) -> TusClient:
    """A client of a hub of its own."""
    return new_client(start_hub(tmp_path))


@pytest.fixture
def restart() -> Iterator[Callable[[TusClient], TusClient]]:
    """Start a client's hub again, which was killed or stopped."""
    with ExitStack() as stack:

        def start(client: TusClient) -> TusClient:
            hub = client.hub
            process = stack.enter_context(subprocess.Popen(hub.process.args, stdout=subprocess.PIPE, text=True))
            stack.callback(process.terminate)
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            return replace(client, hub=replace(hub, url=url, process=process))

        yield start


@pytest.fixture
def create_line() -> Iterator[Callable[..., Line]]:
    """Makes a line to some hubs."""
    with ExitStack() as stack:

        def create(*hubs: HubServer) -> Line:
            line = Line(*(int(hub.url.rpartition(":")[2]) for hub in hubs))
            stack.callback(line.close)
            return line

        yield create


class _Hasty(PatientProtocol):
    head_s = 0.5


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[str, int]]]:
    """Serve an application on a thread of this process, with little patience, on an event loop; its address."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: ASGIApp, loop: str = "auto") -> tuple[str, int]:
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, http=_Hasty, loop=loop, ws="none", lifespan="off", log_level="critical")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        running.append((server, thread))
        thread.start()
        return "127.0.0.1", listener.getsockname()[1]

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def command(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command that points to the hub, with an admin's key unless another is given."""

    def run(*words: str, key: str = hub.key, typed: str = "") -> Result:
        monkeypatch.setenv("HUB_CALLBACKS_API_URL", hub.url)
        monkeypatch.setenv("HUB_CALLBACKS_API_KEY", key)
        return CliRunner().invoke(main, words, input=typed)

    return run


def told(result: Result) -> Any:
    """What a command has printed as JSON."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
