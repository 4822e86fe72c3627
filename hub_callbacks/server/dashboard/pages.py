"""The routes that browsers use: the runs, one run, signing in and out, and the files that pages load."""

from __future__ import annotations

import contextlib
import hashlib
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from hub_callbacks import wire
from hub_callbacks.server import auth
from hub_callbacks.server.auth import PageViewer, Viewer
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.dashboard.filters import FilterError
from hub_callbacks.server.dashboard.listing import ThisListing, columns_cookie, packed
from hub_callbacks.server.dashboard.live import columns
from hub_callbacks.server.dashboard.render import Renderer, live_reply, renderer
from hub_callbacks.server.dashboard.run_page import live_part, still_part, stop_path
from hub_callbacks.server.dashboard.runs_page import controls, no_runs, runs_part
from hub_callbacks.server.stopping import ask_to_stop
from hub_callbacks.server.store.rows import Caller

_PAUSE_S = 2.0  # between two looks at what is going on
_IDLE_PAUSE_S = 10.0  # when nothing is
_ONE_YEAR_S = 31_536_000

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
ThisRenderer = Annotated[Renderer, Depends(renderer)]
Next = Annotated[str, Query(alias="next")]
Session = Annotated[Caller | None, Depends(auth.current_session)]


@router.get("/")
def runs(hub: ThisHub, caller: PageViewer, render: ThisRenderer, request: Request, listing: ThisListing) -> Response:
    """The page with the runs that are looked for."""
    problem = ""
    try:
        values = runs_part(hub, listing)
    except FilterError as error:
        problem, values = str(error), no_runs(listing)
    root_url = str(request.base_url).rstrip("/")
    shown = {**values, **controls(hub, listing), "problem": problem, "root_url": root_url}
    page = render.page("runs.html", status=422 if problem else 200, caller=caller, **shown)
    if listing.are_columns_given:
        auth.keep(request, page, columns_cookie(hub), packed(listing))
    return page


@router.get("/live/runs")
def runs_live(
    hub: ThisHub, _: Viewer, render: ThisRenderer, request: Request, listing: ThisListing, mark: str = ""
) -> JSONResponse:
    """The part of that page that changes; without it where the page has it already, as its ``mark`` says."""
    try:
        values = runs_part(hub, listing)
    except FilterError as error:
        raise HTTPException(422, str(error)) from error
    html = render.text("runs_live.html", root_url=str(request.base_url).rstrip("/"), **values)
    new_mark = hashlib.sha256(html.encode()).hexdigest()[:16]
    is_live = not values["rows"] or any(row.run.state.word == "running" for row in values["rows"])
    pause_s = _PAUSE_S if is_live else _IDLE_PAUSE_S
    return live_reply(html=None if new_mark == mark else html, mark=new_mark, pause_s=pause_s)


@router.get("/models/{model_id}")
def run(model_id: str, hub: ThisHub, caller: PageViewer, render: ThisRenderer) -> HTMLResponse:
    """The page of one run."""
    model = hub.store.get_model(model_id)
    if model is None:
        text = f"There is no run with the ID {model_id!r} on this hub. It may have been deleted, or not have arrived."
        return render.error(404, "This run is not here", text, caller=caller)
    rows = hub.store.metrics(model_id)
    values = {**live_part(hub, model, rows, caller), **still_part(model, rows), "live_url": f"/live/models/{model_id}"}
    return render.page("run.html", caller=caller, **values)


@router.get("/live/models/{model_id}")
def run_live(
    model_id: str, hub: ThisHub, caller: Viewer, render: ThisRenderer, since: Annotated[int, Query(ge=0)] = 0
) -> JSONResponse:
    """The part of that page that changes, and the rows from the epoch ``since`` on."""
    model = hub.store.get_model(model_id)
    if model is None:
        return JSONResponse({"message": "The run is gone."}, status_code=404)
    rows = hub.store.metrics(model_id)
    values = live_part(hub, model, rows, caller)
    new = columns([row for row in rows if row.epoch >= since])
    state = values["run"].state
    return live_reply(
        html={"top": render.text("run_top.html", **values), "numbers": render.text("run_numbers.html", **values)},
        rows=new,
        received=len(rows),
        is_live=state.is_live,
        pause_s=_PAUSE_S if state.word in {"running", "stalled"} else _IDLE_PAUSE_S,
    )


@router.post(stop_path("{model_id}"))
def stop(model_id: str, hub: ThisHub, caller: PageViewer, request: Request) -> Response:
    """Ask the run to stop, and back to its page, which says what came of it."""
    if auth.is_same_origin(request):
        auth.check_owner(caller, hub.store.owner_of(model_id))
        with contextlib.suppress(HTTPException):  # it has ended meanwhile: the page shows that
            ask_to_stop(hub, model_id, caller)
    return RedirectResponse(wire.page(model_id), status_code=303)


@router.get(auth.LOGIN)
def login(
    hub: ThisHub, session: Session, render: ThisRenderer, request: Request, next_path: Next = "/", token: str = ""
) -> Response:
    """The sign-in page; with the token that ``hub-callbacks open`` got, straight on to the runs."""
    if caller := auth.caller_of_sign_in(hub, token) if token else session:
        return _enter(request, hub, caller, next_path)
    error = "This link has expired. Paste a key, or run hub-callbacks open again." if token else ""
    return render.page("login.html", status=401 if token else 200, error=error, next=auth.safe_next(next_path))


@router.post(auth.LOGIN)
def sign_in(
    hub: ThisHub,
    render: ThisRenderer,
    request: Request,
    key: Annotated[str, Form()] = "",
    next_path: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    """Sign in with an API key."""
    caller = hub.store.caller_of_key(key.strip()) if auth.is_same_origin(request) else None
    if caller:
        return _enter(request, hub, caller, next_path)
    error = "This hub does not know that key. Check that it is whole, and that it is a key of this hub."
    return render.page("login.html", status=401, error=error, next=auth.safe_next(next_path))


@router.post("/logout")
def sign_out(hub: ThisHub, request: Request) -> Response:
    """Sign out, and back to the sign-in page."""
    reply = RedirectResponse(auth.LOGIN, status_code=303)
    if auth.is_same_origin(request):
        reply.delete_cookie(auth.cookie_name(hub))
    return reply


@router.get("/static/{version}/{name}")
def static(version: str, name: str, render: ThisRenderer) -> Response:
    """A file that pages load. Its version is part of its URL, so browsers may keep it for good."""
    asset = render.assets.get(version, name)
    if asset is None:
        return Response(status_code=404)
    # every browser takes gzip; whoever does not is no browser
    cache = f"public, max-age={_ONE_YEAR_S}, immutable"
    headers = {"Content-Encoding": "gzip", "Cache-Control": cache, "X-Content-Type-Options": "nosniff"}
    return Response(asset.body, media_type=asset.media_type, headers=headers)


def _enter(request: Request, hub: Hub, caller: Caller, next_path: str) -> Response:
    reply = RedirectResponse(auth.safe_next(next_path), status_code=303)
    auth.start_session(request, reply, hub, caller)
    return reply
