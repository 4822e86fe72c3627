"""1,000 runs that all report each of their epochs at the same moment, and what the store has of it afterwards."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy import select

from figures import Figure
from hub_callbacks import wire
from hub_callbacks.server.folder import open_folder
from hub_callbacks.server.store.schema import metrics, models
from hub_clients import Connection, Outcome, drive, post
from hub_pages import NAMES
from hub_process import HubProcess, serving

RUNS = 1000
EPOCH_S = 3.0  # the least between two reports of a run: the session's own limit


def measure(*, minutes: float) -> Iterator[Figure]:
    """Figures of so many minutes."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        runs = _create(Path(name))
        with serving(Path(name)) as hub:
            outcomes = _report(hub, runs, minutes=minutes)
        lost = _lost(Path(name), runs, epochs=len(outcomes))
    what = f"{RUNS} runs at once, {minutes:g} minutes"
    seconds = sorted(second for one in outcomes for second in one.seconds)
    yield Figure(name=f"{what}: reports", value=len(seconds), unit="")
    yield Figure(name=f"{what}: errors", value=sum(len(one.failures) for one in outcomes), unit="", limit=0)
    yield Figure(name=f"{what}: rows lost", value=lost, unit="", limit=0)
    yield Figure(name=f"{what}: until all are answered, slowest", value=max(one.took_s for one in outcomes), unit="s")


def _create(folder: Path) -> Sequence[str]:
    with open_folder(folder) as opened:
        owner = opened.store.create_user("ada", "admin").user_id
        body = {"meta": {"name": "one of many"}, "run": {"startedAt": time.time()}}
        return [opened.store.create_model(body, owner=owner).id for _ in range(RUNS)]


def _report(hub: HubProcess, runs: Sequence[str], *, minutes: float) -> list[Outcome]:
    """What each epoch came to; the next begins when all have an answer, and `EPOCH_S` have passed."""
    connections = [Connection(hub.url) for _ in runs]
    outcomes: list[Outcome] = []
    over_at = time.monotonic() + 60 * minutes
    while (began_at := time.monotonic()) < over_at:
        requests = [[_request(hub, run, place, len(outcomes))] for place, run in enumerate(runs)]
        outcomes.append(drive(list(zip(connections, requests, strict=True))))
        time.sleep(max(0.0, began_at + EPOCH_S - time.monotonic()))
    return outcomes


def _request(hub: HubProcess, run: str, place: int, epoch: int) -> bytes:
    text = json.dumps({"type": "metrics", "metrics": {str(epoch): json.dumps(_row(place, epoch))}})
    return post(hub.url, wire.model(run), text.encode(), {wire.API_KEY_HEADER: hub.key})


def _row(place: int, epoch: int) -> Mapping[str, float]:
    return {name: place + epoch / 1000 + number / 1e6 for number, name in enumerate(NAMES)}


def _lost(folder: Path, runs: Sequence[str], *, epochs: int) -> int:
    """How many rows are not in the store as they were sent."""
    wanted = select(models.c.id, metrics.c.epoch, metrics.c.row_json).join(models, models.c.seq == metrics.c.model_seq)
    with open_folder(folder) as opened, opened.store.database.read() as connection:
        found = {(run, epoch): text for run, epoch, text in connection.execute(wanted)}
    return sum(
        json.loads(found.get((run, epoch), "null")) != _row(place, epoch)
        for place, run in enumerate(runs)
        for epoch in range(epochs)
    )
