"""What the plugin adds to the start of every interpreter: two virtual environments, with it and without, in turns."""

from __future__ import annotations

import argparse
import compileall
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

LIMIT_MS = 0.7  # every start of every Python process of the environment pays it
SOURCE = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        without, with_any, with_plugin = (environment(Path(folder) / name) for name in ("without", "any", "with"))
        (site_of(with_any) / "any.pth").write_text("import sys\n")
        install(with_plugin)
        times = measure([without, with_any, with_plugin], rounds=rounds)
    show([statistics.median(taken) for taken in times], rounds=rounds)


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


def measure(environments: list[Path], *, rounds: int) -> list[list[float]]:
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


def show(medians: list[float], *, rounds: int) -> None:
    without, with_any, with_plugin = medians
    lines = [
        f"Interpreter start, medians of {rounds}, Python {sys.version.split()[0]}",
        f"  in an empty environment   {without:7.2f} ms",
        f"  with any other .pth file  {with_any:7.2f} ms  {with_any - without:+.2f}: CPython's own part, paid once",
        f"  with the plugin           {with_plugin:7.2f} ms  {with_plugin - without:+.2f}, limit {LIMIT_MS}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.exit(with_plugin - without > LIMIT_MS)


if __name__ == "__main__":
    main()
