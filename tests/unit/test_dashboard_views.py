from __future__ import annotations

import math
from dataclasses import replace

import pytest

from hub_callbacks.server.dashboard import formats
from hub_callbacks.server.dashboard.arguments import arguments
from hub_callbacks.server.dashboard.live import columns
from hub_callbacks.server.dashboard.views import RunView, facts, numbers, receipt, run_view, score
from hub_callbacks.server.standing import judge
from hub_callbacks.server.store.rows import Checkpoint, MetricsRow, Model

NOW = 1_800_000_000.0
MODEL = Model(
    id="a" * 20,
    owner="o" * 20,
    name="train3",
    project="",
    dataset="/data/coco8.yaml",
    architecture="yolo11n",
    parent="yolo11n.pt",
    task="detect",
    status="new",
    state="running",
    state_at=NOW - 1000,
    reason="",
    epochs=10,
    last_epoch=3,
    document={},
    config={},
    args={},
    environment={},
    best={},
    last={},
    summary={},
    resume_id=None,
    weights_id=None,
    created_at=NOW - 1000,
    attempt_at=None,
    started_at=NOW - 1000,
    finished_at=None,
    last_seen_at=NOW,
    last_row_at=NOW,
    epoch_s=250.0,
    stop_reason=None,
    is_public=False,
    dataset_id=None,
)


def view(model: Model) -> RunView:
    return run_view(model, judge(model, now=NOW, heartbeat_s=30.0), now=NOW)


def test_run_counts_epochs_from_one() -> None:
    assert view(MODEL).epoch == 4


def test_run_has_no_more_epochs_than_planned_when_the_last_validation_came_as_one() -> None:
    assert view(replace(MODEL, last_epoch=10)).epoch == 10


def test_run_lasts_until_now_while_it_runs_and_until_its_end_after() -> None:
    assert view(MODEL).duration_s == 1000
    assert view(replace(MODEL, state="finished", finished_at=NOW - 400)).duration_s == 600


def test_run_that_fell_silent_lasts_until_it_was_last_heard() -> None:
    assert view(replace(MODEL, last_seen_at=NOW - 900)).duration_s == 100


def test_run_calls_the_data_set_by_its_last_part() -> None:
    assert view(MODEL).dataset == "coco8.yaml"
    assert view(replace(MODEL, dataset="C:\\data\\coco8.yaml")).dataset == "coco8.yaml"


def test_score_prefers_the_boxes_map() -> None:
    best = {"metrics/mAP50-95(M)": 0.4, "metrics/mAP50-95(B)": 0.5, "metrics/accuracy_top1": 0.9}
    found = score(replace(MODEL, best=best))
    assert found
    assert (found.label, found.value) == ("mAP50-95", 0.5)


def test_numbers_hold_last_best_and_summary_without_facts() -> None:
    model = replace(MODEL, last={"a": 1.0, "model/GFLOPs": 6.5}, best={"a": 2.0}, summary={"b": 3.0})
    assert [(row.metric, row.last, row.best, row.summary) for row in numbers(model)] == [
        ("a", 1.0, 2.0, None),
        ("b", None, None, 3.0),
    ]


def test_facts_are_the_environment_and_what_ultralytics_says_of_the_network() -> None:
    model = replace(MODEL, environment={"python": "3.11", "device": "cpu"})
    assert facts(model, {"model/GFLOPs": 6.5, "lr/pg0": 0.1}) == [
        ("device", "cpu"),
        ("python", "3.11"),
        ("GFLOPs", "6.5"),
    ]


def test_arguments_that_differ_from_the_defaults_come_first() -> None:
    rows = arguments({"workers": 8, "imgsz": 64, "save_dir": "runs/train", "epochs": 3, "lr0": 0.01})
    assert [(row.name, row.value, row.default) for row in rows] == [
        ("epochs", "3", "100"),
        ("imgsz", "64", "640"),
        ("lr0", "0.01", None),
        ("save_dir", "runs/train", None),
        ("workers", "8", None),
    ]


def test_columns_tell_not_finite_from_not_measured() -> None:
    rows = [MetricsRow(epoch=0, values={"a": math.nan, "model/GFLOPs": 6.5}), MetricsRow(epoch=2, values={"b": 1.0})]
    assert columns(rows) == {"epochs": [0, 2], "values": {"a": ["NaN", None], "b": [None, 1.0]}}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.51234, "0.5123"),
        (0.000012, "1.2e-05"),
        (41.25, "41.2500"),
        (123.456, "123.46"),
        (0.0, "0"),
        (math.nan, "NaN"),
        (-math.inf, "-∞"),
    ],
)
def test_number_is_short(value: float, text: str) -> None:
    assert formats.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (42, "42 s"), (200, "3 min 20 s"), (4320, "1 h 12 min"), (190_800, "2 d 5 h")]
)
def test_duration_has_two_units(seconds: float, text: str) -> None:
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(30, "just now"), (190, "3 min ago"), (90_000, "1 d ago")])
def test_ago_has_one_unit(seconds: float, text: str) -> None:
    assert formats.ago(seconds) == text


@pytest.mark.parametrize(("size_bytes", "text"), [(12, "12 B"), (5_400_000, "5.4 MB"), (2_500_000_000_000, "2.5 TB")])
def test_size_is_decimal(size_bytes: int, text: str) -> None:
    assert formats.size(size_bytes) == text


def test_plain_shows_lists_and_objects_in_one_line() -> None:
    assert formats.plain([640, 480]) == "640, 480"
    assert formats.plain({"a": 0.1, "b": None}) == "a: 0.1, b: "


@pytest.mark.parametrize(
    ("received", "checkpoints", "artifacts", "words"),
    [
        (4, [], 0, "4/4 epochs"),
        (4, [], 1, "4/4 epochs, 1 artifact acknowledged"),
        (3, [("last.pt", 2, False), ("last.pt", 0, False)], 0, "3/4 epochs, last.pt of epoch 3 acknowledged"),
        (5, [("last.pt", 3, False), ("best.pt", 1, True)], 0, "4/4 epochs, best.pt acknowledged"),
        (5, [("best.pt", 1, True)], 15, "4/4 epochs, best.pt, 15 artifacts acknowledged"),
    ],
)
def test_receipt_says_what_the_hub_has(
    received: int, checkpoints: list[tuple[str, int, bool]], artifacts: int, words: str
) -> None:
    rows = [
        Checkpoint(
            id="c" * 20,
            model_id=MODEL.id,
            filename=filename,
            epoch=epoch,
            is_best=False,
            is_final=is_final,
            map=0.0,
            size_bytes=1,
            sha256="0" * 64,
            blob="b",
            created_at=NOW,
        )
        for filename, epoch, is_final in checkpoints
    ]
    assert receipt(MODEL, received, rows, artifacts) == words
