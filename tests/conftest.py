"""What tests of several rooms share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from hub_callbacks import wire

THIRD_PARTY = Path(__file__).parent / "third_party"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class HubServer:
    """A hub in a process of its own, on loopback.

    Attributes:
        url: Root of its API and of its pages.
        key: An admin's API key.
        data_dir: Where it keeps everything; holds the note of `wire.LocalHub`, too.
    """

    url: str
    key: str
    data_dir: Path
    process: subprocess.Popen[str]

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request with the admin's key."""
        options["headers"] = {wire.API_KEY_HEADER: self.key, **options.get("headers", {})}
        return requests.request(method, self.url + path, timeout=30, **options)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Send a request that must succeed; the data of the reply."""
        response = self.send(method, path, **options)
        assert response.ok, response.text
        return response.json()["data"]


@pytest.fixture(scope="session")
def start_hub() -> Iterator[Callable[[Path], HubServer]]:
    """Start a hub for a data folder that was never served; it is stopped after the tests."""
    with ExitStack() as stack:

        def start(data_dir: Path) -> HubServer:
            command = [sys.executable, "-m", "hub_callbacks.server", "--data-dir", str(data_dir), "--port", "0"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            stack.enter_context(process)
            stack.callback(process.terminate)
            assert process.stdout is not None
            url, key = (process.stdout.readline().split()[-1] for _ in range(2))
            return HubServer(url=url, key=key, data_dir=data_dir, process=process)

        yield start


@pytest.fixture(scope="module")
def hub(start_hub: Callable[[Path], HubServer], tmp_path_factory: pytest.TempPathFactory) -> HubServer:
    """A running hub; the tests of a module share it."""
    return start_hub(tmp_path_factory.mktemp("hub"))
