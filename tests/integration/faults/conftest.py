"""A training in the test's process, its courier as a real process, and a hub that can be told to misbehave."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import psutil
import pytest
from click.testing import CliRunner

from hub_callbacks.callbacks.hub import callbacks
from hub_callbacks.cli import main
from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.testing import FaultHub, ReceivedRun, StubTrainer

TIMEOUT_S = 60.0
EPOCHS = 4

Moment: TypeAlias = Literal["start", "middle", "end"]


class Training:
    """A training in this process, whose courier delivers to the hub."""

    moments: ClassVar[dict[Moment, int]] = {"middle": 1, "end": EPOCHS - 1}  # epochs, 0-based

    def __init__(self, folder: Path, hub: FaultHub) -> None:
        self.hub = hub
        self.outbox_folder = OutboxFolder.under(folder / "data")
        self.trainer = StubTrainer(folder / "train", epochs=EPOCHS, callbacks=callbacks)
        self.losses: dict[int, float] = {}
        self.saved: set[str] = set()
        self.trainer.callbacks["on_fit_epoch_end"].append(self._note)
        self.at: dict[int, Callable[[], object]] = {}
        self.trainer.on_epoch = self._begin

    def _begin(self, trainer: StubTrainer) -> None:
        if action := self.at.get(trainer.epoch):
            action()

    def _note(self, trainer: StubTrainer) -> None:
        self.losses[trainer.epoch] = trainer.tloss["box_loss"]
        self.saved |= {hashlib.sha256(path.read_bytes()).hexdigest() for path in (trainer.last, trainer.best)}

    def misbehave(self, switch: Callable[[FaultHub], object], moment: Moment) -> None:
        """Set the switch at the moment: at the start, or in an epoch before which all went well."""
        if moment == "start":
            switch(self.hub)
            return

        def act() -> None:
            self.hub.wait_for(lambda hub: hub.runs and self.run.rows and self.run.checkpoints)
            self.hub.wait_for(lambda _: self.run.heartbeats)
            switch(self.hub)

        self.at[self.moments[moment]] = act

    def eventually(self, condition: Callable[[], Any]) -> Any:
        """What the condition gives as soon as it is true."""
        give_up_at = time.monotonic() + TIMEOUT_S
        while not (value := condition()):
            assert time.monotonic() < give_up_at, "it did not come true in time"
            time.sleep(0.05)
        return value

    @property
    def run(self) -> ReceivedRun:
        (run,) = self.hub.runs.values()
        return run

    def command(self, *arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, arguments)
        return result.exit_code, result.output

    def status(self) -> dict[str, Any]:
        (run,) = json.loads(self.command("status", "--json")[1])["runs"]
        return dict(run)

    def is_delivered(self) -> bool:
        return bool(self.hub.runs and self.run.states and self.is_best_there() and len(self.run.rows) == EPOCHS)

    def is_best_there(self) -> bool:
        best = hashlib.sha256(self.trainer.best.read_bytes()).hexdigest()
        return any(checkpoint.is_final and checkpoint.sha256 == best for checkpoint in self.run.checkpoints)

    def has_work(self) -> bool:
        """Whether the courier has anything left that it may deliver."""
        outbox = Outbox(self.outbox_folder)
        has_work = outbox.queue.has_work()
        outbox.close()
        return has_work

    def assert_whole(self) -> None:
        """All that was recorded is on the hub, as it was recorded."""
        self.hub.wait_for(lambda hub: self.is_delivered() and self.run.summary, timeout_s=TIMEOUT_S)
        assert {epoch: row["train/box_loss"] for epoch, row in self.run.rows.items()} == {
            epoch: self.losses[epoch] for epoch in range(EPOCHS)
        }
        assert {checkpoint.sha256 for checkpoint in self.run.checkpoints} <= self.saved
        assert {state["state"] for state in self.run.states} == {"finished"}
        self.eventually(lambda: not (status := self.status())["left"] and not status["buried"])

    def assert_calm(self) -> None:
        """Nothing happened in the courier that nobody has thought of."""
        for log in ("courier.log", "courier.err"):
            path = self.outbox_folder.path / log
            assert "Traceback" not in (path.read_text() if path.exists() else ""), path.read_text()

    def clean_up(self) -> None:
        for process in psutil.process_iter(["cmdline"]):  # also a courier that is only starting
            if str(self.outbox_folder.path) in (process.info["cmdline"] or ()):
                process.kill()


def environment(folder: Path, hub: FaultHub) -> dict[str, str]:
    """Everything as fast as it goes, and no wait at the end."""
    settings = {"data_dir": folder / "data", "api_url": hub.url, "api_key": "a-key", "wait_s": 0}
    limits = {"metrics_s": 0, "ckpt_s": 0, "heartbeat_s": 0.2}
    return {f"HUB_CALLBACKS_{name.upper()}": str(value) for name, value in {**settings, **limits}.items()}


@pytest.fixture
def hub(request: pytest.FixtureRequest) -> Iterator[FaultHub]:
    """A hub with all that it can do, or with the features that the test names."""
    options = {"features": request.param} if hasattr(request, "param") else {}
    with FaultHub(**options) as hub:
        yield hub


@pytest.fixture
def training(tmp_path: Path, hub: FaultHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Training]:
    for name in list(os.environ):
        if name.startswith("HUB_CALLBACKS_"):
            monkeypatch.delenv(name)
    for name, value in environment(tmp_path, hub).items():
        monkeypatch.setenv(name, value)
    training = Training(tmp_path, hub)
    yield training
    training.clean_up()
