"""Hubs in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.stores import Bucket


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


@pytest.fixture(scope="module")
def start_hub() -> Iterator[Callable[..., HubServer]]:
    """Start a hub, which is stopped after the module's tests; ``key`` is that of a store that was served before."""
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
