"""What a training has drawn reaches a hub, once, behind its rows and its model; what is to stay here does."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from hub_callbacks import wire
from hub_callbacks.callbacks.hub import callbacks
from hub_callbacks.courier import process
from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.settings import Settings
from hub_callbacks.testing import FaultHub, ReceivedRun, StubTrainer
from hub_callbacks.testing.pictures import IMAGES, PLOTS, picture

if TYPE_CHECKING:
    from tests.hubs import HubServer
    from tests.wiretap import Wiretap

DATA = ("confusion_matrix.json", "curves.json")
ALL = {*PLOTS, *IMAGES, *DATA}
TIMEOUT_S = 60.0


@pytest.fixture(autouse=True)
def outbox_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OutboxFolder]:
    """The outbox of a machine of this test's own; its courier ends with the test."""
    for name in list(os.environ):
        if name.startswith(("HUB_CALLBACKS_", "ULTRALYTICS_HUB_", "HUB_API_KEY")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HUB_CALLBACKS_DATA_DIR", str(tmp_path / "data"))
    folder = OutboxFolder.under(tmp_path / "data")
    yield folder
    kill_courier(folder)


def kill_courier(folder: OutboxFolder) -> None:
    if pid := process.pid(folder):
        courier = psutil.Process(pid)
        courier.kill()
        courier.wait(30)


def train(tmp_path: Path) -> None:
    StubTrainer(tmp_path / "runs" / "train", callbacks=callbacks, plots=True).train()


def only_run(hub: FaultHub) -> ReceivedRun | None:
    return next(iter(hub.runs.values()), None)


def names(hub: FaultHub) -> Counter[str]:
    run = only_run(hub)
    return Counter(artifact.name for artifact in run.artifacts) if run else Counter()


def test_everything_that_was_drawn_is_on_the_hub_when_the_training_ends(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch, outbox_folder: OutboxFolder
) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_API_URL", hub.url)
    monkeypatch.setenv("HUB_CALLBACKS_API_KEY", hub.key)
    train(tmp_path)
    (run,) = Outbox(outbox_folder).runs.list()
    assert run.receipt() == f"3/3 epochs, best.pt, {len(ALL)} artifacts acknowledged"
    stored = {artifact["name"]: artifact for artifact in hub.ask("GET", wire.artifacts(run.id))}
    assert stored.keys() == ALL
    for name in (*PLOTS, *IMAGES):
        assert hub.send("GET", wire.artifact(run.id, stored[name]["id"])).content == picture(name)
    assert not list(outbox_folder.spool.iterdir())


def test_no_byte_of_a_kind_that_is_to_stay_here_leaves_the_machine(
    tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch, tap: Callable[[str], Wiretap]
) -> None:
    wire_to_hub = tap(hub.url)
    monkeypatch.setenv("HUB_CALLBACKS_API_URL", wire_to_hub.url)
    monkeypatch.setenv("HUB_CALLBACKS_API_KEY", hub.key)
    monkeypatch.setenv("HUB_CALLBACKS_UPLOAD_IMAGES", "false")
    monkeypatch.setenv("HUB_CALLBACKS_UPLOAD_WEIGHTS", "false")
    train(tmp_path)
    assert all(wire_to_hub.has_heard(picture(name)) for name in PLOTS), "the wiretap hears"
    assert not [name for name in IMAGES if wire_to_hub.has_heard(picture(name)[:200])]
    assert not wire_to_hub.has_heard(b"archive/data.pkl"), "a checkpoint has gone"


def test_artifacts_come_once_after_their_courier_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outbox_folder: OutboxFolder
) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_WAIT_S", "0")
    with FaultHub() as hub:
        monkeypatch.setenv("HUB_CALLBACKS_API_URL", hub.url)
        hub.hang(on="artifact")
        train(tmp_path)
        hub.wait_for(lambda hub: hub.met("artifact"), timeout_s=TIMEOUT_S)
        run = only_run(hub)
        assert run is not None
        assert [checkpoint.filename for checkpoint in run.checkpoints] == ["best.pt"], "the model goes first"
        kill_courier(outbox_folder)
        hub.heal()
        process.start(outbox_folder, Settings.load())
        hub.wait_for(lambda hub: names(hub).keys() == ALL, timeout_s=TIMEOUT_S)
        assert set(names(hub).values()) == {1}
        assert len(run.checkpoints) == 1


def test_rows_and_model_do_not_wait_for_artifacts_that_nobody_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outbox_folder: OutboxFolder
) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_WAIT_S", "0")
    with FaultHub() as hub:
        monkeypatch.setenv("HUB_CALLBACKS_API_URL", hub.url)
        hub.answer(422, on="artifact")
        train(tmp_path)
        hub.wait_for(lambda hub: len(hub.met("artifact")) == len(ALL), timeout_s=TIMEOUT_S)
        run = only_run(hub)
        assert run is not None
        hub.wait_for(lambda _: len(run.rows) == 3 and run.checkpoints and run.states, timeout_s=TIMEOUT_S)
