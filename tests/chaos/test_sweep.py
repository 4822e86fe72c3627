"""The kill sweep, in a size that fits into every test run; `tox -e chaos` has the full one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROUNDS = 25
TIMEOUT_S = 900.0


def test_nothing_is_lost_torn_or_duplicated_when_processes_are_killed() -> None:
    command = [sys.executable, str(Path(__file__).with_name("sweep.py")), "--rounds", str(ROUNDS)]
    swept = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert swept.returncode == 0, swept.stdout + swept.stderr
