"""The wait at the end of a training, as a person at a terminal sees it."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hub_callbacks.callbacks.receipt import show_delivery
from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.session import HUBTrainingSession
from hub_callbacks.settings import Settings
from tests.unit.leases import due_items


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def shows(self, text: str) -> bool:
        return text in self.getvalue()


def until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 20.0
    while not condition() and time.monotonic() < give_up_at:
        time.sleep(0.01)


@pytest.fixture
def session(settings: Settings, tmp_path: Path) -> HUBTrainingSession:
    """A training of two epochs that has just ended, none of it delivered."""
    session = HUBTrainingSession("yolo11n.yaml", settings=settings)
    session.create_model({"epochs": 2, "data": "coco8.yaml"})
    for epoch in range(2):
        session.record_metrics(epoch, {"loss": 0.5})
    weights = tmp_path / "best.pt"
    weights.write_bytes(b"PK" + b"x" * 1_000_000)
    session.upload_model(1, weights, final=True)
    session.finish()
    return session


def test_bar_counts_what_the_hub_has_acknowledged(
    session: HUBTrainingSession, folder: OutboxFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="ultralytics")
    monkeypatch.setattr("sys.stderr", terminal := Terminal())

    def deliver() -> None:
        outbox = Outbox(folder)
        until(lambda: terminal.shows("HUB: 0/2 epochs"))
        outbox.queue.ack([item.id for item in due_items(outbox)])
        until(lambda: terminal.shows("HUB: 2/2 epochs"))  # not one byte of a file has moved
        (file,) = due_items(outbox, files=True)
        outbox.queue.note_sent(file.id, 500_000)
        until(lambda: terminal.shows("49%"))
        outbox.queue.ack([file.id])
        outbox.close()

    delivery = threading.Thread(target=deliver)
    delivery.start()
    show_delivery(session, wait_s=300.0)
    delivery.join()
    lines = terminal.getvalue()
    places = [lines.find(text) for text in ("HUB: 0/2 epochs", "HUB: 2/2 epochs", "49%")]
    assert places == sorted(places)
    assert -1 not in places
    assert "HUB: 2/2 epochs, best.pt acknowledged: https://hub.example/models/" in caplog.text
