"""A large checkpoint up and down, beside a copy of the same file on the same disk, in turns."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from figures import Figure
from hub_callbacks import wire
from hub_process import HubProcess, serving
from memory import forget_peak, peak_mb

GROWTH_MB, SHARE = 32.0, 0.8
BLOCK_BYTES = 1 << 20
_TIMEOUT_S = 600.0


def measure(*, gigabytes: float, rounds: int) -> Iterator[Figure]:
    """Figures of the hub's memory, and of its speed against the disk's."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        file = _checkpoint(folder / "last.pt", int(gigabytes * 1e9))
        with serving(folder / "data") as hub:
            turns = [_turn(hub, file) for _ in range(rounds)]
    size = f"{gigabytes:g} GB"
    copy, *ways = (statistics.median(turn[way] for turn in turns) for way in ("copy", "up", "down"))
    yield Figure(name=f"{size} on the disk", of="its own copy", value=1000 * gigabytes / copy, unit="MB/s")
    for way, took_s in zip(("up", "down"), ways, strict=True):
        yield Figure(name=f"{size} {way}", value=1000 * gigabytes / took_s, unit="MB/s")
        name = f"{size} {way}, as a share of the copy's speed"
        yield Figure(name=name, value=copy / took_s, unit="", limit=SHARE, is_floor=True)
        growth_mb = max(turn[f"{way} MB"] for turn in turns)
        yield Figure(name=f"{size} {way}, growth of the hub", value=growth_mb, unit="MB", limit=GROWTH_MB)


def _checkpoint(path: Path, size_bytes: int) -> Path:
    """What begins as a zip archive, and cannot be compressed; nobody hashes or unpacks it before it is sent."""
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        while (left := size_bytes - file.tell()) > 0:
            file.write(os.urandom(min(left, BLOCK_BYTES)))
        os.fsync(file.fileno())
    return path


def _turn(hub: HubProcess, file: Path) -> dict[str, float]:
    """Seconds of each way, and what the hub's memory grew by. Copy and way up end when the bytes are on the disk."""
    other = file.with_suffix(".copy")
    run = str(_ask(hub, "POST", wire.MODELS, json={"meta": {"name": "large"}}).json()["data"]["id"])
    told = {"copy": _timed(lambda: _copy(file, other))}
    other.unlink()
    before_mb = forget_peak(hub.pid)
    told |= {"up": _timed(lambda: _upload(hub, run, file)), "up MB": peak_mb(hub.pid) - before_mb}
    before_mb = forget_peak(hub.pid)
    told |= {"down": _timed(lambda: _download(hub, run, file)), "down MB": peak_mb(hub.pid) - before_mb}
    _ask(hub, "DELETE", f"{wire.model(run)}?hard=true")
    return told


def _timed(work: Callable[[], None]) -> float:
    began_at = time.perf_counter()
    work()
    return time.perf_counter() - began_at


def _copy(file: Path, other: Path) -> None:
    shutil.copyfile(file, other)  # in the kernel, as cp does
    with other.open("rb+") as copied:
        os.fsync(copied.fileno())


def _upload(hub: HubProcess, run: str, file: Path) -> None:
    """One request that brings all of it; the client reads the file, and does nothing else with it."""
    size_bytes = file.stat().st_size
    metadata = wire.upload_metadata({"filename": "last.pt", "epoch": 0, "type": "epoch", "isBest": False})
    tus = {wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION}
    said = {**tus, wire.UPLOAD_LENGTH_HEADER: str(size_bytes), wire.UPLOAD_METADATA_HEADER: metadata}
    where = _ask(hub, "POST", wire.uploads(run), headers=said).headers["location"]
    headers = {**tus, wire.UPLOAD_OFFSET_HEADER: "0", "content-type": wire.TUS_CONTENT_TYPE}
    with file.open("rb") as body:
        connection = _ask_for(hub, "PATCH", where, {**headers, "content-length": str(size_bytes)})
        connection.sock.sendfile(body)
        reply = connection.getresponse()
        if reply.status != 204:
            raise RuntimeError(reply.read().decode())


def _download(hub: HubProcess, run: str, file: Path) -> None:
    """One request for all of it, which the client counts and throws away: its own disk is not what is measured."""
    url = str(_ask(hub, "GET", wire.checkpoints(run)).json()["data"][0]["url"])
    reply = _ask_for(hub, "GET", url.removeprefix(hub.url), {}).getresponse()
    block = memoryview(bytearray(BLOCK_BYTES))
    left = file.stat().st_size
    while size_bytes := reply.readinto(block):
        left -= size_bytes
    if left:
        raise RuntimeError(f"{left} bytes did not come back.")


def _ask_for(hub: HubProcess, method: str, path: str, headers: dict[str, str]) -> HTTPConnection:
    """A connection over which the request's head has gone."""
    connection = HTTPConnection(urlsplit(hub.url).netloc, timeout=_TIMEOUT_S)
    connection.putrequest(method, path)
    for name, value in {**headers, wire.API_KEY_HEADER: hub.key}.items():
        connection.putheader(name, value)
    connection.endheaders()
    return connection


def _ask(hub: HubProcess, method: str, path: str, **options: Any) -> requests.Response:
    headers = {wire.API_KEY_HEADER: hub.key, **options.pop("headers", {})}
    response = requests.request(method, hub.url + path, headers=headers, timeout=_TIMEOUT_S, **options)
    response.raise_for_status()
    return response
