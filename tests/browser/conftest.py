"""A real Chromium before a real hub: lets no page do what it must not."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.hubs import HubServer


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", type=Path, help="For test_pages.py: a folder that gets pictures of the pages.")


@pytest.fixture
def screenshots(request: pytest.FixtureRequest) -> Path | None:
    """The folder that gets pictures of the pages; None where nobody wants them."""
    folder: Path | None = request.config.getoption("--screenshots")
    return folder


@dataclass
class Watch:
    """What went wrong on a page: errors and warnings of the console (breaches of the CSP too), foreign requests."""

    problems: list[str] = field(default_factory=list)

    def on(self, page: Page) -> Page:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", self._request)
        return page

    def forgive(self, words: str) -> None:
        """Expect lines with these words."""
        expected = [problem for problem in self.problems if words in problem]
        assert expected, f"No line says {words!r}: {self.problems}"
        self.problems[:] = [problem for problem in self.problems if problem not in expected]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(message.text)

    def _request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in {"data", "blob"} and url.hostname != "127.0.0.1":
            self.problems.append(f"A request left loopback: {request.url}")


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Collects what goes wrong on pages; the test fails when something did."""
    watch = Watch()
    yield watch
    assert watch.problems == []


@pytest.fixture
def visitor(browser: Browser, hub: HubServer, watch: Watch) -> Iterator[Page]:
    """A page of a browser that is not signed in."""
    with browser.new_context(base_url=hub.url) as context:
        context.set_default_timeout(15_000)
        yield watch.on(context.new_page())


@pytest.fixture
def page(visitor: Page, hub: HubServer) -> Page:
    """A page of a browser that is signed in, on the runs."""
    visitor.goto(sign_in_path(hub))
    return visitor


def sign_in_path(hub: HubServer) -> str:
    return str(hub.ask("POST", wire.SIGN_IN)["url"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainer:
    """Sends what a training sends, over HUB v1."""

    hub: HubServer

    def start(self, name: str, *, epochs: int = 10, args: Mapping[str, Any] | None = None, ago_s: float = 0.0) -> str:
        body = {
            "meta": {"name": name},
            "dataset": {"name": "/data/coco8.yaml"},
            "lineage": {"architecture": {"name": "yolo11n"}, "parent": {"name": "yolo11n.pt"}},
            "run": {
                "task": "detect",
                "epochs": epochs,
                "args": dict(args or {}),
                "environment": {"python": "3.11", "device": "cpu"},
                "startedAt": time.time() - ago_s,
            },
        }
        return str(self.hub.ask("POST", wire.MODELS, json=body)["id"])

    def send(self, model_id: str, rows: Mapping[int, Mapping[str, float]]) -> None:
        metrics = {str(epoch): json.dumps(row) for epoch, row in rows.items()}
        self.hub.ask("POST", wire.model(model_id), json={"type": "metrics", "metrics": metrics})

    def upload(self, model_id: str, content: bytes, *, epoch: int = 0) -> None:
        data = {"epoch": str(epoch), "type": "final", "map": "0.5"}
        self.hub.ask("POST", wire.upload(model_id), data=data, files={"best.pt": content})

    def end(self, model_id: str, state: wire.RunState, reason: str = "") -> None:
        body = {"state": state, "reason": reason, "at": time.time()}
        self.hub.ask("POST", wire.state(model_id), json=body)


@pytest.fixture
def trainer(hub: HubServer) -> Trainer:
    return Trainer(hub=hub)


@pytest.fixture(scope="session")
def new_trainer() -> Callable[[HubServer], Trainer]:
    """Make a trainer for a hub; for fixtures that live longer than a test."""
    return lambda hub: Trainer(hub=hub)


@pytest.fixture
def new_page(browser: Browser, watch: Watch) -> Iterator[Callable[..., Page]]:
    """Make a page of another kind of browser, signed in to a hub."""
    pages: list[Page] = []

    def make(hub: HubServer, **options: Any) -> Page:
        page = watch.on(browser.new_context(base_url=hub.url, **options).new_page())
        pages.append(page)
        page.goto(sign_in_path(hub))
        return page

    yield make
    for page in pages:
        page.context.close()


@pytest.fixture(scope="session")
def checkpoint() -> bytes:
    """Bytes that the hub takes for a checkpoint: PyTorch writes zip archives."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", os.urandom(2048))
    return buffer.getvalue()
