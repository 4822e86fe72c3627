from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.settings import Settings

THIRD_PARTY = Path(__file__).parents[1] / "third_party"


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("HUB_CALLBACKS_", "ULTRALYTICS_HUB_", "HUB_API_KEY", "COLAB_", "RANK")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HUB_CALLBACKS_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def folder(tmp_path: Path) -> OutboxFolder:
    return OutboxFolder.under(tmp_path / "data")


@pytest.fixture
def outbox(folder: OutboxFolder) -> Iterator[Outbox]:
    outbox = Outbox(folder)
    yield outbox
    outbox.close()


@pytest.fixture
def courier_at_work(folder: OutboxFolder) -> Iterator[None]:
    """The test stands in for the courier: it holds the lock, so that none is started and nothing is delivered."""
    folder.path.mkdir(parents=True)
    with FileLock(folder.courier_lock):
        folder.courier_pid.write_text(str(os.getpid()), encoding="ascii")
        yield


@pytest.fixture
def settings(courier_at_work: None) -> Settings:
    """Settings as a trainer reads them, with a team's hub that is never asked."""
    return Settings.load({**os.environ, "HUB_CALLBACKS_API_URL": "https://hub.example", "HUB_CALLBACKS_WAIT_S": "0"})


@dataclass(slots=True)
class Script:
    """A server on loopback that answers as told, one answer a request; `heard` has the requests, `headers` theirs."""

    url: str
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    heard: list[tuple[str, str, bytes]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def will_answer(self, status: int, body: object = None, **headers: str) -> None:
        """Append an answer; a body that is not bytes becomes the data of a hub's envelope."""
        if not isinstance(body, bytes):
            envelope = {"success": status < 400, "message": "", "data": body}
            body = b"" if status == 204 else json.dumps(envelope).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append((status, named, body))


@pytest.fixture
def script() -> Iterator[Script]:
    told = Script(url="")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            told.heard.append((self.command, self.path, body))
            told.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, headers, reply = told.answers.pop(0)
            self.send_response(status)
            for name, value in {"content-length": str(len(reply)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply)

        do_GET = do_HEAD = do_POST = do_PATCH = answer  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}"
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield told
        server.shutdown()
        thread.join()


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where the store is: on each engine."""
    return request.getfixturevalue("empty_database") if request.param == "postgresql" else tmp_path / "hub.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """An interpreter that ran to its end, and what the spy plugin was told of in it."""

    returncode: int
    stdout: str
    stderr: str
    told: list[dict[str, Any]]

    @property
    def events(self) -> list[str]:
        return [line["event"] for line in self.told]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """Runs code in a fresh interpreter with a stand-in for Ultralytics and the spy plugin on its path."""

    folder: Path

    def run(
        self, code: str, *args: str, ultralytics: str = "8_4_190", env: Mapping[str, str] | None = None
    ) -> Finished:
        told = self.folder / "told.jsonl"
        told.unlink(missing_ok=True)
        process = subprocess.run(
            [sys.executable, *args, "-c", code],
            env=self._environment(ultralytics) | {"SPY_FILE": str(told)} | dict(env or {}),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        lines = told.read_text().splitlines() if told.exists() else []
        return Finished(
            returncode=process.returncode,
            stdout=process.stdout,
            stderr=process.stderr,
            told=[json.loads(line) for line in lines],
        )

    def add_plugin(self, name: str, value: str) -> None:
        """Make an entry point, as an installed package of that name would."""
        info = self.folder / f"plugin_{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[hub_callbacks]\n{name} = {value}\n")

    def _environment(self, ultralytics: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_CALLBACKS_")}
        path = [
            str(self.folder),
            str(THIRD_PARTY / f"ultralytics_{ultralytics}"),
            str(THIRD_PARTY / "hub-callbacks-spy"),
            *filter(None, [os.environ.get("PYTHONPATH")]),
        ]
        return kept | {
            "HUB_CALLBACKS_BLOCK": "hub",  # these tests are not about recording
            "HUB_CALLBACKS_DATA_DIR": str(self.folder / "data"),
            "PYTHONPATH": os.pathsep.join(path),
        }


@pytest.fixture
def interpreter(tmp_path: Path) -> Interpreter:
    interpreter = Interpreter(folder=tmp_path)
    interpreter.add_plugin("spy", "hub_callbacks_spy")
    return interpreter
