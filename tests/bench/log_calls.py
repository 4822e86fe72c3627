"""What a log call costs the training thread, what it leaves behind when the process is killed, and what it weighs.

Every logger runs in a process of its own, which kills itself right after its last call; they take turns. The first half
of the calls is 10 ms apart: a plain loop. Before each call of the second half the thread works on more memory than the
processor's caches hold, as an epoch does: little of a logger is left in them then.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from figures import Figure
from loggers import LOGGERS, Row, title

P50_MS, P99_MS, LOST = 0.1, 0.5, 0.0
CALLS = 1000  # the second half after work
GAP_S = 0.01
_WORK_BYTES = 24_000_000
_NAMES = (
    *(f"train/{name}_loss" for name in ("box", "cls", "dfl")),
    *(f"metrics/{name}" for name in ("precision", "recall", "mAP50", "mAP50-95", "fitness", "speed")),
    *(f"val/{name}_loss" for name in ("box", "cls", "dfl")),
    *(f"lr/pg{number}" for number in range(3)),
)
_OURS = "hub-callbacks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One process' calls.

    Attributes:
        loop_p50_ms: Of its calls in the plain loop.
        loop_p99_ms: Of its calls in the plain loop.
        work_p50_ms: Of its calls after work.
        work_p99_ms: Of its calls after work.
        lost: Rows that were logged, and were not there after the kill.
        memory_mb: Resident memory that the logger added, from before its import to after its last call.
    """

    loop_p50_ms: float
    loop_p99_ms: float
    work_p50_ms: float
    work_p99_ms: float
    lost: int
    memory_mb: float


def measure(*, rounds: int) -> Iterator[Figure]:
    """Figures of all loggers: the median of the rounds."""
    runs: dict[str, list[Run]] = {name: [] for name in LOGGERS}
    for turn in range(rounds):
        for name in random.Random(turn).sample(list(LOGGERS), len(LOGGERS)):
            runs[name].append(_run(name))
    yield from _figures(runs, "log call, p50", "loop_p50_ms", "ms", limit=P50_MS)
    yield from _figures(runs, "log call, p99", "loop_p99_ms", "ms", limit=P99_MS)
    yield from _figures(runs, "log call after work, p50", "work_p50_ms", "ms", limit=P50_MS)
    yield from _figures(runs, "log call after work, p99", "work_p99_ms", "ms", limit=P99_MS)
    yield from _figures(runs, f"rows lost of {CALLS} by kill -9", "lost", "", limit=LOST)
    yield from _figures(runs, "memory added to the trainer", "memory_mb", "MB")


def _figures(
    runs: dict[str, list[Run]], name: str, attribute: str, unit: str, *, limit: float | None = None
) -> Iterator[Figure]:
    values = {of: statistics.median(getattr(run, attribute) for run in those) for of, those in runs.items()}
    ours = values.pop(_OURS)
    yield Figure(name=name, value=ours, unit=unit, limit=limit)
    for of, value in values.items():
        yield Figure(name=name, of=title(of), value=value, unit=unit, beside=ours)


def _run(name: str) -> Run:
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        _child(name, folder, "log", expected=-signal.SIGKILL)
        kept = int(_child(name, folder, "count", expected=0))
        said = json.loads((Path(folder) / "said.json").read_text())
    loop, work = sorted(said["ms"][: CALLS // 2]), sorted(said["ms"][CALLS // 2 :])
    return Run(
        loop_p50_ms=statistics.median(loop),
        loop_p99_ms=loop[len(loop) * 99 // 100],
        work_p50_ms=statistics.median(work),
        work_p99_ms=work[len(work) * 99 // 100],
        lost=CALLS - kept,
        memory_mb=said["memory_mb"],
    )


def _child(name: str, folder: str, action: str, *, expected: int) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HUB_CALLBACKS_")}
    command = [sys.executable, str(Path(__file__)), name, folder, action]
    said = Path(folder) / "output.txt"
    with said.open("w") as output:  # a file, since a pipe is held open by processes that outlive the logger's
        code = subprocess.run(command, env=kept, stdout=output, stderr=output, timeout=600, check=False).returncode
    if code != expected:
        raise RuntimeError(f"{name} {action}: {code} {said.read_text()}")
    return said.read_text().splitlines()[-1] if action == "count" else ""


def _log(name: str, folder: Path) -> None:
    """Make the calls, say how they went, and die."""
    process, milliseconds, work = psutil.Process(), [], os.urandom(_WORK_BYTES)
    before = process.memory_info().rss
    logger = LOGGERS[name](folder)
    for step in range(CALLS):
        row = _row(step)
        logger.prepare(step, row)
        if step < CALLS // 2:
            time.sleep(GAP_S)
        else:
            hashlib.sha256(work).digest()
        began = time.perf_counter()
        logger.log(step, row)
        milliseconds.append((time.perf_counter() - began) * 1000)
    os.kill(_witness(folder, milliseconds, (process.memory_info().rss - before) / 1e6), signal.SIGKILL)


def _witness(folder: Path, milliseconds: list[float], memory_mb: float) -> int:
    """Write down what was seen, before anything else can be written; the process to kill."""
    (folder / "said.json").write_text(json.dumps({"ms": milliseconds, "memory_mb": memory_mb}))
    return os.getpid()


def _row(step: int) -> Row:
    rng = random.Random(step)
    return {name: rng.random() for name in _NAMES}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=LOGGERS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("action", choices=("log", "count"))
    given = parser.parse_args()
    if given.action == "log":
        _log(given.name, given.folder)
    else:
        sys.stdout.write(f"{LOGGERS[given.name].kept(given.folder)}\n")
