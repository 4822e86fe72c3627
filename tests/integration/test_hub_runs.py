"""Runs and their metrics taken away over HTTP: listed as in the table, and as CSV, JSON and Parquet."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars
import pytest

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.hubs import HubServer

SCORE = "metrics/mAP50-95(B)"
ROWS = {
    0: {"train/box_loss": 2.0, SCORE: 0.1, "model/GFLOPs": 6.5},
    1: {"train/box_loss": math.nan, SCORE: 0.3},
    3: {"train/box_loss": 1.0, SCORE: 0.2, "my/own": -math.inf},
}
COLUMNS = ["epoch", "train/box_loss", SCORE, "my/own"]


def start(hub: HubServer, name: str, rows: Mapping[int, Mapping[str, float]], **run: Any) -> str:
    body = {"meta": {"name": name}, "run": {"epochs": 5, "startedAt": 1.0, **run}}
    run_id = str(hub.ask("POST", wire.MODELS, json=body)["id"])
    metrics = {str(epoch): json.dumps(row) for epoch, row in rows.items()}
    hub.ask("POST", wire.model(run_id), json={"type": "metrics", "metrics": metrics})
    return run_id


def fetch(hub: HubServer, form: str, model_id: str = "", **query: Any) -> bytes:
    reply = hub.send("GET", wire.export(form, model_id), params=query)
    assert reply.ok, reply.text
    return reply.content


def lines(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode())))


@pytest.fixture(scope="module")
def run_id(hub: HubServer) -> str:
    return start(hub, "train 3 ü", ROWS, project="zoo", args={"imgsz": 64})


def test_csv_has_the_columns_of_results_csv_in_the_order_of_the_rows(hub: HubServer, run_id: str) -> None:
    assert lines(fetch(hub, "csv", run_id)) == [
        COLUMNS,
        ["1", "2.0", "0.1", ""],
        ["2", "nan", "0.3", ""],
        ["4", "1.0", "0.2", "-inf"],
    ]


def test_json_is_valid_and_spells_what_is_not_finite_as_words(hub: HubServer, run_id: str) -> None:
    rows = json.loads(fetch(hub, "json", run_id), parse_constant=pytest.fail)
    assert rows == [
        {"epoch": 1, "train/box_loss": 2.0, SCORE: 0.1},
        {"epoch": 2, "train/box_loss": "NaN", SCORE: 0.3},
        {"epoch": 4, "train/box_loss": 1.0, SCORE: 0.2, "my/own": "-Infinity"},
    ]


def test_parquet_has_numbers_and_tells_nan_from_nothing(hub: HubServer, run_id: str) -> None:
    frame = polars.read_parquet(io.BytesIO(fetch(hub, "parquet", run_id)))
    assert frame.columns == COLUMNS
    assert frame["epoch"].to_list() == [1, 2, 4]
    assert frame["train/box_loss"].is_nan().to_list() == [False, True, False]
    assert frame["my/own"].to_list() == [None, None, -math.inf]


def test_file_is_an_attachment_with_a_name_that_every_system_takes(hub: HubServer, run_id: str) -> None:
    for form, kind in (("csv", "text/csv"), ("json", "application/json"), ("parquet", "application/vnd.apache")):
        headers = hub.send("GET", wire.export(form, run_id)).headers
        assert headers["content-disposition"] == f'attachment; filename="train_3_.{form}"'
        assert headers["content-type"].startswith(kind)


def test_run_without_a_row_is_a_file_without_rows(hub: HubServer) -> None:
    run_id = start(hub, "empty", {})
    assert lines(fetch(hub, "csv", run_id)) == [["epoch"]]
    assert json.loads(fetch(hub, "json", run_id)) == []
    assert polars.read_parquet(io.BytesIO(fetch(hub, "parquet", run_id))).height == 0


def test_selection_says_the_run_in_each_row(hub: HubServer, run_id: str) -> None:
    other = start(hub, "other", {0: {"lr/pg0": 0.5}})
    head, first, *_, last = lines(fetch(hub, "csv", run=[run_id, other]))
    assert head == ["run_id", "name", *COLUMNS, "lr/pg0"]
    assert first == [run_id, "train 3 ü", "1", "2.0", "0.1", "", ""]
    assert last == [other, "other", "1", "", "", "", "0.5"]
    frame = polars.read_parquet(io.BytesIO(fetch(hub, "parquet", run=[run_id, other])))
    assert (frame.columns, frame["run_id"].to_list()) == (head, [run_id] * 3 + [other])


def test_selection_is_what_the_filters_of_the_table_find(hub: HubServer) -> None:
    mark = wire.new_id()
    for name, score in {"low": 0.1, "high": 0.9}.items():
        start(hub, f"{name}-{mark}", {0: {SCORE: score}})
    rows = json.loads(fetch(hub, "json", q=mark, where="mAP50-95 > 0.5"))
    assert [row["name"] for row in rows] == [f"high-{mark}"]


def test_many_rows_come_whole(hub: HubServer) -> None:
    run_id = start(hub, "long", {epoch: {SCORE: epoch / 1700} for epoch in range(1700)})
    assert [row[0] for row in lines(fetch(hub, "csv", run_id))[1:]] == [str(epoch + 1) for epoch in range(1700)]


def test_runs_are_listed_as_in_the_table(hub: HubServer) -> None:
    mark = wire.new_id()
    ids = [start(hub, mark, {0: {SCORE: score}}, project="zoo") for score in (0.3, 0.9, 0.5)]
    asked = {"q": mark, "project": "zoo", "sort": "score", "limit": 2}
    first, second = (hub.ask("GET", wire.RUNS, params={**asked, "page": page}) for page in (1, 2))
    assert [run["id"] for run in first["results"] + second["results"]] == [ids[1], ids[2], ids[0]]
    assert (first["total"], first["results"][0]["best"], first["results"][0]["epochs"]) == (3, {SCORE: 0.9}, 5)
    assert hub.ask("GET", wire.run(ids[1])) == first["results"][0]


@pytest.mark.parametrize("path", [wire.RUNS, wire.export("csv")])
def test_condition_that_cannot_be_read_is_refused_with_what_to_write(hub: HubServer, path: str) -> None:
    reply = hub.send("GET", path, params={"where": "goodness>1"})
    assert reply.status_code == 422
    assert "'goodness' is no value of a run" in reply.json()["message"]


@pytest.mark.parametrize("path", [wire.RUNS, wire.export("csv")])
@pytest.mark.parametrize("asked", [{"sort": "scroe"}, {"sort": "optimiser"}, {"state": "f"}])
def test_word_that_means_nothing_is_refused(hub: HubServer, path: str, asked: dict[str, str]) -> None:
    reply = hub.send("GET", path, params=asked)
    assert reply.status_code == 422
    assert repr(*asked.values()) in reply.json()["message"]


@pytest.mark.parametrize("name", ["val/box_loss", "metrics/mAP50-95(B)", "lr0"])
def test_runs_are_sorted_by_any_metric_or_argument(hub: HubServer, name: str) -> None:
    mark = wire.new_id()
    ids = [start(hub, mark, {0: {SCORE: n, "val/box_loss": n}}, args={"lr0": n}) for n in (0.3, 0.1, 0.2)]
    found = hub.ask("GET", wire.RUNS, params={"q": mark, "sort": name, "dir": "asc"})["results"]
    assert [run["id"] for run in found] == [ids[1], ids[2], ids[0]]


def test_what_is_not_there_is_refused_by_name(hub: HubServer, run_id: str) -> None:
    missing = wire.new_id()
    reply = hub.send("GET", wire.export("csv"), params={"run": [run_id, missing]})
    assert (reply.status_code, reply.json()["message"]) == (404, f"Not on this hub: {missing}.")
    assert hub.send("GET", wire.export("csv", missing)).status_code == 404
    assert hub.send("GET", wire.export("xml", run_id)).status_code == 422


def test_nothing_is_given_away_without_a_key(hub: HubServer, run_id: str) -> None:
    paths = [wire.RUNS, wire.run(run_id), wire.export("csv"), wire.export("csv", run_id)]
    assert [hub.send("GET", path, headers={wire.API_KEY_HEADER: ""}).status_code for path in paths] == [401] * 4
