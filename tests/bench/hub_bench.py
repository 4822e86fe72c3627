"""What the hub must hold: many clients, many runs, large files, many pages; measured in one run and shown as one table.

python hub_bench.py                       the table, in less than 25 minutes; 1 when a limit is missed
python hub_bench.py --only load --seconds 3 --rounds 1     a part of it, small
python hub_bench.py --markdown            the table, and into docs/explanation/performance.md, between its markers
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hub_files
import hub_fleet
import hub_load
import hub_pages
from figures import PAGE, Figure, replace_between, report

PARTS: dict[str, Callable[[argparse.Namespace], Iterator[Figure]]] = {
    "load": lambda given: hub_load.measure(seconds=given.seconds, rounds=given.rounds),
    "fleet": lambda given: hub_fleet.measure(minutes=given.minutes),
    "files": lambda given: hub_files.measure(gigabytes=given.gigabytes, rounds=given.rounds),
    "pages": lambda given: hub_pages.measure(runs=given.runs, rounds=given.rounds),
}


def main() -> int:
    """Measure, and show; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=3, help="of everything but the fleet")
    parser.add_argument("--seconds", type=float, default=10.0, help="of the load, for each server in each round")
    parser.add_argument("--minutes", type=float, default=5.0, help="of the fleet")
    parser.add_argument("--gigabytes", type=float, default=2.0, help="of the file; the disk holds four of them")
    parser.add_argument("--runs", type=int, default=10_000, help="in the list of the pages")
    parser.add_argument("--markdown", action="store_true", help="write the table into the documentation, too")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    figures = [figure for part in given.only for figure in PARTS[part](given)]
    text = report(figures, load=load, commit=_commit())
    sys.stdout.write(text)
    if given.markdown:
        replace_between(PAGE, text, name="measured of the hub")
    return int(any(figure.is_missed for figure in figures))


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
