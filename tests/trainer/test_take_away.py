"""What a training's numbers look like when they are taken away."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import polars
import pytest

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine


def columns(path: Path) -> dict[str, list[float]]:
    with path.open(encoding="utf-8") as file:
        lines = [{name.strip(): float(value) for name, value in line.items()} for line in csv.DictReader(file)]
    return {name: [line[name] for line in lines] for name in lines[0]}


def test_exported_files_are_the_results_csv_of_the_training(machine: Machine) -> None:
    machine.train()
    run_id = machine.assert_all_delivered()
    for form in ("csv", "json", "parquet"):
        machine.run(machine.command("hub-callbacks"), "runs", "export", run_id, "-o", f"taken.{form}")
    wanted = columns(machine.save_dir / "results.csv")
    wanted.pop("time")  # of the epoch's end: not a metric
    taken = columns(machine.folder / "taken.csv")
    assert list(taken) == list(wanted)
    assert taken["epoch"] == wanted["epoch"] == [1, 2, 3]
    for name, values in wanted.items():
        assert taken[name] == pytest.approx(values, rel=1e-4), name  # results.csv has six digits
    rows = json.loads((machine.folder / "taken.json").read_text())
    assert {name: [row[name] for row in rows] for name in taken} == taken
    assert polars.read_parquet(machine.folder / "taken.parquet").to_dict(as_series=False) == taken
