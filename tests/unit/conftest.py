from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.settings import Settings


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
