"""What operators watch and do: whether a hub can serve, its numbers, its access log, and its graceful stop."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import requests

from hub_callbacks import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.hubs import HubServer
    from tests.integration.conftest import TusClient

TIMEOUT_S = 60


def test_hub_is_ready_while_its_database_and_files_answer(hub: HubServer) -> None:
    for path in (wire.HEALTH, wire.READY):
        assert requests.get(hub.url + path, timeout=30).json()["success"] is True


def test_hub_without_its_files_is_not_ready_and_says_so(start_hub: Callable[..., HubServer], tmp_path: Path) -> None:
    hub = start_hub(tmp_path)
    shutil.rmtree(tmp_path / "hub" / "blobs")
    reply = requests.get(hub.url + wire.READY, timeout=30)
    assert (reply.status_code, reply.json()["message"]) == (503, "The hub's store of files does not answer.")
    assert requests.get(hub.url + wire.HEALTH, timeout=30).ok


def test_numbers_count_requests_by_route_and_what_the_store_holds(hub: HubServer) -> None:
    hub.ask("POST", wire.MODELS, json={})
    requests.get(f"{hub.url}/no/such/{wire.new_id()}", timeout=30)
    text = hub.send("GET", wire.NUMBERS).text
    counted = dict(re.findall(r"^(\S+) (\S+)$", text, re.MULTILINE))
    assert float(counted['hub_callbacks_requests_total{method="POST",route="/v1/models",status="200"}']) >= 1
    assert float(counted['hub_callbacks_requests_total{method="GET",route="none",status="404"}']) >= 1
    assert float(counted['hub_callbacks_things{kind="runs"}']) >= 1
    assert float(counted["hub_callbacks_requests_in_flight"]) == 1


def test_numbers_need_a_key(hub: HubServer) -> None:
    assert requests.get(hub.url + wire.NUMBERS, timeout=30).status_code == 401


@contextmanager
def serve(data_dir: Path, **settings: str) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    """A hub as an operator serves it, with settings: its address, the admin's key, and its process."""
    environ = {f"HUB_CALLBACKS_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-c", "from hub_callbacks.cli import main; main()", "serve", "--port", "0"]
    with subprocess.Popen(
        command,
        env={**os.environ, "HUB_CALLBACKS_DATA_DIR": str(data_dir), **environ},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url, key = (process.stdout.readline().split()[-1] for _ in range(2))
        try:
            yield url, key, process
        finally:
            process.terminate()


def test_hub_behind_a_proxy_answers_to_its_name(tmp_path: Path) -> None:
    with serve(tmp_path, hosts="hub.example.com") as (url, _, _):
        for name, status in {"hub.example.com": 200, "HUB.example.com:8443": 200, "other.example.com": 421}.items():
            assert requests.get(url + wire.HEALTH, headers={"host": name}, timeout=30).status_code == status
        assert requests.get(url + wire.HEALTH, timeout=30).ok  # what the processes of its machine call it


def test_hub_keeps_as_many_checkpoints_as_it_is_told(tmp_path: Path) -> None:
    with serve(tmp_path, keep_checkpoints="1") as (url, key, _), requests.Session() as session:
        session.headers[wire.API_KEY_HEADER] = key
        model_id = session.post(url + wire.MODELS, json={}, timeout=30).json()["data"]["id"]
        for epoch in range(3):
            content = b"PK\x03\x04" + bytes([epoch]) * 1000 + b"PK\x05\x06" + bytes(18)
            form = {"epoch": epoch, "type": "epoch", "isBest": str(epoch == 0)}
            assert session.post(url + wire.upload(model_id), data=form, files={"last.pt": content}, timeout=30).ok
        kept = session.get(url + wire.checkpoints(model_id), timeout=30).json()["data"]
        assert [one["epoch"] for one in kept] == [2, 0]  # the newest, and the best
        assert all(session.get(one["url"], timeout=30).ok for one in kept)
    assert len([path for path in (tmp_path / "hub" / "blobs").rglob("*") if path.is_file()]) == 2


@pytest.mark.parametrize("form", ["json", "text"])
def test_access_log_has_a_line_for_each_request_and_no_secret(form: str, tmp_path: Path) -> None:
    with serve(tmp_path, access_log=form) as (url, key, process):
        requests.post(url + wire.MODELS, headers={wire.API_KEY_HEADER: key}, json={}, timeout=30)
        requests.get(f"{url}/models/{key}", params={"token": "SECRET"}, timeout=30, allow_redirects=False)
        process.terminate()
        lines = str(process.communicate(timeout=TIMEOUT_S)[0]).splitlines()
        assert process.returncode == 0
    assert len(lines) == 2
    assert not [line for line in lines if key in line or "SECRET" in line]
    if form == "json":
        created, page = map(json.loads, lines)
        assert {"method": "POST", "path": "/v1/models", "route": "/v1/models", "status": 200}.items() <= created.items()
        assert (page["path"], page["client"]) == ("/models/...", "127.0.0.1")
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", created["time"])
        assert created["sent_bytes"] > 0 < created["duration_ms"]
    else:
        assert " 127.0.0.1 POST /v1/models 200 " in lines[0]


def test_access_log_has_one_line_for_a_path_with_a_line_break(tmp_path: Path) -> None:
    with serve(tmp_path, access_log="text") as (url, _, process):
        requests.get(f"{url}/v1/x%0A2026-01-01T00:00:00.000Z 127.0.0.1 GET /forged 200 1 ms", timeout=30)
        process.terminate()
        lines = str(process.communicate(timeout=TIMEOUT_S)[0]).splitlines()
    assert len(lines) == 1


def test_hub_that_is_stopped_finishes_the_upload_in_progress(own_tus: TusClient) -> None:
    content, process = own_tus.content, own_tus.hub.process
    location, before = own_tus.begin(content), own_tus.files()
    stuck = own_tus.stuck(location, content)
    own_tus.ask_until(location, lambda: own_tus.files() > before)
    process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)  # it waits for the last byte
    assert stuck.go_on().startswith(b"HTTP/1.1 204 ")
    assert process.wait(TIMEOUT_S) == 0
    (name,) = own_tus.files()
    assert (own_tus.hub.data_dir / "hub" / "blobs" / name[:2] / name).read_bytes() == content
