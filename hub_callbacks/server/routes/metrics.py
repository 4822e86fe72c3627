"""Metrics, both ways."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException

from hub_callbacks import wire
from hub_callbacks.server.bodies import FAILURES, Id, MetricsBody, Reply, Series
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.routes.access import Attempt, OwnModelId, ReadableModel
from hub_callbacks.server.shapes import hub_metrics
from hub_callbacks.server.store.values import parse_row

router = APIRouter(tags=["metrics"], responses=FAILURES)


@router.post(wire.model("{model_id}"))
def put(body: MetricsBody, hub: ThisHub, own_id: OwnModelId, attempt: Attempt = None) -> Reply[Id]:
    """Insert or replace rows by epoch; the last write wins."""
    rows = {int(epoch): _row(epoch, text) for epoch, text in body.metrics.items()}
    hub.store.put_metrics(own_id, rows, attempt=attempt)
    return Reply(message="Metrics stored.", data=Id(id=own_id))


@router.get(wire.metrics("{model_id}"))
def read(hub: ThisHub, model: ReadableModel) -> Reply[list[Series]]:
    """Every metric of the model, by epoch."""
    return Reply(data=[Series(**series) for series in hub_metrics(hub.store.metrics(model.id))])


def _row(epoch: str, text: str) -> dict[str, float]:
    try:
        return parse_row(text)
    except (ValueError, RecursionError) as error:
        raise HTTPException(422, f"The row of epoch {epoch} cannot be read: {error}.") from error
