"""Ultralytics 8.4.114, the last release with HUB callbacks of its own: they do not run beside ours."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine

# Their session would need a key and a network: a note in its place.
NOTE = """
import ultralytics
from ultralytics import SETTINGS
from ultralytics.utils.callbacks import hub
SETTINGS["api_key"] = "0" * 42
hub.HUBTrainingSession = type("Session", (), {"create_session": lambda *args: print("BUILT-IN SESSION")})
print("ULTRALYTICS", ultralytics.__version__)
"""


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release alone in a folder; torch and the rest are those of the newest one."""
    folder = tmp_path_factory.mktemp("ultralytics")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    subprocess.run([*pip, "ultralytics==8.4.114"], check=True)
    return folder


def test_built_in_callbacks_stand_aside_when_ours_record(machine: Machine, release: Path) -> None:
    old = replace(machine, env={"PYTHONPATH": str(release)})
    output = old.train(NOTE)
    assert "ULTRALYTICS 8.4.114" in output
    assert "BUILT-IN SESSION" not in output
    old.assert_all_delivered()


def test_built_in_callbacks_stay_when_ours_are_off(machine: Machine, release: Path) -> None:
    old = replace(machine, env={"PYTHONPATH": str(release), "HUB_CALLBACKS_BLOCK": "hub"})
    assert "BUILT-IN SESSION" in old.train(NOTE, epochs=1)
    assert not old.data_dir.exists()
