"""Old clients of HUB, unmodified and without this project, and what goes over the wire between them and our hub."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from hub_callbacks import wire
from hub_callbacks.cli.demo import draw_dataset
from hub_callbacks.testing import ReceivedCheckpoint
from hub_callbacks.testing.form import FileForm

if TYPE_CHECKING:
    from tests.environments import Environment
    from tests.hubs import HubServer

OURS_IS_AWAY = "import importlib.util; assert importlib.util.find_spec('hub_callbacks') is None"
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}

COLUMNS = ("login", "create", "start", "resume", "trained", "metrics", "checkpoint", "heartbeat")
TABLE = re.compile(r"(?<=<!-- old clients -->\n).*(?=<!-- end of the old clients -->)", re.DOTALL)
WORDS = {"passed": "yes", "failed": "no", "error": "no", "skipped": "-"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request of a client that came whole, and the hub's reply.

    Attributes:
        sent: The body: JSON, a checkpoint, or nothing.
        received: The reply's JSON; None when it is none.
    """

    method: str
    path: str
    sent: Any
    status: int
    received: Any


class Tap(ThreadingHTTPServer):
    """Stands between clients and a hub: passes on one request after the other, and keeps what went by."""

    def __init__(self, hub_url: str) -> None:
        super().__init__(("127.0.0.1", 0), TapHandler)
        self.hub = hub_url.removeprefix("http://")
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.turn = threading.Lock()  # so what is kept is in the order in which the hub took it
        self.exchanges: list[Exchange] = []

    def find(self, method: str, path: str) -> list[Exchange]:
        """What was asked of a path, queries aside, in order."""
        return [one for one in self.exchanges if (one.method, one.path.partition("?")[0]) == (method, path)]

    def rows(self, model_id: str) -> dict[int, dict[str, float]]:
        """Each epoch's row of a model as it was sent last."""
        rows: dict[int, dict[str, float]] = {}
        for one in self.find("POST", wire.model(model_id)):
            rows |= {int(epoch): json.loads(row) for epoch, row in one.sent["metrics"].items()}
        return rows

    def checkpoints(self, model_id: str) -> list[ReceivedCheckpoint]:
        return [one.sent for one in self.find("POST", wire.upload(model_id))]


class TapHandler(BaseHTTPRequestHandler):
    server: Tap

    def pass_on(self) -> None:
        size = int(self.headers.get("content-length", 0))
        body = self.rfile.read(size)
        if len(body) < size:  # the client was killed
            return
        with self.server.turn:
            reply, content = self._ask_hub(body)
            self.server.exchanges.append(
                Exchange(
                    method=self.command,
                    path=self.path,
                    sent=self._understand(body),
                    status=reply.status,
                    received=json.loads(content) if reply.headers.get_content_type() == "application/json" else None,
                )
            )
        with suppress(ConnectionError):  # the client was killed
            self._answer(reply, content)

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = pass_on  # noqa: N815 - http.server's names

    def _ask_hub(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        with closing(http.client.HTTPConnection(self.server.hub, timeout=60)) as connection:
            connection.request(self.command, self.path, body, dict(self.headers))
            reply = connection.getresponse()
            return reply, reply.read()

    def _understand(self, body: bytes) -> Any:
        content_type = self.headers.get("content-type", "")
        if content_type.startswith("multipart/"):
            form = FileForm(content_type)
            form.feed(body)
            return form.checkpoint()
        return json.loads(body) if body else None

    def _answer(self, reply: http.client.HTTPResponse, content: bytes) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class OldClient:
    """An old client on a machine of its own.

    Attributes:
        python: An interpreter that has everything but this project.
        folder: Working directory; all that it writes lies under it.
        tap: The way to its hub.
        key: A key for that hub.
        env: What makes it find the client, in addition to the hub.
    """

    python: Path
    folder: Path
    tap: Tap
    key: str
    env: Mapping[str, str] = field(default_factory=dict)
    NOT_INHERITED: ClassVar = ("HUB_CALLBACKS_", "PYTHON", "ULTRALYTICS_", "YOLO_")

    def start(self, *lines: str) -> subprocess.Popen[str]:
        """Start a script of the user's; its output is one stream."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(self.NOT_INHERITED)}
        config_dir = self.folder / "ultralytics"
        config_dir.mkdir(exist_ok=True)  # from 8.4 on, /tmp/Ultralytics is everybody's where it is missing
        own = {
            "ULTRALYTICS_HUB_API": self.tap.url,
            "ULTRALYTICS_HUB_WEB": self.tap.url,
            "YOLO_CONFIG_DIR": str(config_dir),
            "YOLO_AUTOINSTALL": "false",
            "OMP_NUM_THREADS": "1",  # enough for these, and gentle to others
            "PYTHONUNBUFFERED": "1",
        }
        return subprocess.Popen(
            [self.python, "-c", "\n".join([OURS_IS_AWAY, *lines])],
            cwd=self.folder,
            env={**kept, **own, **self.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *lines: str, returncode: int = 0) -> str:
        """Run a script of the user's to its end; its output."""
        with self.start(*lines) as process:
            output, _ = process.communicate(timeout=900)
        assert process.returncode == returncode, output
        return output

    def kill(self, *lines: str, when: Callable[[], bool]) -> None:
        """Run a script until it has come so far, and kill it."""
        with self.start(*lines) as process, (self.folder / "killed.log").open("w") as log:
            assert process.stdout is not None
            reader = threading.Thread(target=log.writelines, args=(process.stdout,))
            reader.start()
            give_up_at = time.monotonic() + 900
            while not when():
                assert process.poll() is None, (self.folder / "killed.log").read_text()
                assert time.monotonic() < give_up_at, (self.folder / "killed.log").read_text()
                time.sleep(0.1)
            process.kill()
            reader.join()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--old-clients-table", type=Path, help="The page that gets the results of tests/old_clients.")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if page := config.getoption("--old-clients-table"):
        reports = [report for outcome in WORDS for report in terminalreporter.getreports(outcome)]
        page.write_text(TABLE.sub("\n".join([*table(reports), ""]), page.read_text("utf-8")), "utf-8")


def table(reports: list[pytest.TestReport]) -> list[str]:
    """The table's lines: one for each client, by the tests ``test_<column>_...[<client>]``."""
    clients: dict[str, dict[str, str]] = {}
    for report in reports:
        if found := re.search(rf"::test_({'|'.join(COLUMNS)})_\w+\[(.+)\]", report.nodeid):
            clients.setdefault(found[2], {})[found[1]] = WORDS[report.outcome]
    rows = [(client, *(cells.get(column, "not run") for column in COLUMNS)) for client, cells in clients.items()]
    return [f"| {' | '.join(row)} |" for row in [("client", *COLUMNS), ["---"] * (1 + len(COLUMNS)), *rows]]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_dataset(tmp_path_factory.mktemp("dataset"))


@pytest.fixture(scope="session")
def python(create_environment: Callable[[Path], Environment], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with all that is here but this project."""
    return create_environment(tmp_path_factory.mktemp("environment") / "venv").bin / "python"


@pytest.fixture(scope="module")
def tap(hub: HubServer) -> Iterator[Tap]:
    """The way to a hub, which the tests of a module share."""
    tap = Tap(hub.url)
    thread = threading.Thread(target=tap.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield tap
    tap.shutdown()
    thread.join()
    tap.server_close()


@pytest.fixture(scope="module")
def make_client(
    tmp_path_factory: pytest.TempPathFactory,
    python: Path,
    hub: HubServer,
    tap: Tap,
    install_apart: Callable[..., Path],
    ultralytics_env: Callable[[str], dict[str, str]],
) -> Callable[[str, str], OldClient]:
    """Makes a machine with a release of Ultralytics, with one of hub-sdk, or with both; empty for none."""

    def make(ultralytics: str, hub_sdk: str) -> OldClient:
        env = ultralytics_env(ultralytics) if ultralytics else {}
        sdk = str(install_apart(f"hub-sdk=={hub_sdk}")) if hub_sdk else ""
        path = os.pathsep.join(filter(None, [env.get("PYTHONPATH"), sdk]))
        folder = tmp_path_factory.mktemp("client")
        return OldClient(python=python, folder=folder, tap=tap, key=hub.key, env={**env, "PYTHONPATH": path})

    return make
