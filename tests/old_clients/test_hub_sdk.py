"""hub-sdk, the oldest and the newest that Ultralytics' last releases with HUB took, leads a model through its life."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.hubs import HubServer
    from tests.old_clients.conftest import OldClient

LIFE = """
import json, os, time, urllib.request
from hub_sdk import HUBClient

def tell(**facts):
    print("TOLD " + json.dumps(facts), flush=True)

client = HUBClient({"api_key": KEY})
tell(login=client.authenticated, wrong_key=HUBClient({"api_key": "x" * 42}).authenticated)
model = client.model()
config = {"batchSize": "8", "epochs": "3", "imageSize": "64", "device": "cpu", "cache": "False", "patience": "9"}
lineage = {"architecture": {"name": "yolov8n"}, "parent": {}}
model.create_model({"meta": {"name": "by hub-sdk"}, "config": config, "dataset": {"name": DATA}, "lineage": lineage})
new = client.model(model.id)
tell(id=model.id, start=[new.data["train_args"], new.get_architecture(), new.get_dataset_url(), new.is_resumable()])

model.start_heartbeat(1)
model.upload_metrics({0: json.dumps({"loss": 0.5}), 1: json.dumps({"loss": 0.25, "lr": 1e-3})})
first = model.upload_model(epoch=1, weights="last.pt", is_best=True)
half = client.model(model.id)
with urllib.request.urlopen(half.get_weights_url("last")) as reply:
    tell(checkpoint=first.status_code, resume=[half.is_resumable(), half.is_trained(), reply.read().hex()])

model.upload_metrics({2: json.dumps({"loss": 0.125})})
last = model.upload_model(epoch=2, weights="best.pt", map=0.5, final=True)
list(last.iter_content(1024))
done = client.model(model.id)
with urllib.request.urlopen(done.get_weights_url("best")) as reply:
    tell(final=last.status_code, trained=[done.is_trained(), reply.read().hex()], metrics=done.get_metrics())
tell(listed=[one["id"] for one in client.model_list(page_size=5).results])
time.sleep(1.5)  # into the second heartbeat
os._exit(0)  # the heartbeats have no end
"""


def checkpoint(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("archive/data.pkl"), content)  # the same bytes at any time
    return file.getvalue()


@pytest.fixture(scope="module", params=["hub-sdk 0.0.12", "hub-sdk 0.0.25"])
def client(request: pytest.FixtureRequest, make_client: Callable[[str, str], OldClient]) -> OldClient:
    client = make_client("", request.param.removeprefix("hub-sdk "))
    for name in ("last.pt", "best.pt"):
        (client.folder / name).write_bytes(checkpoint(name.encode()))
    client.tap.exchanges.clear()
    return client


@pytest.fixture(scope="module")
def told(client: OldClient) -> dict[str, Any]:
    """What a script with that hub-sdk saw."""
    output = client.run(f"KEY = {client.key!r}", "DATA = 'coco8.yaml'", LIFE)
    lines = [line.removeprefix("TOLD ") for line in output.splitlines() if line.startswith("TOLD ")]
    return {name: value for line in lines for name, value in json.loads(line).items()}


def test_login_is_taken(told: dict[str, Any]) -> None:
    assert (told["login"], told["wrong_key"]) == (True, False)


def test_create_makes_a_model(told: dict[str, Any], hub: HubServer) -> None:
    assert hub.ask("GET", wire.model(told["id"]))["meta"]["name"] == "by hub-sdk"
    assert told["id"] in told["listed"]


def test_start_gets_numbers_of_what_was_sent_as_words(told: dict[str, Any]) -> None:
    arguments = {"batch": 8, "epochs": 3, "imgsz": 64, "device": "cpu", "cache": False, "patience": 9}
    assert told["start"] == [{**arguments, "data": "coco8.yaml"}, "yolov8n.yaml", "coco8.yaml", False]


def test_resume_gets_the_last_checkpoint(told: dict[str, Any]) -> None:
    assert told["resume"] == [True, False, checkpoint(b"last.pt").hex()]


def test_trained_model_has_the_best_checkpoint(told: dict[str, Any], hub: HubServer) -> None:
    assert told["trained"] == [True, checkpoint(b"best.pt").hex()]
    assert hub.ask("GET", wire.model(told["id"]))["run"]["state"] == "finished"


def test_metrics_are_those_that_were_sent(told: dict[str, Any], client: OldClient) -> None:
    assert client.tap.rows(told["id"]) == {0: {"loss": 0.5}, 1: {"loss": 0.25, "lr": 0.001}, 2: {"loss": 0.125}}
    losses = {"meta": {"name": "loss"}, "data": {"0": 0.5, "1": 0.25, "2": 0.125}}
    assert told["metrics"] == [losses, {"meta": {"name": "lr"}, "data": {"1": 0.001}}]


def test_checkpoint_that_was_sent_is_there(told: dict[str, Any], hub: HubServer) -> None:
    assert (told["checkpoint"], told["final"]) == (200, 200)
    there = {(one["epoch"], one["isFinal"]): one["sha256"] for one in hub.ask("GET", wire.checkpoints(told["id"]))}
    files = {(1, False): b"last.pt", (2, True): b"best.pt"}
    assert there == {key: hashlib.sha256(checkpoint(name)).hexdigest() for key, name in files.items()}


def test_heartbeat_goes_on_with_the_agent_id_of_the_first(told: dict[str, Any], client: OldClient) -> None:
    first, second, *_ = client.tap.find("POST", wire.heartbeat(told["id"]))
    assert first.sent["agentId"] is None
    assert second.sent["agentId"] == first.received["data"]["agentId"]


def test_nothing_but_the_wrong_key_is_refused(told: dict[str, Any], client: OldClient) -> None:
    refused = [(one.path, one.status) for one in client.tap.exchanges if one.status >= 400]
    assert refused == [(wire.AUTH, 401)]
