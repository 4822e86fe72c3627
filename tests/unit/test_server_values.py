"""Metric values: text and back, and which is better."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from hub_callbacks.server.store.values import best_of, dump, load, load_all, number, parse_row


@pytest.mark.parametrize(
    ("said", "meant"), [(1, 1.0), (0.5, 0.5), ("Infinity", math.inf), ("-Infinity", -math.inf), (True, 1.0)]
)
def test_number_reads_numbers_and_words(said: object, meant: float) -> None:
    assert number(said) == meant


@pytest.mark.parametrize("said", ["1", "nan", None, [1], {}])
def test_number_refuses_anything_else(said: object) -> None:
    with pytest.raises(ValueError, match="not a number"):
        number(said)


def test_dump_is_valid_json_and_load_gives_all_back() -> None:
    values = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1e-300}
    text = dump(values)
    json.loads(text, parse_constant=pytest.fail)
    back = load(text)
    assert math.isnan(back.pop("a"))
    assert back == {"b": math.inf, "c": -math.inf, "d": 1e-300}


def test_parse_row_reads_pythons_words() -> None:
    row = parse_row('{"a": Infinity, "b": NaN, "c": "NaN", "d": 2}')
    assert (row["a"], row["d"]) == (math.inf, 2.0)
    assert math.isnan(row["b"])
    assert math.isnan(row["c"])


@pytest.mark.parametrize("text", ["", "1", "[]", "{", '{"a": null}', '{"a": {}}'])
def test_parse_row_refuses_what_is_no_row(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_row(text)


@pytest.mark.parametrize(
    ("name", "values", "best"),
    [
        ("metrics/mAP50-95(B)", [0.1, 0.5, 0.3], 0.5),
        ("metrics/accuracy_top1", [0.1, 0.5, 0.3], 0.5),
        ("train/box_loss", [3.0, 1.0, 2.0], 1.0),
        ("metrics/mAP50(M)", [math.nan, 0.2, math.nan], 0.2),
    ],
)
def test_best_of_follows_the_metrics_direction(name: str, values: list[float], best: float) -> None:
    assert best_of({name: value} for value in values) == {name: best}


@pytest.mark.parametrize("rows", [[{"lr/pg0": 0.1}], [{"metrics/recall(B)": math.nan}], []])
def test_best_of_knows_no_best_without_direction_or_value(rows: list[dict[str, Any]]) -> None:
    assert best_of(rows) == {}


def test_many_rows_are_read_as_each_alone() -> None:
    texts = [dump(row) for row in ({"a": 0.5, "b": math.inf}, {}, {"a": -1.0})]
    assert load_all(texts) == [load(text) for text in texts]
    assert load_all([]) == []
