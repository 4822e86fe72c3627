"""The kill sweep: rounds in which trainer, courier or hub die by SIGKILL, and after which nothing may be missing.

python sweep.py --rounds 1000           every round of a fresh seed
python sweep.py --rounds 1 --seed 4711  that one again
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from plan import Plan
from rounds import Outcome, Round, forking

_AT_A_TIME = 2  # a round waits about half of its time


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rounds; 1 when something was wrong in one of them."""
    options = _parser().parse_args(arguments)
    first = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    seeds = range(first, first + options.rounds)
    _say(f"Rounds of seeds {seeds[0]} to {seeds[-1]}.")
    folder, began, outcomes = Path(tempfile.mkdtemp(prefix="chaos-")), time.monotonic(), []
    for outcome in _run(seeds, folder):
        outcomes.append(outcome)
        for fault in outcome.faults:
            _say(f"seed {outcome.plan.seed}: {fault}\n    {outcome.plan}\n    {folder / str(outcome.plan.seed)}")
    _say(f"{_summary(outcomes)} {time.monotonic() - began:.0f} s.")
    if any(outcome.faults for outcome in outcomes):
        return 1
    folder.rmdir()
    return 0


def _run(seeds: Sequence[int], folder: Path) -> Iterator[Outcome]:
    # Processes: who starts one asks after all children of its own, and the exit code of each is told once.
    with ProcessPoolExecutor(_AT_A_TIME, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(partial(_round, folder), seeds)


def _round(folder: Path, seed: int) -> Outcome:
    return Round(Plan.draw(seed), folder / str(seed), forking()).run()


def _summary(outcomes: Sequence[Outcome]) -> str:
    killed = Counter(" and ".join(sorted(outcome.killed)) or "nobody" for outcome in outcomes)
    return (
        f"{len(outcomes)} rounds, {sum(bool(outcome.faults) for outcome in outcomes)} with faults;"
        f" {sum(outcome.rows for outcome in outcomes)} rows recorded,"
        f" {sum(outcome.checkpoints for outcome in outcomes)} checkpoints delivered; killed:"
        f" {', '.join(f'{who} {count}' for who, count in killed.most_common())}."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seed", type=int, help="of the first round; each round has the next")
    return parser


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
