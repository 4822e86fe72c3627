"""Everything that must be fast or small, ourselves and our peers, measured in one run and shown as one table.

It is measured in turns and more than once, for the machine may be busy; each figure is a median.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterator

import log_calls
import starts
import uploads
from figures import Figure, table


def main() -> int:
    """Measure, and show; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of the log calls; uploads and starts take more of them")
    figures = list(_measure(parser.parse_args().rounds))
    missed = [figure.name for figure in figures if figure.is_missed]
    machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    sys.stdout.write(f"{table(figures)}\n\n{machine}. Missed: {', '.join(missed) or 'nothing'}.\n")
    return int(bool(missed))


def _measure(rounds: int) -> Iterator[Figure]:
    yield from log_calls.measure(rounds=rounds)
    yield from uploads.measure(rounds=3 * rounds)
    yield from starts.measure(rounds=100 * rounds)


if __name__ == "__main__":
    sys.exit(main())
