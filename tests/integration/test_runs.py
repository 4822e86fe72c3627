"""``hub_callbacks.Runs`` and ``hub-callbacks runs``, against a hub in a process of its own."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas
import polars
import pytest
from click.testing import CliRunner, Result

from hub_callbacks import Runs, wire
from hub_callbacks.cli import main
from hub_callbacks.errors import ModelNotFoundError, PermanentError
from hub_callbacks.runs import NoFrameError, Rows

if TYPE_CHECKING:
    from tests.hubs import HubServer

SCORE = "metrics/mAP50-95(B)"
SCORES = {"low": [0.1, 0.2], "high": [0.5, 0.9, math.nan], "none": []}


@pytest.fixture(scope="module")
def hub(start_hub: Callable[[Path], HubServer], tmp_path_factory: pytest.TempPathFactory) -> HubServer:
    """A hub on SQLite alone: what is tested is its client."""
    return start_hub(tmp_path_factory.mktemp("hub"))


@pytest.fixture(autouse=True)
def _configured(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"DATA_DIR": str(tmp_path / "data"), "API_URL": hub.url, "API_KEY": hub.key}
    for name, value in values.items():
        monkeypatch.setenv(f"HUB_CALLBACKS_{name}", value)


@pytest.fixture(scope="module")
def ids(hub: HubServer) -> dict[str, str]:
    return {name: _start(hub, name, scores) for name, scores in SCORES.items()}


def _start(hub: HubServer, name: str, scores: list[float]) -> str:
    run = {"epochs": 3, "startedAt": 1.0, "project": "zoo", "task": "detect", "args": {"imgsz": 64, "cache": name}}
    body = {"meta": {"name": name}, "lineage": {"parent": {"name": "yolo11n.pt"}}, "run": run}
    run_id = str(hub.ask("POST", wire.MODELS, json=body)["id"])
    metrics = {str(epoch): json.dumps({SCORE: score, "lr/pg0": 0.1}) for epoch, score in enumerate(scores)}
    hub.ask("POST", wire.model(run_id), json={"type": "metrics", "metrics": metrics})
    return run_id


def call(*arguments: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["runs", *arguments])
    assert result.exit_code == exit_code, result.output
    return result


def test_runs_are_iterated_counted_and_taken_by_place(ids: dict[str, str]) -> None:
    runs = Runs(order="-score")
    assert len(runs) == 3
    assert [run.id for run in runs] == [ids["high"], ids["low"], ids["none"]]
    assert runs[1].id == ids["low"]
    assert runs[-1].id == ids["none"]
    for place in (3, -4):
        with pytest.raises(IndexError, match=f"no run at {place}: there are 3"):
            runs[place]


@pytest.mark.parametrize("places", [slice(1), slice(1, 3), slice(0), slice(-2, None), slice(None, None, -1), slice(9)])
def test_slice_of_runs_is_a_list(ids: dict[str, str], places: slice) -> None:
    wanted = [ids["high"], ids["low"], ids["none"]][places]
    assert [run.id for run in Runs(order="-score")[places]] == wanted


def test_runs_show_what_they_ask_for() -> None:
    assert repr(Runs("imgsz = 64", project="zoo")) == (
        "<Runs: where='imgsz = 64', project='zoo', sort='started', dir='desc'>"
    )


def test_runs_beyond_one_page_come_too(hub: HubServer, ids: dict[str, str]) -> None:
    mark = wire.new_id()
    for _ in range(101):
        hub.ask("POST", wire.MODELS, json={"meta": {"name": mark}})
    found = {run.id for run in Runs(search=mark)}
    assert len(found) == 101
    for run_id in found:
        hub.ask("DELETE", wire.model(run_id))


def test_runs_are_filtered_as_in_the_table(ids: dict[str, str]) -> None:
    assert [run.name for run in Runs("mAP50-95 > 0.5", project="zoo", search="high")] == ["high"]
    with pytest.raises(PermanentError, match="'goodness' is no value of a run"):
        list(Runs("goodness > 1"))


def test_run_says_what_the_hub_knows(hub: HubServer, ids: dict[str, str]) -> None:
    run = Runs().get(ids["high"])
    assert (run.name, run.project, run.task, run.model, run.epoch) == ("high", "zoo", "detect", "yolo11n.pt", 3)
    assert (run.config["imgsz"], run.summary, run.url) == (64, {SCORE: 0.9}, hub.url + wire.page(run.id))
    assert run == next(iter(Runs(search="high")))
    with pytest.raises(ModelNotFoundError, match="has no model"):
        Runs().get(wire.new_id())


def test_history_has_a_row_for_each_epoch(ids: dict[str, str]) -> None:
    rows = Runs().get(ids["high"]).history()
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[1] == {"epoch": 2, SCORE: 0.9, "lr/pg0": 0.1}
    assert math.isnan(rows[2][SCORE])
    assert Runs().get(ids["low"]).history([SCORE])[0] == {"epoch": 1, SCORE: 0.1}


def test_histories_say_their_run(ids: dict[str, str]) -> None:
    rows = Runs(project="zoo", order="name").histories([SCORE])
    assert [(row["run_id"], row["name"]) for row in rows] == [(ids["high"], "high")] * 3 + [(ids["low"], "low")] * 2


def test_rows_become_a_frame_of_pandas_or_polars(ids: dict[str, str]) -> None:
    rows = Runs(order="name").histories()
    first, second = rows.to_frame(), rows.to_frame("polars")
    assert isinstance(first, pandas.DataFrame)
    assert isinstance(second, polars.DataFrame)
    assert list(first.columns) == second.columns == ["run_id", "name", "epoch", SCORE, "lr/pg0"]
    for frame in (Runs(order="name").to_frame("pandas"), Runs(order="name").to_frame("polars")):
        assert list(frame["name"]) == ["high", "low", "none"]
        assert list(frame[f"summary/{SCORE}"])[:2] == [0.9, 0.2]


def test_frame_without_a_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NoFrameError, match="needs pandas or polars: pip install pandas"):
        Rows().to_frame()


def test_ls_prints_a_table_and_json(ids: dict[str, str]) -> None:
    table = call("ls", "--sort", "-score", "--limit", "2").stdout.splitlines()
    assert table[0].split() == ["ID", "NAME", "STATE", "EPOCH", "SCORE", "PROJECT", "STARTED"]
    assert [line.split()[:2] for line in table[1:]] == [[ids["high"], "high"], [ids["low"], "low"]]
    found = json.loads(call("ls", "--where", "mAP50-95 < 0.5", "--json").stdout)
    assert [(run["id"], run["epoch"]) for run in found] == [(ids["low"], 2)]
    assert call("ls", "--search", "nothing-at-all").stdout == "No run matches.\n"


def test_refusal_is_told_in_the_hubs_words(ids: dict[str, str]) -> None:
    output = call("ls", "--where", "goodness > 1", exit_code=1).output
    assert output.startswith("Error: The hub says: 'goodness' is no value of a run")
    assert "http" not in output


def test_key_that_the_hub_does_not_know_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_API_KEY", wire.new_key())
    assert "hub-callbacks settings api_key=KEY" in call("ls", exit_code=1).output


def test_show_prints_text_and_json(ids: dict[str, str]) -> None:
    text = call("show", ids["high"]).stdout
    assert wire.page(ids["high"]) in text
    assert f"{SCORE}  0.9" in text
    told: dict[str, Any] = json.loads(call("show", ids["high"], "--json").stdout, parse_constant=pytest.fail)
    assert (told["id"], told["last"][SCORE]) == (ids["high"], "NaN")


def test_show_of_an_unknown_run_says_so() -> None:
    assert "has no model" in call("show", wire.new_id(), exit_code=1).output


def test_export_writes_the_form_that_the_name_says(ids: dict[str, str], tmp_path: Path) -> None:
    for form in ("csv", "json", "parquet"):
        call("export", ids["low"], "-o", str(tmp_path / f"out.{form}"))
    with (tmp_path / "out.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["epoch", SCORE, "lr/pg0"], ["1", "0.1", "0.1"], ["2", "0.2", "0.1"]]
    assert json.loads((tmp_path / "out.json").read_text())[1]["epoch"] == 2
    assert polars.read_parquet(tmp_path / "out.parquet")[SCORE].to_list() == [0.1, 0.2]


def test_export_into_an_unknown_form_writes_nothing(ids: dict[str, str], tmp_path: Path) -> None:
    output = call("export", ids["low"], "-o", str(tmp_path / "out.xlsx"), exit_code=2).output
    assert "'xlsx'" in output
    assert not list(tmp_path.iterdir())
    call("export", ids["low"], "--format", "csv", "-o", str(tmp_path / "out.txt"))


def test_export_prints_what_the_filters_find(ids: dict[str, str]) -> None:
    rows = list(csv.DictReader(call("export", "--where", "mAP50-95 > 0.5").stdout.splitlines()))
    assert {row["run_id"] for row in rows} == {ids["high"]}
    rows = json.loads(call("export", ids["low"], ids["high"], "--format", "json").stdout)
    assert [row["name"] for row in rows] == ["low"] * 2 + ["high"] * 3


def test_export_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "kept.csv"
    target.write_text("old")
    assert "404" in call("export", wire.new_id(), "-o", str(target), exit_code=1).output
    assert (target.read_text(), list(tmp_path.glob("kept*"))) == ("old", [target])
