"""Everything that must be fast or small, ourselves and our peers, measured in one run and shown as one table.

It is measured in turns and more than once, for the machine may be busy; each figure is a median.

python bench.py              the table
python bench.py --markdown   the table, and into docs/explanation/performance.md, between its two markers
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator

import log_calls
import starts
import uploads
from figures import PAGE, Figure, replace_between, report


def main() -> int:
    """Measure, and show; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of the log calls; uploads and starts take more of them")
    parser.add_argument("--markdown", action="store_true", help="write the table into the documentation, too")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    figures = list(_measure(given.rounds))
    text = report(figures, load=load)
    sys.stdout.write(text)
    if given.markdown:
        replace_between(PAGE, text)
    return int(any(figure.is_missed for figure in figures))


def _measure(rounds: int) -> Iterator[Figure]:
    yield from log_calls.measure(rounds=rounds)
    yield from uploads.measure(rounds=3 * rounds)
    yield from starts.measure(rounds=100 * rounds)


if __name__ == "__main__":
    sys.exit(main())
