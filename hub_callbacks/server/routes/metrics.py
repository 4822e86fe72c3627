"""Metrics, both ways."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.routing import APIRoute
from pydantic import Field, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from hub_callbacks import wire
from hub_callbacks.server.auth import plain_key
from hub_callbacks.server.bodies import FAILURES, SUPERSEDED, TOO_LARGE, Id, MetricsBody, Reply, Series
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.documents import check_row
from hub_callbacks.server.limits import Limits
from hub_callbacks.server.routes.access import Attempt, OwnModelId, ReadableModel
from hub_callbacks.server.shapes import hub_metrics
from hub_callbacks.server.store.claims import Claim, ClaimedReport
from hub_callbacks.server.store.rows import Report
from hub_callbacks.server.store.values import parse_row

_SMALL_CHARS: Final = 1 << 16  # read in a millisecond or two, which is less than the way to a thread and back may take

_ATTEMPT: Final[TypeAdapter[float | None]] = TypeAdapter(Annotated[float | None, Field(ge=0, allow_inf_nan=False)])

router = APIRouter(tags=["metrics"], responses=FAILURES)


class ReportRoute(APIRoute):
    """A short way for plain reports. All else goes by FastAPI, which knows what is wrong with it, and how to say it.

    A report comes of every epoch of every run, and FastAPI takes longer to find out what its endpoint needs than we
    take to store it.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        by_fastapi = super().get_route_handler()

        async def answer(request: Request) -> Response:
            hub: Hub = request.app.state.hub
            plain = await _plain(request, hub.limits)
            if plain is None:
                return await by_fastapi(request)
            await hub.reports.ask(plain)
            return Response(_stored(plain.report.model_id).model_dump_json(), media_type="application/json")

        return answer


async def put(body: MetricsBody, hub: ThisHub, own_id: OwnModelId, attempt: Attempt = None) -> Reply[Id]:
    """Insert or replace rows by epoch; the last write wins."""
    if len(body.metrics) > hub.limits.rows:
        raise HTTPException(413, f"One request takes {hub.limits.rows} epochs at most, not {len(body.metrics)}.")
    rows = await run_in_threadpool(_rows, body, hub.limits)
    await run_in_threadpool(hub.store.put_metrics, own_id, rows, attempt=attempt)
    return _stored(own_id)


router.add_api_route(
    wire.model("{model_id}"), put, methods=["POST"], responses=TOO_LARGE | SUPERSEDED, route_class_override=ReportRoute
)


@router.get(wire.metrics("{model_id}"))
def read(hub: ThisHub, model: ReadableModel) -> Reply[list[Series]]:
    """Every metric of the model, by epoch."""
    return Reply(data=[Series(**series) for series in hub_metrics(hub.store.metrics(model.id))])


async def _plain(request: Request, limits: Limits) -> ClaimedReport | None:
    """The report of a program that shows its key, where it is small and right in every respect."""
    key = plain_key(request)
    if key is None or request.headers.get("content-type") != "application/json":
        return None
    try:
        body = MetricsBody.model_validate_json(await request.body())
        if len(body.metrics) > limits.rows or sum(map(len, body.metrics.values())) > _SMALL_CHARS:
            return None
        attempt = _ATTEMPT.validate_python(request.headers.get(wire.ATTEMPT_HEADER))
        rows = _rows(body, limits)
    except (ClientDisconnect, ValidationError, HTTPException):
        return None
    model_id = request.path_params["model_id"]
    return ClaimedReport(Claim(key, model_id), Report(model_id=model_id, rows=rows, attempt=attempt))


def _stored(model_id: str) -> Reply[Id]:
    return Reply(message="Metrics stored.", data=Id(id=model_id))


def _rows(body: MetricsBody, limits: Limits) -> dict[int, dict[str, float]]:
    return {int(epoch): _row(epoch, text, limits) for epoch, text in body.metrics.items()}


def _row(epoch: str, text: str, limits: Limits) -> dict[str, float]:
    try:
        row = parse_row(text)
    except (ValueError, RecursionError) as error:
        raise HTTPException(422, f"The row of epoch {epoch} cannot be read: {error}.") from error
    check_row(row, limits)
    return row
