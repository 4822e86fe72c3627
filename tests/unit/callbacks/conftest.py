from __future__ import annotations

from pathlib import Path

import pytest

from hub_callbacks.callbacks import hub
from hub_callbacks.testing import StubTrainer


@pytest.fixture(autouse=True)
def _settings(courier_at_work: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_API_URL", "https://hub.example")
    monkeypatch.setenv("HUB_CALLBACKS_WAIT_S", "0")


@pytest.fixture
def trainer(tmp_path: Path) -> StubTrainer:
    return StubTrainer(tmp_path / "runs" / "train7", callbacks=hub.callbacks)
