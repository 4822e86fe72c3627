"""A model as HUB v1's clients read it, from ultralytics 8.0.5 to 8.4.114 and hub-sdk 0.0.2 to 0.0.25.

Every era reads other fields of the same flat object: 8.0 its arguments beside the rest, 8.1.0 in ``config``, later ones
in ``train_args``; 8.0 begins from ``cfg`` where there is one, the others from ``weights`` when ``is_pretrained``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hub_callbacks.records import finite
from hub_callbacks.server.standing import Standing
from hub_callbacks.server.store.rows import Checkpoint, MetricsRow, Model

# What a client leaves out has Ultralytics' default (ultralytics/cfg/default.yaml, 8.0 to 8.4).
_DEFAULTS: Final[Mapping[str, Any]] = {
    "batchSize": 16,
    "epochs": 100,
    "imageSize": 640,
    "patience": 100,
    "device": None,
    "cache": False,
}
_WORDS: Final[Mapping[str, Any]] = {
    "None": None,
    "True": True,
    "False": False,
    "": None,
}  # auto-create sends str(value)


def hub_model(
    model: Model, standing: Standing, *, files: Mapping[str, Checkpoint], urls: Mapping[str, str]
) -> dict[str, Any]:
    """The data of GET model.

    Args:
        model: The model.
        standing: How its run stands.
        files: The checkpoints that it points to, by id.
        urls: Where each of them can be fetched, by id; and so the data set, where the hub has it.
    """
    arguments = _arguments(model, urls)
    resume, weights = model.resume_id, model.weights_id
    return {
        **model.document,
        **arguments,
        "id": model.id,
        "status": model.status,
        "has_last_weights": resume in files,
        "has_best_weights": weights in files,
        "is_pretrained": bool(model.parent),
        "is_custom": False,  # read by no client
        "cfg": None if model.parent else _yaml(model.architecture),  # 8.0 prefers cfg, the SDK era weights
        "weights": urls.get(weights or "", model.parent or None),
        "resume": urls.get(resume or ""),
        "train_args": {("batch" if name == "batch_size" else name): value for name, value in arguments.items()},
        "batch": arguments["batch_size"],
        "meta": {**_object(model.document.get("meta")), "name": model.name},
        "dataset": model.document.get("dataset"),
        "project": model.document.get("projectId"),
        "isPublic": model.is_public,
        "run": _run(model, standing),
    }


def hub_run(model: Model, standing: Standing) -> dict[str, Any]:
    """The data of a run in a list: what GET model says of it, flat, and nothing that only HUB v1's clients read."""
    names = {name: getattr(model, name) for name in ("id", "name", "dataset", "architecture", "parent", "owner")}
    return {**names, **_run(model, standing)}


def hub_metrics(rows: list[MetricsRow]) -> list[dict[str, Any]]:
    """The data of GET metrics: one object for each metric, its values by epoch, in valid JSON."""
    series: dict[str, dict[str, float | str]] = {}
    for row in rows:
        for name, value in finite(row.values).items():
            series.setdefault(name, {})[str(row.epoch)] = value
    return [{"meta": {"name": name}, "data": data} for name, data in series.items()]


def _arguments(model: Model, urls: Mapping[str, str]) -> dict[str, Any]:
    """The seven training arguments; one more, and ``get_cfg`` of every release refuses them."""
    config = {**_DEFAULTS, **{name: value for name, value in model.config.items() if value is not None}}
    return {
        "batch_size": config["batchSize"],
        "epochs": config["epochs"],
        "imgsz": config["imageSize"],
        "patience": config["patience"],
        "device": _plain(config["device"]),
        "cache": _plain(config["cache"]),
        "data": urls.get(model.dataset_id or "", "" if model.dataset_id else model.dataset),
    }


def _run(model: Model, standing: Standing) -> dict[str, Any]:
    """Our extension: how the run stands."""
    return {
        "project": model.project,
        "task": model.task,
        "epochs": model.epochs,
        "lastEpoch": model.last_epoch,
        "state": standing.word,
        "reason": standing.reason,
        "since": standing.since,
        "stopAskedFor": model.stop_reason,
        "best": finite(model.best),
        "last": finite(model.last),
        "summary": finite(model.summary),
        "args": model.args,
        "environment": model.environment,
        "createdAt": model.created_at,
        "startedAt": model.started_at,
        "attempt": model.attempt_at,
        "finishedAt": model.finished_at,
        "lastSeenAt": model.last_seen_at,
        "lastRowAt": model.last_row_at,
    }


def _plain(value: Any) -> Any:
    return _WORDS.get(value, value) if isinstance(value, str) else value


def _yaml(architecture: str) -> str | None:
    if not architecture:
        return None
    return architecture if architecture.endswith((".yaml", ".yml")) else f"{architecture}.yaml"


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
