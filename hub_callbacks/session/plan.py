"""What to train, and how, as a model of the hub says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from hub_callbacks.errors import DatasetNotReadyError, HubModelError
from hub_callbacks.records import RunStarted

# The hub's own; `get_cfg` of every release refuses others.
ARGUMENTS = ("batch", "epochs", "imgsz", "patience", "device", "cache", "data")
_WHOLE = ("batch", "epochs", "imgsz", "patience")
_YOLOV5 = re.compile(r"^(.*yolov5[nsmlx]6?|.*yolov3(?:-tiny|-spp)?)\.pt$")


class Plan(NamedTuple):
    """A model of the hub, as a trainer needs it.

    Attributes:
        state: ``new`` to begin, ``resumable`` from its last checkpoint, or ``trained``.
        model_file: Weights (a URL or a name) or architecture to start from.
        train_args: Training arguments; None when the model is trained already.
    """

    state: Literal["new", "resumable", "trained"]
    model_file: str
    train_args: dict[str, Any] | None


def plan(model: Mapping[str, Any], *, page: str) -> Plan:
    """What a model is, as HUB v1 describes it: trained, resumable, or new.

    Args:
        model: The data of ``GET /v1/models/{id}``.
        page: Its page, for messages.

    Raises:
        DatasetNotReadyError: It has no data set that could be trained on.
        HubModelError: It has nothing to start from.
    """
    if model.get("status") == "trained":
        return Plan("trained", _file(model, ("weights",), page), None)
    data = model.get("data") or (model.get("train_args") or {}).get("data")
    if not data:
        raise DatasetNotReadyError(
            f"The hub has no data set for {page} yet: it may still be processing it. Try again in a minute, or give the"
            " model one: hub-callbacks runs change ID --data DATASET_ID."
        )
    if model.get("has_last_weights"):
        return Plan("resumable", _file(model, ("resume",), page), {"data": data, "resume": True})
    names = ("weights", "cfg") if model.get("is_pretrained") else ("cfg", "weights")
    return Plan("new", _newer_name(_file(model, names, page)), _arguments(model) | {"data": data})


def started(model: Mapping[str, Any], *, at: float, first_epoch: int | None) -> RunStarted:
    """How a training of a model begins that no trainer tells of: as the hub describes it.

    Args:
        model: The data of ``GET /v1/models/{id}``.
        at: When it begins, Unix time.
        first_epoch: What it says first, 0-based; None for what follows the epochs that the hub has.
    """
    lineage, run, args = model.get("lineage") or {}, model.get("run") or {}, _arguments(model)
    parent, architecture = _name(lineage.get("parent")), _name(lineage.get("architecture"))
    if first_epoch is None:
        last = run.get("lastEpoch")
        first_epoch = 0 if last is None else int(last) + 1
    return RunStarted(
        name=_name(model.get("meta")),
        project=str(run.get("project") or ""),
        task=str(run.get("task") or ""),
        model=parent or architecture,
        dataset=_name(model.get("dataset")),
        epochs=int(args.get("epochs") or 0),
        start_epoch=first_epoch,
        args=args,
        started_at=at,
    )


def _name(named: Mapping[str, Any] | None) -> str:
    return str((named or {}).get("name") or "")


def _file(model: Mapping[str, Any], names: tuple[str, ...], page: str) -> str:
    for name in names:
        if model.get(name):
            return str(model[name])
    raise HubModelError(f"The hub names nothing to start {page} from: neither weights nor an architecture.")


def _arguments(model: Mapping[str, Any]) -> dict[str, Any]:
    """The hub's arguments, but for those that it leaves open; up to 8.1.30 they stood beside the rest."""
    told = {"batch": model.get("batch", model.get("batch_size")), **(model.get("train_args") or {})}
    values = {name: told.get(name, model.get(name)) for name in ARGUMENTS}
    return {name: _whole(name, value) for name, value in values.items() if value is not None}


def _whole(name: str, value: Any) -> Any:
    """A number without a fraction as an ``int``: ``get_cfg`` refuses epochs of 3.0."""
    return int(value) if name in _WHOLE and isinstance(value, float) and value.is_integer() else value


def _newer_name(file: str) -> str:
    """The name under which Ultralytics has YOLOv3 and YOLOv5 weights: with a u behind it."""
    found = _YOLOV5.match(file) if "://" not in file else None
    return f"{found[1]}u.pt" if found else file
