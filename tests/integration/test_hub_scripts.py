"""Scripts that keep a session of a model of the hub themselves, with no trainer of Ultralytics, as they did of old."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hub_callbacks import HUBTrainingSession, wire
from hub_callbacks.courier import process
from hub_callbacks.errors import HubCallbacksError
from hub_callbacks.outbox import OutboxFolder
from hub_callbacks.settings import Settings
from tests.integration.processes import eventually, kill

if TYPE_CHECKING:
    from tests.hubs import HubServer

MODEL = {
    "meta": {"name": "made on the hub"},
    "config": {"epochs": 3, "batchSize": 8, "imageSize": 64, "patience": 5, "device": "cpu", "cache": "ram"},
    "dataset": {"name": "coco8.yaml"},
    "lineage": {"architecture": {"name": "yolo11n"}, "parent": {"name": "yolo11n.pt"}},
}


@pytest.fixture
def settings(hub: HubServer, tmp_path: Path) -> Iterator[Settings]:
    environ = {"HUB_CALLBACKS_DATA_DIR": str(tmp_path / "data")}
    yield replace(Settings.load(environ), api_url=hub.url, web_url=hub.url, api_key=hub.key)
    kill(process.pid(OutboxFolder.under(tmp_path / "data")))


@pytest.fixture
def page(hub: HubServer) -> str:
    return hub.url + wire.page(str(hub.ask("POST", wire.MODELS, json=MODEL)["id"]))


def open_session(page: str, settings: Settings) -> HUBTrainingSession:
    session = HUBTrainingSession.create_session(page, {"data": "my.yaml"}, settings=settings)
    assert session is not None
    return session


def weights(folder: Path) -> Path:
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        archive.writestr("archive/data.pkl", b"weights")
    path = folder / "best.pt"
    path.write_bytes(file.getvalue())
    return path


def send_rows(session: HUBTrainingSession, epochs: range, loss: float) -> None:
    """As the callbacks of Ultralytics 8.0 to 8.4.114 did."""
    for epoch in epochs:
        session.metrics_queue[epoch] = json.dumps({"train/box_loss": loss, "epoch": epoch})
    session.upload_metrics()
    session.metrics_queue = {}


def delivered(session: HUBTrainingSession) -> None:
    eventually(lambda: not session.status().pending)
    assert session.status().buried == ()


def on_hub(hub: HubServer, session: HUBTrainingSession) -> tuple[dict[str, Any], dict[int, float]]:
    told: dict[str, Any] = hub.ask("GET", wire.model(str(session.model_id)))
    (curve,) = [
        one["data"]
        for one in hub.ask("GET", wire.metrics(str(session.model_id)))
        if one["meta"]["name"] == "train/box_loss"
    ]
    return told, {int(epoch): loss for epoch, loss in curve.items()}


def test_script_trains_a_new_model_of_the_hub_to_its_end(
    hub: HubServer, settings: Settings, page: str, tmp_path: Path
) -> None:
    session = open_session(page, settings)
    assert (session.state, session.alive, session.agent_id) == ("new", False, None)  # to look at it begins nothing
    send_rows(session, range(2), 0.5)
    assert (session.alive, session.model_url) == (True, page)
    send_rows(session, range(2, 3), 0.25)
    eventually(lambda: session.agent_id)
    session.upload_model(2, str(weights(tmp_path)), is_best=True, map=0.5, final=True)
    session.finish()
    delivered(session)
    told, curve = on_hub(hub, session)
    assert curve == {0: 0.5, 1: 0.5, 2: 0.25}
    assert (told["status"], told["run"]["state"], told["run"]["epochs"]) == ("trained", "finished", 3)
    assert {name: told[name] for name in ("meta", "dataset", "lineage")} == {
        "meta": {"name": "made on the hub"},
        "dataset": {"name": "coco8.yaml"},
        "lineage": MODEL["lineage"],
    }
    assert (told["train_args"]["batch"], told["train_args"]["imgsz"], told["train_args"]["cache"]) == (8, 64, "ram")


def test_script_continues_a_model_of_the_hub_and_keeps_its_curve(
    hub: HubServer, settings: Settings, page: str, tmp_path: Path
) -> None:
    first = open_session(page, settings)
    send_rows(first, range(2), 0.5)
    first.upload_model(1, str(weights(tmp_path)), is_best=True)
    first.finish("crashed", "The machine is gone.")
    delivered(first)
    second = open_session(page, settings)
    assert (second.state, second.train_args) == ("resumable", {"data": "coco8.yaml", "resume": True})
    second.upload_model(2, str(weights(tmp_path)))  # before a row of it
    send_rows(second, range(2, 3), 0.25)
    second.finish()
    delivered(second)
    told, curve = on_hub(hub, second)
    assert curve == {0: 0.5, 1: 0.5, 2: 0.25}
    assert (told["run"]["state"], f"{second.model_id}-last-2.pt" in told["resume"]) == ("finished", True)


def test_session_of_a_trained_model_records_nothing(
    hub: HubServer, settings: Settings, page: str, tmp_path: Path
) -> None:
    path = weights(tmp_path)
    final = {"epoch": 2, "type": "final", "map": "0.5"}
    hub.ask("POST", wire.upload(page.rpartition("/")[2]), data=final, files={"best.pt": path.read_bytes()})
    session = open_session(page, settings)
    with pytest.raises(HubCallbacksError, match="no run"):
        session.upload_metrics()
    assert not OutboxFolder.under(settings.data_dir).has_records
