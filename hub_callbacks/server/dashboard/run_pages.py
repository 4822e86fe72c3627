"""The routes of one run: its page, what changes of it, and what can be done with it there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from hub_callbacks import wire
from hub_callbacks.server import auth
from hub_callbacks.server.auditing import note
from hub_callbacks.server.auth import PageViewer, Viewer
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.dashboard.live import IDLE_PAUSE_S, PAUSE_S, columns
from hub_callbacks.server.dashboard.render import ThisRenderer, live_reply, root_url
from hub_callbacks.server.dashboard.run_page import charts_part, live_part, still_part, stop_path
from hub_callbacks.server.routes.access import check_changeable, find_deleted, find_readable, settle
from hub_callbacks.server.stopping import ask_to_stop
from hub_callbacks.server.store.rows import Caller

_NOWHERE = "none"
_LIVE_PARTS = ("top", "pictures", "numbers", "checkpoints", "states")

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get(wire.page("{model_id}"))
def run(model_id: str, hub: ThisHub, caller: PageViewer, render: ThisRenderer, request: Request) -> HTMLResponse:
    """The page of one run."""
    model = find_readable(hub, caller, model_id)
    if model is None:
        text = f"There is no run with the ID {model_id!r} on this hub. It may have been deleted, or not have arrived."
        return render.error(404, "This run is not here", text, caller=caller)
    rows = hub.store.metrics(model_id)
    live = live_part(hub, model, caller, received=len(rows), root_url=root_url(request))
    values = {**live, **charts_part(model, rows), **still_part(model, rows), "live_url": f"/live/models/{model_id}"}
    return render.page("run.html", caller=caller, **values)


@router.get("/live/models/{model_id}")
def run_live(
    model_id: str,
    hub: ThisHub,
    caller: Viewer,
    render: ThisRenderer,
    request: Request,
    since: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> JSONResponse:
    """The part of that page that changes, and the rows from the epoch ``since`` on; no others are read.

    The charts, whose number follows from all rows, come with all rows only.
    """
    model = find_readable(hub, caller, model_id)
    if model is None:
        return JSONResponse({"message": "The run is gone."}, status_code=404)
    rows, received = hub.store.metrics_since(model_id, since)
    values = live_part(hub, model, caller, received=received, root_url=root_url(request))
    html = {part: render.text(f"run_{part}.html", **values) for part in _LIVE_PARTS}
    if since == 0:
        html["charts"] = render.text("run_charts.html", **values, **charts_part(model, rows))
    state = values["run"].state
    return live_reply(
        html=html,
        rows=columns(rows),
        received=received,
        is_live=state.is_live,
        pause_s=PAUSE_S if state.word in {"running", "stalled"} else IDLE_PAUSE_S,
    )


@router.post(stop_path("{model_id}"))
def stop(model_id: str, hub: ThisHub, caller: PageViewer, request: Request) -> Response:
    """Ask the run to stop, and back to its page, which says what came of it."""

    def change() -> None:
        with contextlib.suppress(HTTPException):  # it has ended meanwhile: the page shows that
            ask_to_stop(hub, model_id, caller)

    return _changed(request, hub, caller, model_id, change, then=wire.page(model_id))


@router.post(wire.page("{model_id}") + "/edit")
def edit(
    model_id: str,
    hub: ThisHub,
    caller: PageViewer,
    request: Request,
    name: Annotated[str, Form(max_length=200)],
    project: Annotated[str, Form(max_length=200)] = "",
    inside: Annotated[str, Form(alias="in", max_length=20)] = "",
) -> Response:
    """Rename the run, or move it to another project, and back to its page.

    ``in`` is a shared project's ID, or ``none``; an empty field of a form is as good as no field.
    """

    def change() -> None:
        said = {"meta": {"name": name.strip()}} if name.strip() else {}
        moved = settle(hub, caller, {"projectId": None if inside == _NOWHERE else inside}) if inside else {}
        hub.store.update_model(model_id, {**said, **moved, "run": {"project": project.strip()}})

    return _changed(request, hub, caller, model_id, change, then=wire.page(model_id))


@router.post(wire.page("{model_id}") + "/delete")
def delete(model_id: str, hub: ThisHub, caller: PageViewer, request: Request) -> Response:
    """Hide the run, and on to the others, where that can be undone."""

    def change() -> None:
        hub.store.delete_model(model_id, hard=False)
        note(hub, request, caller, "delete", f"models/{model_id}")

    return _changed(request, hub, caller, model_id, change, then=f"/?deleted={model_id}")


@router.post(wire.page("{model_id}") + "/restore")
def restore(model_id: str, hub: ThisHub, caller: PageViewer, request: Request) -> Response:
    """Show a deleted run again, and on to its page."""
    if auth.is_same_origin(request) and find_deleted(hub, caller, model_id):
        hub.store.restore_model(model_id)
    return RedirectResponse(wire.page(model_id), status_code=303)


def _changed(
    request: Request, hub: Hub, caller: Caller, model_id: str, change: Callable[[], object], *, then: str
) -> Response:
    """Make the change when a page of ours asks for it and the caller may."""
    if auth.is_same_origin(request):
        check_changeable(hub, caller, "models", model_id)
        change()
    return RedirectResponse(then, status_code=303)
