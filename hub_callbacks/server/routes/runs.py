"""Runs as the pages list them, and their metrics as files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import StreamingResponse

from hub_callbacks import wire
from hub_callbacks.server.auth import Viewer
from hub_callbacks.server.bodies import FAILURES, Object, Reply, RunListing, also, files
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.dashboard.defaults import DEFAULTS
from hub_callbacks.server.dashboard.filters import FilterError
from hub_callbacks.server.dashboard.listing import STATES, Listing, ThisListing
from hub_callbacks.server.dashboard.runs_page import query_of
from hub_callbacks.server.export import MEDIA_TYPES, NoParquetError, export, filename
from hub_callbacks.server.queries import WHOLE
from hub_callbacks.server.routes.access import ReadableModel
from hub_callbacks.server.shapes import hub_run
from hub_callbacks.server.store.rows import Caller, Model
from hub_callbacks.server.store.runs import SORTS

_MOST = 10_000  # runs in one file
_FILE = {"content": files(*MEDIA_TYPES.values())}

_METRIC = re.compile(r"[A-Za-z][\w.()@-]*/[\w./()@-]+")

router = APIRouter(tags=["runs"], responses=FAILURES)
Limit = Annotated[int, Query(ge=1, le=1000, description="Runs a page."), WHOLE]
States = Annotated[tuple[str, ...], Query()]
Chosen = Annotated[tuple[str, ...], Query(description="IDs of runs; the filters then count for nothing.")]


def exact(listing: ThisListing, state: States = (), sort: str = "") -> Listing:
    """A dependency: the listing, by any metric or argument; a script's unknown words are refused."""
    for word in state:
        if word not in STATES:
            raise HTTPException(422, f"{word!r} is no state of a run. There are {', '.join(STATES)}.")
    if sort and sort not in SORTS and not _METRIC.fullmatch(sort) and sort not in DEFAULTS:
        raise HTTPException(
            422,
            f"Nothing to sort by is called {sort!r}. There are {', '.join(SORTS)}, a metric's whole name such as"
            " metrics/mAP50(B), and Ultralytics' arguments.",
        )
    return replace(listing, sort=sort or listing.sort)


ExactListing = Annotated[Listing, Depends(exact)]


@router.get(wire.RUNS)
def list_runs(hub: ThisHub, caller: Viewer, listing: ExactListing, limit: Limit = 100) -> Reply[RunListing]:
    """Runs that the caller may read: searched, filtered, sorted and paged as in the table."""
    found, total = _found(hub, caller, listing, limit=limit, offset=(listing.page - 1) * limit)
    return Reply(data=RunListing(results=[hub_run(model, hub.judge(model)) for model in found], total=total))


@router.get(
    wire.export("{form}"), response_class=StreamingResponse, responses={200: _FILE, **also(http_501="No Parquet here.")}
)
def export_runs(
    form: wire.ExportForm, hub: ThisHub, caller: Viewer, listing: ExactListing, run: Chosen = ()
) -> StreamingResponse:
    """The metrics of several runs as one file; each row says its run."""
    if run:
        models = _chosen(hub, caller, run)
    else:
        models, total = _found(hub, caller, listing, limit=_MOST)
        if total > _MOST:
            raise HTTPException(422, f"{total} runs match, and a file takes {_MOST} at most: narrow the filters.")
    return _file(hub, form, models, is_named=True)


@router.get(
    wire.export("{form}", "{model_id}"),
    response_class=StreamingResponse,
    responses={200: _FILE, **also(http_501="No Parquet here.")},
)
def export_run(form: wire.ExportForm, hub: ThisHub, model: ReadableModel) -> StreamingResponse:
    """The metrics of one run as a file, in the columns of results.csv."""
    return _file(hub, form, [model], is_named=False)


@router.get(wire.run("{model_id}"))
def read(hub: ThisHub, model: ReadableModel) -> Reply[Object]:
    """One run, as the list tells of it."""
    return Reply(data=hub_run(model, hub.judge(model)))


def _found(hub: Hub, caller: Caller, listing: Listing, *, limit: int, offset: int = 0) -> tuple[list[Model], int]:
    try:
        return hub.store.find_runs(query_of(hub, caller, listing), caller, limit=limit, offset=offset)
    except FilterError as error:
        raise HTTPException(422, str(error)) from error


def _chosen(hub: Hub, caller: Caller, run_ids: Sequence[str]) -> list[Model]:
    models = hub.store.get_models(run_ids, caller)
    missing = sorted({*run_ids} - {model.id for model in models})
    if missing:
        raise HTTPException(404, f"Not on this hub: {', '.join(missing)}.")
    return models


def _file(hub: Hub, form: wire.ExportForm, models: Sequence[Model], *, is_named: bool) -> StreamingResponse:
    try:
        pieces = export(form, hub.store, models, is_named=is_named)
    except NoParquetError as error:
        raise HTTPException(501, str(error)) from error
    headers = {
        "content-disposition": f'attachment; filename="{filename(form, models)}"',
        "cache-control": "private, no-store",
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(pieces, headers=headers, media_type=MEDIA_TYPES[form])
