"""One command that trains several times: a tune, and a list of data sets. Each training is a run of its own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine

TIMEOUT_S = 1200.0


def runs(machine: Machine) -> list[dict[str, Any]]:
    """The runs that the hub lists, oldest first, after everything is delivered."""
    machine.run(machine.command("hub-callbacks"), "sync", "--wait", "60")
    return machine.runs_on_hub()[::-1]


def test_trials_of_a_tune_are_runs_in_its_project(machine: Machine) -> None:
    arguments = machine.arguments(epochs=1, name="lucky")
    code = f"from ultralytics import YOLO; YOLO({machine.model!r}).tune(iterations=2, **{arguments!r})"
    machine.run(str(machine.python), "-c", code, timeout_s=TIMEOUT_S)
    found = runs(machine)
    assert [(run["run"]["project"], run["run"]["state"], run["run"]["lastEpoch"]) for run in found] == [
        ("lucky", "finished", 0),
        ("lucky", "finished", 0),
    ]
    assert len({run["meta"]["name"] for run in found}) == 2


def test_data_sets_of_a_list_are_runs_in_one_project(machine: Machine, data: Path) -> None:
    other = machine.folder / "other.yaml"
    shutil.copy(data, other)
    machine.run(str(machine.python), "-c", machine.script(data=[str(data), str(other)], epochs=1), timeout_s=TIMEOUT_S)
    found = runs(machine)
    assert sorted(run["meta"]["name"] for run in found) == ["dataset", "other"]
    assert {run["run"]["state"] for run in found} == {"finished"}
    assert len({run["run"]["project"] for run in found}) == 1
