from __future__ import annotations

from typing import Any

import pytest

from hub_callbacks.errors import DatasetNotReadyError, HubModelError
from hub_callbacks.session.plan import Plan, plan

WEB = "https://hub.example"
BASE = {"data": "d.zip", "train_args": {"batch": 8, "epochs": 2.0, "device": None, "cache": False, "data": "d.zip"}}
ARGUMENTS = {"batch": 8, "epochs": 2, "cache": False, "data": "d.zip"}


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"status": "trained", "weights": "b.pt"}, Plan("trained", "b.pt", None)),
        (
            {"has_last_weights": True, "resume": "l.pt", "data": "d.zip"},
            Plan("resumable", "l.pt", {"data": "d.zip", "resume": True}),
        ),
        ({**BASE, "is_pretrained": True, "weights": "w.pt", "cfg": "n.yaml"}, Plan("new", "w.pt", ARGUMENTS)),
        ({**BASE, "cfg": "n.yaml"}, Plan("new", "n.yaml", ARGUMENTS)),
        (
            {"cfg": "n.yaml", "data": "d.zip", "batch_size": 4, "imgsz": 320, "owner": "x"},
            Plan("new", "n.yaml", {"batch": 4, "imgsz": 320, "data": "d.zip"}),
        ),
    ],
)
def test_plan_follows_the_models_state(data: dict[str, Any], found: Plan) -> None:
    assert plan(data, page=WEB) == found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("yolov5n.pt", "yolov5nu.pt"),
        ("yolov5x6.pt", "yolov5x6u.pt"),
        ("yolov3-tiny.pt", "yolov3-tinyu.pt"),
        ("yolov5nu.pt", "yolov5nu.pt"),
        ("yolov8n.pt", "yolov8n.pt"),
        ("my/yolov3.pt", "my/yolov3u.pt"),
    ],
)
def test_yolov5_weights_have_their_newer_name(old: str, new: str) -> None:
    assert plan({**BASE, "is_pretrained": True, "weights": old}, page=WEB).model_file == new


def test_plan_refuses_a_model_whose_data_set_is_not_ready() -> None:
    with pytest.raises(DatasetNotReadyError, match="Try again in a minute"):
        plan({"cfg": "n.yaml", "train_args": {}}, page=WEB)


def test_plan_refuses_a_model_with_nothing_to_start_from() -> None:
    with pytest.raises(HubModelError, match="nothing to start"):
        plan(BASE, page=WEB)
