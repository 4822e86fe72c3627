"""schemathesis over the hub's API, in a size that fits into every test run; `tox -e fuzz` has the full one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = 3
SEED = 5  # the same requests each time: what is new is looked for at length
FUZZ = Path(__file__).parents[1] / "fuzz" / "fuzz.py"


def test_api_keeps_to_its_openapi_document() -> None:
    command = [sys.executable, str(FUZZ), "--examples", str(EXAMPLES), "--short", "--seed", str(SEED)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if process.returncode:
        pytest.fail(process.stdout + process.stderr)
