"""Unmodified hub-sdk against the hub. Each test runs it in a process of its own: it reads its address on import."""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hub_callbacks import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hubs import HubServer

BEGIN = """
import json, os, sys
from hub_sdk import HUBClient
client = HUBClient({"api_key": os.environ["KEY"]})
def tell(value):
    print("TOLD " + json.dumps(value))
"""


ERAS = ("0.0.6", "0.0.8", "0.0.12", "0.0.25")


@pytest.fixture(params=ERAS)
def version(request: pytest.FixtureRequest) -> str:
    """A release of hub-sdk."""
    return str(request.param)


@pytest.fixture(scope="session")
def eras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of each release of hub-sdk that is not the environment's own, as PyPI has it."""
    folder = tmp_path_factory.mktemp("eras")
    for release in set(ERAS) - {importlib.metadata.version("hub-sdk")}:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*command, "--target", str(folder / release), f"hub-sdk=={release}"], check=True, timeout=300)
    return folder


@pytest.fixture
def sdk(hub: HubServer, tmp_path: Path) -> Callable[[str], Any]:
    """Runs code with hub-sdk's ``client`` on the hub; what it passed to ``tell``."""
    env = {"ULTRALYTICS_HUB_API": hub.url, "ULTRALYTICS_HUB_WEB": hub.url, "KEY": hub.key}

    def run(code: str) -> Any:
        process = subprocess.run(
            [sys.executable, "-c", BEGIN + code],
            env={**os.environ, "HUB_CALLBACKS_DISABLE": "1", **env},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        told = [line for line in process.stdout.splitlines() if line.startswith("TOLD ")]
        assert told, process.stdout + process.stderr
        return json.loads(told[-1].removeprefix("TOLD "))

    return run


def create(hub: HubServer, name: str = "train") -> str:
    body = {"meta": {"name": name}, "config": {"epochs": "5"}, "dataset": {"name": "coco8.yaml"}}
    return str(hub.ask("POST", wire.MODELS, json=body)["id"])


def checkpoint(path: Path) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", b"weights")
    path.write_bytes(file.getvalue())
    return file.getvalue()


def test_sdk_signs_in(sdk: Callable[[str], Any]) -> None:
    assert sdk("tell(client.authenticated)") is True


def test_sdk_learns_of_a_wrong_key(sdk: Callable[[str], Any]) -> None:
    assert sdk('tell(HUBClient({"api_key": "x" * 42}).authenticated)') is False


def test_sdk_creates_a_model(hub: HubServer, sdk: Callable[[str], Any]) -> None:
    code = """
model = client.model()
model.create_model({"meta": {"name": "mine"}, "config": {"epochs": "5", "imageSize": "320"}})
tell([model.id, model.data["meta"]["name"], model.data["config"]["epochs"]])
"""
    model_id, name, epochs = sdk(code)
    assert (name, epochs) == ("mine", 5)
    assert hub.ask("GET", wire.model(model_id))["imgsz"] == 320


def test_sdk_reads_a_model(hub: HubServer, sdk: Callable[[str], Any]) -> None:
    model_id = create(hub)
    code = f"""
model = client.model({model_id!r})
tell([model.is_trained(), model.is_resumable(), model.has_best_weights(), model.get_dataset_url(), model.data["id"]])
"""
    assert sdk(code) == [False, False, False, "coco8.yaml", model_id]


def test_sdk_updates_and_deletes_a_model(hub: HubServer, sdk: Callable[[str], Any]) -> None:
    model_id = create(hub)
    code = f"""
model = client.model({model_id!r})
model.update({{"meta": {{"name": "other"}}}})
name = client.model({model_id!r}).data["meta"]["name"]
deleted = model.delete(hard=True).status_code
tell([name, deleted, client.model({model_id!r}).data])
"""
    assert sdk(code) == ["other", 200, {}]


def test_sdk_metrics_go_up_and_come_back(hub: HubServer, sdk: Callable[[str], Any]) -> None:
    code = f"""
model = client.model({create(hub)!r})
rows = {{1: json.dumps({{"loss/1": 0.5}}), 2: json.dumps({{"loss/1": float("nan")}})}}
tell([model.upload_metrics(rows).status_code, model.get_metrics()])
"""
    assert sdk(code) == [200, [{"meta": {"name": "loss/1"}, "data": {"1": 0.5, "2": "NaN"}}]]


def test_sdk_uploads_a_checkpoint_and_the_final_model(
    hub: HubServer, sdk: Callable[[str], Any], tmp_path: Path
) -> None:
    content, model_id = checkpoint(tmp_path / "w.pt"), create(hub)
    code = f"""
import requests
model = client.model({model_id!r})
first = model.upload_model(epoch=1, weights="w.pt", is_best=True)
resumable = client.model({model_id!r}).is_resumable()
last = model.upload_model(epoch=4, weights="w.pt", map=0.5, final=True)
list(last.iter_content(64 * 1024))
after = client.model({model_id!r})
urls = [after.get_weights_url("best"), after.get_weights_url("last")]
tell([first.status_code, resumable, last.status_code, after.is_trained(), urls,
      [requests.get(url).content.hex() for url in urls]])
"""
    first, resumable, last, trained, urls, bytes_hex = sdk(code)
    assert (first, resumable, last, trained) == (200, True, 200, True)
    assert f"{model_id}/best.pt" in urls[0]
    assert bytes_hex == [content.hex()] * 2


def test_sdk_pages_through_the_models(hub: HubServer, sdk: Callable[[str], Any]) -> None:
    ids = [create(hub) for _ in range(5)]
    code = """
page = client.model_list(page_size=2)
seen = [model["id"] for model in page.results]
while page.current_page < page.total_pages - 1:
    page.next()
    seen += [model["id"] for model in page.results]
page.previous()
tell([seen, len(page.results)])
"""
    seen, before_last = sdk(code)
    assert seen[:5] == ids[::-1]
    assert len(seen) == len(set(seen)) == hub.ask("GET", wire.MODELS)["total"]
    assert before_last == 2


def test_sdk_heartbeat_gets_its_agent_id(hub: HubServer, sdk: Callable[[str], Any]) -> None:
    code = f"""
import time
model = client.model({create(hub)!r})
model.start_heartbeat(60)
give_up_at = time.monotonic() + 20
while model.hub_client.agent_id is None and time.monotonic() < give_up_at:
    time.sleep(0.05)
tell(model.hub_client.agent_id)
sys.stdout.flush()
os._exit(0)  # its thread sleeps for a minute
"""
    assert len(sdk(code)) == 20


def test_sdk_is_told_that_this_hub_does_not_export(hub: HubServer, sdk: Callable[[str], Any]) -> None:
    assert sdk(f'tell(client.model({create(hub)!r}).export("onnx"))') is None


def test_sdk_of_every_era_does_all_it_can(hub: HubServer, eras: Path, tmp_path: Path, version: str) -> None:
    email, password = f"{wire.new_id()}@example.org", "correct horse battery"
    hub.ask("POST", wire.USERS, json={"email": email, "password": password})
    env = {
        "ULTRALYTICS_HUB_API": hub.url,
        "ULTRALYTICS_HUB_WEB": hub.url,
        "ULTRALYTICS_FIREBASE_AUTH_URL": hub.url + wire.SIGN_IN_EMAIL,
        "HUB_API_KEY": hub.key,
        "EMAIL": email,
        "PASSWORD": password,
        "HUB_CALLBACKS_DISABLE": "1",
    }
    env |= {"PYTHONPATH": str(eras / version)} if (eras / version).exists() else {}
    process = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("sdk_scenario.py"))],
        env={**os.environ, **env},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    line = process.stdout.splitlines()[-1] if process.stdout else ""
    assert line.startswith("TOLD "), process.stdout + process.stderr
    told = json.loads(line.removeprefix("TOLD "))
    told["models"]["are_whole"] = set(told["models"]["are_whole"])
    page = {"pages": [True] * 3, "raw": True, "public": 0, "total_pages": True}
    assert told == {
        "version": version,
        "sign_in": {
            "states": [True, True, True, False],
            "authenticated": [True, True, True, False],
            "is_later_known": True,
            "is_wrong_password_known": False,
            "teams": [True, True],
        },
        "models": {
            "data": {"meta": {"name": "other"}, "keep": [1], "imgsz": 320, "epochs": 5},
            "statuses": [200, 200, 200],
            "running": [True, True, False],
            "trained": [True, False, False],
            "architecture": None,
            "dataset": "",
            "metrics": [{"meta": {"name": "loss"}, "data": {"0": 0.5, "1": "NaN"}}],
            "are_whole": {True},
            "agent_chars": 20,
            "cloud": [None, None],  # so hub-sdk shows a refusal
            "is_listed": True,
            "deleted": [200, True],
        },
        "datasets": {
            "meta": {"name": "coco8", "note": "small"},
            "uploaded": 200,
            "is_in_url": True,
            "is_whole": True,
            "deleted": [200, True],
        },
        "projects": {"meta": {"name": "trucks"}, "uploaded": 200, "has_image": True, "deleted": [200, True]},
        "users": {"changed": 200, "name": "Eva", "role": "viewer", "deleted": 200},
        "lists": dict.fromkeys(("models", "datasets", "projects"), page),
        "not_called": [],
    }


@pytest.mark.parametrize(
    ("path", "command"),
    [("/v1/models/ID/export", "yolo export"), ("/get-export", "yolo export"), ("/v1/predict/ID", "yolo predict")],
)
def test_what_needs_the_cloud_is_refused_with_the_local_command(hub: HubServer, path: str, command: str) -> None:
    reply = hub.send("POST", path.replace("ID", create(hub)), json={"format": "onnx"})
    assert (reply.status_code, reply.json()["success"]) == (501, False)
    assert command in reply.json()["message"]
