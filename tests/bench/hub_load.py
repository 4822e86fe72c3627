"""20 clients that report as fast as they are answered: to the hub on SQLite and on PostgreSQL, and to MLflow's server.

All of them run at once and are measured in turns, so that a moment in which the machine is busy is busy for each.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Protocol

import requests

from figures import Figure
from hub_callbacks import wire
from hub_clients import Connection, Outcome, drive, post
from hub_pages import NAMES
from hub_peers import MlflowProcess, serving_mlflow, serving_postgres
from hub_process import HubProcess, serving
from memory import held_together_mb, peak_mb

WORKERS = 2  # the cores that are meant; MLflow's server has four by itself
CLIENTS, ROWS = 20, 10  # rows of a request: epochs that have waited for the line to come back
WIDTHS = (15, 1)  # numbers in a row: what a training of Ultralytics logs; what a batch of MLflow's own examples has
RATIO, SHARE, MEMORY_MB = 10.0, 0.1, 250.0
WARM_UP_S = 3.0
Row = Mapping[str, float]


class Target(Protocol):
    """A server that takes rows."""

    url: str

    def new_run(self) -> str: ...

    def request(self, run: str, rows: Mapping[int, Row]) -> bytes: ...


class HubTarget:
    def __init__(self, hub: HubProcess) -> None:
        self.url, self._key = hub.url, {wire.API_KEY_HEADER: hub.key}
        self._started_at = time.time()
        self._headers = {**self._key, wire.ATTEMPT_HEADER: repr(self._started_at)}

    def new_run(self) -> str:
        run = wire.new_id()
        body = {"id": run, "meta": {"name": "load"}, "run": {"startedAt": self._started_at}}
        requests.post(self.url + wire.MODELS, json=body, headers=self._key, timeout=60).raise_for_status()
        return run

    def request(self, run: str, rows: Mapping[int, Row]) -> bytes:
        """As the courier sends it."""
        texts = {str(epoch): json.dumps(row) for epoch, row in rows.items()}
        body = json.dumps({"type": "metrics", "metrics": texts})
        return post(self.url, wire.model(run), body.encode(), self._headers)


class MlflowTarget:
    def __init__(self, server: MlflowProcess) -> None:
        self.url = server.url

    def new_run(self) -> str:
        body = {"experiment_id": "0", "start_time": 1}
        reply = requests.post(f"{self.url}/api/2.0/mlflow/runs/create", json=body, timeout=60)
        return str(reply.json()["run"]["info"]["run_id"])

    def request(self, run: str, rows: Mapping[int, Row]) -> bytes:
        """As its client logs a batch; its names have no brackets."""
        entries = [
            {"key": name.replace("(", ".").replace(")", ""), "value": value, "timestamp": 1, "step": epoch}
            for epoch, row in rows.items()
            for name, value in row.items()
        ]
        body = json.dumps({"run_id": run, "metrics": entries})
        return post(self.url, "/api/2.0/mlflow/runs/log-batch", body.encode(), {})


def measure(*, seconds: float, rounds: int) -> Iterator[Figure]:
    """Figures of each server, of ours against theirs, and of PostgreSQL against SQLite."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with (
            serving(folder / "sqlite") as sqlite,
            _serving_postgres(folder / "one") as one,
            _serving_postgres(folder / "several", "--workers", str(WORKERS)) as several,
            serving_mlflow(folder / "mlflow") as mlflow,
        ):
            targets: dict[str, Target] = {
                "": HubTarget(sqlite),
                "hub-callbacks, PostgreSQL": HubTarget(one),
                f"hub-callbacks, PostgreSQL, {WORKERS} workers": HubTarget(several),
                f"mlflow {version('mlflow')}, SQLite": MlflowTarget(mlflow),
            }
            for width in WIDTHS:
                yield from _compared(targets, width, seconds=seconds, rounds=rounds)
            yield Figure(name="memory under that load", value=peak_mb(sqlite.pid), unit="MB", limit=MEMORY_MB)
            for of, pid in zip(list(targets)[1:], (one.pid, several.pid, mlflow.pid), strict=True):
                yield Figure(name="memory under that load", of=of, value=held_together_mb(pid), unit="MB")


@contextmanager
def _serving_postgres(folder: Path, *options: str) -> Iterator[HubProcess]:
    folder.mkdir()
    with serving_postgres(folder) as database, serving(folder / "hub", "--database-url", database, *options) as hub:
        yield hub


def _compared(targets: Mapping[str, Target], width: int, *, seconds: float, rounds: int) -> Iterator[Figure]:
    what = f"{CLIENTS} clients, {ROWS} rows of {width} a request"
    outcomes = _in_turns(targets, width, seconds=seconds, rounds=rounds)
    rates = {of: statistics.median(one.rate for one in each) for of, each in outcomes.items()}
    waits = {of: statistics.median(one.p99_ms for one in each) for of, each in outcomes.items()}
    ours, one, several, theirs = targets
    for of in targets:
        yield Figure(name=f"{what}, a second", of=of, value=rates[of], unit="", beside=rates[ours] if of else None)
    for of in targets:
        yield Figure(name=f"{what}, p99", of=of, value=waits[of], unit="ms", beside=waits[ours] if of else None)
    value = rates[ours] / rates[theirs]
    yield Figure(name=f"{what}: MLflow's rate, times", value=value, unit="", limit=RATIO, is_floor=True)
    value = waits[ours] / waits[theirs]
    yield Figure(name=f"{what}: MLflow's p99, times", value=value, unit="", limit=SHARE)
    for of, limit in ((one, None), (several, 1)):
        value = rates[of] / rates[ours]
        yield Figure(name=f"{what}: SQLite's rate, times", of=of, value=value, unit="", limit=limit, is_floor=True)
    failures = [failure for each in outcomes.values() for one in each for failure in one.failures]
    yield Figure(name=f"{what}: errors", of="all", value=len(failures), unit="", limit=0)
    share = max(one.client_s / one.took_s for each in outcomes.values() for one in each)
    yield Figure(name=f"{what}: of a core, for the clients", of="all", value=100 * share, unit="%")


def _in_turns(
    targets: Mapping[str, Target], width: int, *, seconds: float, rounds: int
) -> Mapping[str, Sequence[Outcome]]:
    """What each came to in each round; what comes first, while caches fill and workers start, does not count."""
    outcomes: dict[str, list[Outcome]] = {of: [] for of in targets}
    runs = {of: [_reports(target, target.new_run(), width) for _ in range(CLIENTS)] for of, target in targets.items()}
    for of, target in targets.items():
        _drive(target, runs[of], seconds=WARM_UP_S)
    for _ in range(rounds):
        for of in random.sample(list(targets), len(targets)):
            outcomes[of].append(_drive(targets[of], runs[of], seconds=seconds))
    return outcomes


def _drive(target: Target, runs: Sequence[Iterator[bytes]], *, seconds: float) -> Outcome:
    """On new connections: MLflow's server ends those on which nothing came for five seconds."""
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(Connection(target.url))) for _ in runs]
        return drive(list(zip(connections, runs, strict=True)), seconds=seconds)


def _reports(target: Target, run: str, width: int) -> Iterator[bytes]:
    rows = [{name: random.random() for name in NAMES[:width]} for _ in range(ROWS)]
    for first in count(step=ROWS):
        yield target.request(run, {first + place: row for place, row in enumerate(rows)})
