from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hub_callbacks.outbox import Outbox
from hub_callbacks.records import Metrics
from hub_callbacks.session import HUBTrainingSession
from hub_callbacks.settings import Settings
from tests.unit.leases import due_items, only_run


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(settings: Settings, clock: Clock) -> HUBTrainingSession:
    session = HUBTrainingSession("yolo11n.yaml", settings=settings, clock=clock)
    session.create_model({"epochs": 3, "data": "coco8.yaml", "name": "train"})
    session.start_timers()
    return session


@pytest.fixture
def due(outbox: Outbox) -> Callable[[], list[int]]:
    """The epochs that the hub would get now."""

    def epochs() -> list[int]:
        items = due_items(outbox, now=only_run(outbox).started_at + 1.0)
        return [item.record.epoch for item in items if isinstance(item.record, Metrics)]

    return epochs


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights" / "last.pt"
    path.parent.mkdir()
    path.write_bytes(b"PK checkpoint")
    return path
