"""The fault matrix: a training, its courier and a hub that misbehaves, at each moment and on each endpoint.

The trainer is light and stands in the test's process, so that a switch is set at a known epoch; the courier is a real
process. Each fault has one case in the short size; ``-m ""`` runs all of them.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import psutil
import pytest
from click.testing import CliRunner

from hub_callbacks.callbacks.hub import callbacks
from hub_callbacks.cli import main
from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.testing import Endpoint, FaultHub, ReceivedRun, StubTrainer
from hub_callbacks.transport.http import READ_TIMEOUT_S

TIMEOUT_S = 60.0
EPOCHS = 4
MIDDLE, LAST = 1, EPOCHS - 1  # 0-based

Moment: TypeAlias = Literal["start", "middle", "end"]
Switch: TypeAlias = Callable[[FaultHub, Endpoint], None]


class Fault(NamedTuple):
    """What a hub does wrong, and what is to become of it: it heals by itself, it pauses the hub, it is buried."""

    switch: Switch
    fate: Literal["heals", "pauses", "buried"] = "heals"
    status: int = 0


def answer(status: int, retry_after_s: float | None = None) -> Fault:
    fate: Literal["heals", "pauses", "buried"] = "buried"
    if status in {408, 425, 429} or status >= 500:
        fate = "heals"
    if status == 401:
        fate = "pauses"
    return Fault(lambda hub, on: hub.answer(status, retry_after_s=retry_after_s, on=on), fate, status)


FAULTS = {
    **{str(status): answer(status) for status in (408, 425, 429, 500, 502, 503, 504)},
    **{f"{status} retry-after": answer(status, retry_after_s=0) for status in (429, 503)},
    **{str(status): answer(status) for status in (400, 401, 403, 404, 413, 422)},
    "reset before the body": Fault(lambda hub, on: hub.reset_before_body(on=on)),
    "reset within the body": Fault(lambda hub, on: hub.reset_within_body(on=on)),
    "black hole": Fault(lambda hub, on: hub.hang(on=on)),
    "one byte a second": Fault(lambda hub, on: hub.trickle(on=on)),
    "truncated": Fault(lambda hub, on: hub.truncate(on=on)),
    "captive portal": Fault(lambda hub, on: hub.capture(on=on)),
    "wrong JSON": Fault(lambda hub, on: hub.garble(on=on)),
    "redirect": Fault(lambda hub, on: hub.redirect(on=on)),
}
# A run is created once, at its start, and beats no more when it is over: the rest makes no sense.
PLACES: list[tuple[Endpoint, Moment]] = [
    ("creation", "start"),
    ("metrics", "start"),
    ("metrics", "middle"),
    ("metrics", "end"),
    ("checkpoint", "start"),
    ("checkpoint", "middle"),
    ("checkpoint", "end"),
    ("heartbeat", "start"),
    ("heartbeat", "middle"),
    ("state", "end"),
    ("all", "start"),
    ("all", "middle"),
    ("all", "end"),
]
# What is buried when an endpoint refuses.
KINDS: dict[Endpoint, set[str]] = {
    "creation": {"run_started"},
    "metrics": {"metrics"},
    "checkpoint": {"checkpoint"},
    "state": {"run_finished"},
    "all": {"run_started", "metrics", "summary", "checkpoint", "run_finished"},
}
SHORT = list(zip(FAULTS, itertools.cycle(PLACES), strict=False))


def case(name: str, place: tuple[Endpoint, Moment]) -> Any:
    marks = [] if (name, place) in SHORT else [pytest.mark.chaos]
    return pytest.param(FAULTS[name], *place, marks=marks, id=f"{name}-{'-'.join(place)}")


MATRIX = [case(name, place) for name in FAULTS for place in PLACES if place[0] != "heartbeat"]
BEATS = [case(name, place) for name in FAULTS for place in PLACES if place[0] == "heartbeat"]


def eventually(condition: Callable[[], Any]) -> Any:
    """What the condition gives as soon as it is true."""
    give_up_at = time.monotonic() + TIMEOUT_S
    while not (value := condition()):
        assert time.monotonic() < give_up_at, "it did not come true in time"
        time.sleep(0.05)
    return value


class Training:
    """A training in this process, whose courier delivers to the hub."""

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

    def misbehave(self, fault: Fault, endpoint: Endpoint, moment: Moment) -> None:
        """Set the switch at the moment: at the start, or in an epoch before which all went well."""
        if moment == "start":
            fault.switch(self.hub, endpoint)
            return

        def switch() -> None:
            self.hub.wait_for(lambda hub: hub.runs and self.run.rows and self.run.checkpoints)
            self.hub.wait_for(lambda _: self.run.heartbeats)
            fault.switch(self.hub, endpoint)

        self.at[MIDDLE if moment == "middle" else LAST] = switch

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
        eventually(lambda: not (status := self.status())["left"] and not status["buried"])

    def assert_calm(self) -> None:
        """Nothing happened in the courier that nobody has thought of."""
        for log in ("courier.log", "courier.err"):
            path = self.outbox_folder.path / log
            assert "Traceback" not in (path.read_text() if path.exists() else ""), path.read_text()

    def clean_up(self) -> None:
        for process in psutil.process_iter(["cmdline"]):  # also a courier that is only starting
            if str(self.outbox_folder.path) in (process.info["cmdline"] or ()):
                process.kill()


@pytest.fixture
def hub() -> Iterator[FaultHub]:
    with FaultHub() as hub:
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


def environment(folder: Path, hub: FaultHub) -> dict[str, str]:
    """Everything as fast as it goes, and no wait at the end."""
    settings = {"data_dir": folder / "data", "api_url": hub.url, "api_key": "a-key", "wait_s": 0}
    limits = {"metrics_s": 0, "ckpt_s": 0, "heartbeat_s": 0.2}
    return {f"HUB_CALLBACKS_{name.upper()}": str(value) for name, value in {**settings, **limits}.items()}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def deliver_after(training: Training, fault: Fault) -> None:
    """Heal the hub, and see that all arrives: with nobody's help where the hub has said when to come again."""
    training.hub.heal()
    if fault.status not in {429, 503}:
        assert training.command("sync") == (0, "Nothing is left to deliver.\n")
    training.assert_whole()
    training.assert_calm()


@pytest.mark.parametrize(("fault", "endpoint", "moment"), MATRIX)
def test_what_a_fault_holds_up_is_delivered(
    training: Training, caplog: pytest.LogCaptureFixture, fault: Fault, endpoint: Endpoint, moment: Moment
) -> None:
    training.misbehave(fault, endpoint, moment)
    training.trainer.train()
    assert len(warnings(caplog)) <= 1
    training.hub.wait_for(lambda hub: hub.met(endpoint))
    assert training.status()["left"]
    if fault.fate == "pauses":
        eventually(lambda: "401" in training.status()["trouble"])
    if fault.fate == "buried":
        eventually(lambda: not training.has_work())
        buried = training.status()["buried"]
        assert {item["kind"] for item in buried} <= KINDS[endpoint]
        assert buried
        assert all(str(fault.status) in item["reason"] for item in buried)
    deliver_after(training, fault)


@pytest.mark.parametrize("moment", [
    pytest.param("start", marks=pytest.mark.chaos),
    "middle",
    pytest.param("end", marks=pytest.mark.chaos),
])  # fmt: skip
def test_what_a_dead_hub_holds_up_is_delivered(
    training: Training, caplog: pytest.LogCaptureFixture, moment: Moment
) -> None:
    fault = Fault(lambda hub, _: hub.refuse())
    training.misbehave(fault, "all", moment)
    training.trainer.train()
    assert len(warnings(caplog)) <= 1
    eventually(lambda: "refused" in training.status()["trouble"])
    deliver_after(training, fault)


@pytest.mark.parametrize(("fault", "endpoint", "moment"), BEATS)
def test_heartbeats_go_on_after_a_fault(
    training: Training, caplog: pytest.LogCaptureFixture, fault: Fault, endpoint: Endpoint, moment: Moment
) -> None:
    def heal() -> None:
        training.hub.wait_for(lambda hub: hub.met(endpoint))
        before = len(training.run.heartbeats)
        training.hub.heal()
        training.hub.wait_for(lambda _: len(training.run.heartbeats) > before)

    training.misbehave(fault, endpoint, moment)
    training.at[LAST] = heal
    training.trainer.train()
    assert warnings(caplog) == []
    training.assert_whole()
    training.assert_calm()


@pytest.mark.chaos
@pytest.mark.parametrize("name", ["black hole", "one byte a second"])
def test_courier_gives_a_request_up_by_itself(training: Training, name: str) -> None:
    training.misbehave(FAULTS[name], "metrics", "start")
    training.trainer.train()
    training.hub.wait_for(lambda hub: len(hub.met("metrics")) > 1, timeout_s=3 * READ_TIMEOUT_S)
    deliver_after(training, FAULTS[name])
