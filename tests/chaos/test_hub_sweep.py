"""Hubs that are killed under load, in a size that fits into every test run; `tox -e chaos-hub` has the full one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def sweep(rounds: int, *, database_url: str = "") -> None:
    script = Path(__file__).with_name("hub_sweep.py")
    command = [sys.executable, str(script), "--rounds", str(rounds), "--database-url", database_url]
    swept = subprocess.run(command, capture_output=True, text=True, timeout=600 + 60 * rounds, check=False)
    print(swept.stdout)  # noqa: T201 - the figures, for who asks for them by -rP
    assert swept.returncode == 0, swept.stdout + swept.stderr


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
@pytest.mark.parametrize("rounds", [3, pytest.param(100, marks=pytest.mark.chaos)])
def test_hub_that_is_killed_under_load_keeps_what_it_acknowledged(
    engine: str, rounds: int, request: pytest.FixtureRequest
) -> None:
    sweep(rounds, database_url=request.getfixturevalue("create_database")() if engine == "postgresql" else "")
