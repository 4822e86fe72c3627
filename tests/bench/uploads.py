"""Checkpoints: what their delivery adds to the memory of both sides, how fast they go, what the end of a run costs."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from figures import Figure
from hub_callbacks import wire
from hub_callbacks.records import Checkpoint, RunStarted
from hub_callbacks.transport import HubApi, Upload
from hub_process import DEAD, HubProcess, serving, train

GROWTH_MB, RATIO, END_S, WAIT_S = 16.0, 0.9, 0.2, 2.0
SIZES = {"20 MB": 20_000_000, "136 MB": 136_000_000, "2 GB": 2_000_000_000}


def measure(*, rounds: int) -> Iterator[Figure]:
    """Figures of memory, throughput and the end of a training."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with serving(folder / "hub") as hub:
            yield from _memory(hub, folder)
            yield from _throughput(hub, folder, rounds=rounds)
            yield from _end(hub, folder, rounds=rounds)
        yield from _end_without_hub(folder)


def _memory(hub: HubProcess, folder: Path) -> Iterator[Figure]:
    for size, size_bytes in SIZES.items():
        arguments = ("--last-bytes", str(size_bytes), "--hub", str(hub.pid))
        said = train(folder / size, *arguments, url=hub.url, key=hub.key)
        for who in ("trainer", "courier"):
            yield Figure(name=f"growth of the {who}, {size}", value=said[f"{who}_mb"], unit="MB", limit=GROWTH_MB)
        yield Figure(name=f"growth of the hub, {size}", value=said["hub_mb"], unit="MB")


def _throughput(hub: HubProcess, folder: Path, *, rounds: int) -> Iterator[Figure]:
    file = _checkpoint(folder / "big.pt", SIZES["136 MB"])
    times = _upload_times(hub, file, rounds=rounds)
    ours, curls = (file.stat().st_size / 1e6 / statistics.median(taken) for taken in times)
    yield Figure(name="upload, 136 MB", value=ours, unit="MB/s")
    yield Figure(name="upload, 136 MB", of="curl", value=curls, unit="MB/s", beside=ours)
    yield Figure(name="upload, as a share of curl's", value=ours / curls, unit="", limit=RATIO, is_floor=True)


def _end(hub: HubProcess, folder: Path, *, rounds: int) -> Iterator[Figure]:
    """What is above the time that the same file takes by itself, to the same hub, in turns."""
    file, ends, uploads = _checkpoint(folder / "best.pt", SIZES["20 MB"]), [], []
    for turn in range(rounds):
        said = train(folder / f"end{turn}", "--best", str(file), url=hub.url, key=hub.key, wait_s=60)
        ends.append(said["end_s"])
        uploads.append(_upload_times(hub, file, rounds=1)[0][0])
    beyond = statistics.median(ends) - statistics.median(uploads)
    yield Figure(name="end of training beyond the upload, 20 MB", value=beyond, unit="s", limit=END_S)


def _end_without_hub(folder: Path) -> Iterator[Figure]:
    said = train(folder / "dead", "--no-hub", "--best", str(folder / "best.pt"), url=DEAD, key="", wait_s=WAIT_S)
    name = f"end of training with a dead hub, wait_s {WAIT_S:g}"
    yield Figure(name=name, value=said["end_s"], unit="s", limit=WAIT_S + 1)


def _checkpoint(path: Path, size_bytes: int) -> Path:
    """A zip archive of bytes that cannot be compressed, as a checkpoint is."""
    with zipfile.ZipFile(path, "w") as archive, archive.open("archive/data/0", "w", force_zip64=True) as file:
        for _ in range(size_bytes // 1_000_000):
            file.write(os.urandom(1_000_000))
    return path


def _upload_times(hub: HubProcess, file: Path, *, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of ours and of curl's, in turns."""
    api = HubApi(hub.url, hub.key)
    record = RunStarted(name="upload", epochs=1, started_at=time.time())
    model_id = api.create(wire.new_id(), record)
    ours, curls = [], []
    for turn in range(rounds):
        ours.append(_ours(api, model_id, file, epoch=2 * turn))
        curls.append(_curl(hub, model_id, file, epoch=2 * turn + 1))
    api.close()
    return ours, curls


def _ours(api: HubApi, model_id: str, file: Path, *, epoch: int) -> float:
    """As the courier sends it: hashed, so that it can be continued, verified before it is published."""
    size_bytes = file.stat().st_size
    record = Checkpoint(epoch=epoch, filename="last.pt", size_bytes=size_bytes, recorded_at=time.time())
    upload = Upload(checkpoint=record, path=file, on_created=lambda _: None, on_progress=lambda _: None)
    began = time.perf_counter()
    api.upload_resumably(model_id, upload)
    return time.perf_counter() - began


def _curl(hub: HubProcess, model_id: str, file: Path, *, epoch: int) -> float:
    """As any client of HUB v1 sends it: one form, nothing hashed, nothing verified but that it ends as a zip."""
    fields = {"epoch": epoch, "type": "epoch", "isBest": "False", file.name: f"@{file};filename=last.pt"}
    forms = [argument for field, text in fields.items() for argument in ("-F", f"{field}={text}")]
    key = f"{wire.API_KEY_HEADER}: {hub.key}"
    command = ["curl", "-sS", "--fail", "-o", os.devnull, "-w", "%{time_total}", "-H", key, *forms]
    done = subprocess.run([*command, hub.url + wire.upload(model_id)], capture_output=True, text=True, check=True)
    return float(done.stdout)
