"""What the plugin adds to the start of every interpreter: two virtual environments, with it and without, in turns."""

from __future__ import annotations

import compileall
import shutil
import statistics
import subprocess
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path

from figures import Figure

LIMIT_MS = 0.7  # every start of every Python process of the environment pays it
SOURCE = Path(__file__).parents[2]


def measure(*, rounds: int) -> Iterator[Figure]:
    """What CPython takes for any .pth file of an environment, paid once, and what the plugin adds to an empty one."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        without, with_any, with_plugin = (environment(Path(folder) / name) for name in ("without", "any", "with"))
        (site_of(with_any) / "any.pth").write_text("import sys\n")
        install(with_plugin)
        empty, any_file, plugin = map(statistics.median, start_times([without, with_any, with_plugin], rounds=rounds))
    yield Figure(name="added to the start of Python", value=plugin - empty, unit="ms", limit=LIMIT_MS)
    yield Figure(name="added to the start of Python", of="any .pth file", value=any_file - empty, unit="ms")


def environment(folder: Path) -> Path:
    venv.create(folder, symlinks=True)
    return folder


def site_of(environment: Path) -> Path:
    return next(environment.glob("lib/python*/site-packages"))


def install(environment: Path) -> None:
    """As pip does: the package, compiled, and the trigger."""
    site = site_of(environment)
    shutil.copytree(SOURCE / "hub_callbacks", site / "hub_callbacks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(SOURCE / "hub_callbacks.pth", site)
    compileall.compile_dir(site / "hub_callbacks", quiet=2)


def start_times(environments: list[Path], *, rounds: int) -> list[list[float]]:
    """Milliseconds of each start, in turns, so that a busy machine is busy for all; the first three are warm-up."""
    times: list[list[float]] = [[] for _ in environments]
    for _ in range(rounds + 3):
        for taken, environment in zip(times, environments, strict=True):
            taken.append(start(environment / "bin" / "python"))
    return [taken[3:] for taken in times]


def start(python: Path) -> float:
    began = time.perf_counter()
    subprocess.run([python, "-c", "pass"], check=True)
    return (time.perf_counter() - began) * 1000
