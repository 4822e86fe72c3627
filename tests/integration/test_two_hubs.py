"""Two hub processes on one PostgreSQL and one bucket: what one was told the other knows, also when the one is dead."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from hub_callbacks import wire
from hub_callbacks.courier.process import pid
from hub_callbacks.outbox import OutboxFolder
from tests.integration.processes import eventually, kill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.hubs import HubServer
    from tests.integration.conftest import Line, TusClient
    from tests.stores import Bucket

    Pair = tuple[HubServer, HubServer]

TIMEOUT_S = 120.0
SIZE_BYTES = 6 * wire.TUS_CHUNK_BYTES
LOST_BYTES = 2 * wire.TUS_CHUNK_BYTES + 200_000  # a part that was not full, what the systems' buffers held, headers
TRAINING = """
import pathlib, sys
from hub_callbacks.callbacks.hub import callbacks
from hub_callbacks.testing import StubTrainer
StubTrainer(pathlib.Path(sys.argv[1]), epochs=3, callbacks=callbacks, checkpoint_bytes=int(sys.argv[2])).train()
"""


@pytest.fixture
def pair(
    start_hub: Callable[..., HubServer],
    create_database: Callable[[], str],
    create_bucket: Callable[[], Bucket],
    tmp_path: Path,
) -> Pair:
    database, bucket = ("--database-url", create_database()), create_bucket()
    first = start_hub(tmp_path / "first", *database, bucket=bucket)
    return first, start_hub(tmp_path / "second", *database, bucket=bucket, key=first.key)


@pytest.fixture
def clients(pair: Pair, create_client: Callable[..., TusClient]) -> tuple[TusClient, TusClient]:
    """A client of each hub, with the same model."""
    first = create_client(pair[0])
    return first, replace(first, hub=pair[1])


def test_upload_goes_on_at_the_other_hub(clients: tuple[TusClient, TusClient]) -> None:
    first, second = clients
    content = first.content + bytes(9 << 20)
    location = first.begin(content)
    assert second.begin(content) == location
    size = 0
    for client, step in ((first, 1000), (second, 5 << 20), (first, len(content))):
        assert client.offset(location) == size
        part = content[size : size + step]
        assert client.patch(location, size, part).status_code == 204
        size += len(part)
    for client in clients:
        (found,) = client.published()
        assert requests.get(found["url"], timeout=30).content == content
    (found,) = first.published()
    other = found["url"].replace(first.hub.url, second.hub.url)  # what one has signed opens the file at the other
    assert requests.get(other, timeout=30).content == content


def test_second_writer_is_refused_at_the_other_hub_until_the_first_hub_is_dead(
    clients: tuple[TusClient, TusClient],
) -> None:
    first, second = clients
    content = first.content + bytes(9 << 20)
    location, before = first.begin(content), first.files()
    stuck = first.stuck(location, content)
    second.ask_until(location, lambda: first.files() > before)
    assert second.patch(location, 0, content).status_code == 423
    first.kill_hub()
    stuck.break_off()
    second.ask_until(location, lambda: second.probe(location) == 409)
    assert second.offset(location) == 0  # the chunk had a checksum, and its end never came
    assert second.patch(location, 0, content).status_code == 204
    assert len(second.published()) == 1


def test_metrics_and_pages_follow_at_either_hub(pair: Pair) -> None:
    first, second = pair
    model_id = first.ask("POST", wire.MODELS, json={"meta": {"name": "followed"}, "run": {"startedAt": time.time()}})[
        "id"
    ]
    browser = requests.Session()
    browser.get(first.url + first.ask("POST", wire.SIGN_IN)["url"], timeout=30)
    for epoch, hub in enumerate((first, second, first)):
        rows = {str(epoch): '{"metrics/mAP50-95(B)": 0.5}'}
        hub.ask("POST", wire.model(model_id), json={"type": "metrics", "metrics": rows})
    for hub in pair:
        (series,) = hub.ask("GET", wire.metrics(model_id))
        assert list(series["data"]) == ["0", "1", "2"]
        followed = browser.get(f"{hub.url}/live/models/{model_id}", params={"since": 0}, timeout=30)
        assert followed.json()["rows"]["epochs"] == [0, 1, 2]


def test_run_whose_hub_is_killed_during_its_upload_ends_with_its_receipt(
    pair: Pair,
    create_line: Callable[..., Line],
    machine: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    line = create_line(*pair)
    environ = {"HUB_CALLBACKS_API_URL": line.url, "HUB_CALLBACKS_API_KEY": pair[0].key, "HUB_CALLBACKS_WAIT_S": "0"}
    machine("-c", TRAINING, str(tmp_path / "runs"), str(SIZE_BYTES), **environ)
    eventually(lambda: line.sent_bytes > SIZE_BYTES // 2, timeout_s=TIMEOUT_S)
    pair[0].process.kill()
    command = ("-c", "from hub_callbacks.cli import main; main()")
    synced = machine(*command, "sync", "--wait", "100", **environ)
    assert (synced.returncode, synced.stdout) == (0, "Nothing is left to deliver.\n")
    (run,) = json.loads(machine(*command, "status", "--json", **environ).stdout)["runs"]
    assert (run["state"], run["epochs_acknowledged"], run["checkpoints_acknowledged"]) == ("finished", 3, 1)
    (found,) = pair[1].ask("GET", wire.checkpoints(run["id"]))
    assert found["sha256"] == hashlib.sha256((tmp_path / "runs" / "weights" / "best.pt").read_bytes()).hexdigest()
    assert line.sent_bytes <= SIZE_BYTES + LOST_BYTES


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Runs Python on a machine with a data folder of its own."""
    data_dir = tmp_path / "data"

    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "HUB_CALLBACKS_DATA_DIR": str(data_dir), **environ}
        command = [sys.executable, *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)

    yield run
    for _ in range(2):  # a second courier may have waited for the first to end
        kill(pid(OutboxFolder.under(data_dir)))
