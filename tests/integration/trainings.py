"""Trainings of a run, as their couriers speak to a hub."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import requests

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.hubs import HubServer

FIRST, SECOND = 1000.0, 2000.0  # when two trainings began


def checkpoint(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    return file.getvalue()


class Training:
    """One training of a run, as its courier speaks to the hub; without ``began_at``, as a client of HUB v1 does."""

    def __init__(self, hub: HubServer, model_id: str, began_at: float | None) -> None:
        self.hub, self.model_id = hub, model_id
        self.headers = {} if began_at is None else {wire.ATTEMPT_HEADER: repr(began_at)}

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return self.hub.send(method, path, headers=headers, **options)

    def rows(self, *epochs: int, loss: float) -> int:
        rows = {str(epoch): f'{{"loss": {loss}}}' for epoch in epochs}
        return self.send("POST", wire.model(self.model_id), json={"type": "metrics", "metrics": rows}).status_code

    def upload(self, epoch: int, content: bytes, kind: str = "epoch") -> int:
        fields = {"epoch": epoch, "type": kind, "isBest": "True"}
        path = wire.upload(self.model_id)
        return self.send("POST", path, data=fields, files={"last.pt": checkpoint(content)}).status_code

    def begin_upload(self, epoch: int, kind: str = "epoch") -> requests.Response:
        headers = {
            wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION,
            wire.UPLOAD_LENGTH_HEADER: "100",
            wire.UPLOAD_METADATA_HEADER: wire.upload_metadata({"filename": "last.pt", "epoch": epoch, "type": kind}),
        }
        return self.send("POST", wire.uploads(self.model_id), headers=headers)


def begin(
    hub: HubServer,
    began_at: float,
    *,
    start_epoch: int = 0,
    model_id: str | None = None,
    name: str = "train",
    project: str = "",
) -> Training:
    model_id = model_id or wire.new_id()
    run = {"startedAt": began_at, "startEpoch": start_epoch, "epochs": 6, "project": project}
    hub.ask("POST", wire.MODELS, json={"id": model_id, "meta": {"name": name}, "run": run})
    return Training(hub, model_id, began_at)


def curve(hub: HubServer, model_id: str) -> dict[int, float]:
    (losses,) = [one["data"] for one in hub.ask("GET", wire.metrics(model_id)) if one["meta"]["name"] == "loss"]
    return {int(epoch): loss for epoch, loss in losses.items()}


def model(hub: HubServer, model_id: str) -> dict[str, Any]:
    found: dict[str, Any] = hub.ask("GET", wire.model(model_id))
    return found
