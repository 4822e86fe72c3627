"""Metrics, both ways."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, HTTPException
from starlette.concurrency import run_in_threadpool

from hub_callbacks import wire
from hub_callbacks.server.bodies import FAILURES, TOO_LARGE, Id, MetricsBody, Reply, Series
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.documents import check_row
from hub_callbacks.server.limits import Limits
from hub_callbacks.server.routes.access import Attempt, OwnModelId, ReadableModel
from hub_callbacks.server.shapes import hub_metrics
from hub_callbacks.server.store.rows import Report
from hub_callbacks.server.store.values import parse_row

_SMALL_CHARS: Final = 1 << 16  # read in a millisecond or two, which is less than the way to a thread and back may take

router = APIRouter(tags=["metrics"], responses=FAILURES)


@router.post(wire.model("{model_id}"), responses=TOO_LARGE)
async def put(body: MetricsBody, hub: ThisHub, own_id: OwnModelId, attempt: Attempt = None) -> Reply[Id]:
    """Insert or replace rows by epoch; the last write wins."""
    if len(body.metrics) > hub.limits.rows:
        raise HTTPException(413, f"One request takes {hub.limits.rows} epochs at most, not {len(body.metrics)}.")
    is_small = sum(map(len, body.metrics.values())) <= _SMALL_CHARS
    rows = _rows(body, hub.limits) if is_small else await run_in_threadpool(_rows, body, hub.limits)
    await hub.reports.ask(Report(model_id=own_id, rows=rows, attempt=attempt))
    return Reply(message="Metrics stored.", data=Id(id=own_id))


@router.get(wire.metrics("{model_id}"))
def read(hub: ThisHub, model: ReadableModel) -> Reply[list[Series]]:
    """Every metric of the model, by epoch."""
    return Reply(data=[Series(**series) for series in hub_metrics(hub.store.metrics(model.id))])


def _rows(body: MetricsBody, limits: Limits) -> dict[int, dict[str, float]]:
    return {int(epoch): _row(epoch, text, limits) for epoch, text in body.metrics.items()}


def _row(epoch: str, text: str, limits: Limits) -> dict[str, float]:
    try:
        row = parse_row(text)
    except (ValueError, RecursionError) as error:
        raise HTTPException(422, f"The row of epoch {epoch} cannot be read: {error}.") from error
    check_row(row, limits)
    return row
