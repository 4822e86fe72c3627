"""The routes of the page that compares runs; its address says which, so that it can be handed on."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import HTMLResponse, JSONResponse

from hub_callbacks.server.auth import PageViewer, Viewer
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.dashboard.compare_page import (
    FEWEST,
    MOST,
    compare_part,
    drawn_metrics,
    lines,
    mark,
    sides,
)
from hub_callbacks.server.dashboard.live import IDLE_PAUSE_S, PAUSE_S
from hub_callbacks.server.dashboard.render import ThisRenderer, live_reply

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Chosen = Annotated[tuple[str, ...], Query()]


@router.get("/compare")
def compare(hub: ThisHub, caller: PageViewer, render: ThisRenderer, run: Chosen = ()) -> HTMLResponse:
    """The page with the chosen runs beside each other."""
    chosen = tuple(dict.fromkeys(run))
    if not FEWEST <= len(chosen) <= MOST:
        text = f"This page compares {FEWEST} to {MOST} runs, and {len(chosen)} were chosen. Select them in the table."
        return render.error(422, f"Choose {FEWEST} to {MOST} runs", text, caller=caller)
    models = hub.store.get_models(chosen, caller)
    missing = [model_id for model_id in chosen if model_id not in {model.id for model in models}]
    if len(models) < FEWEST:
        text = f"Not on this hub: {', '.join(missing)}. They may have been deleted, or not have arrived."
        return render.error(404, "Too few of these runs are here", text, caller=caller)
    different, same = sides(models)
    values: dict[str, Any] = {
        **compare_part(hub, models),
        "missing": missing,
        "different": different,
        "same": same,
        "metrics": drawn_metrics(models),
        "query": urlencode([("run", model.id) for model in models]),
    }
    return render.page("compare.html", caller=caller, **values)


@router.get("/live/compare")
def compare_live(
    hub: ThisHub,
    caller: Viewer,
    render: ThisRenderer,
    run: Chosen = (),
    known: Annotated[str, Query(alias="mark")] = "",
) -> JSONResponse:
    """The lines of the runs, their bests and drawings; nothing where the page has them, as its ``mark`` says."""
    models = hub.store.get_models(tuple(dict.fromkeys(run))[:MOST], caller)
    if not models:
        raise HTTPException(404, "The runs are gone.")
    is_live = any(hub.judge(model).is_live for model in models)
    new = mark(models)
    told: dict[str, object] = {}
    if new != known:
        drawn = zip((model.id for model in models), lines(hub, models), strict=True)
        values = compare_part(hub, models)
        html = {part: render.text(f"compare_{part}.html", **values) for part in ("bests", "drawings")}
        told = {"lines": dict(drawn), "html": html}
    return live_reply(mark=new, is_live=is_live, pause_s=PAUSE_S * 2 if is_live else IDLE_PAUSE_S, **told)
