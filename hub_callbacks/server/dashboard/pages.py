"""The routes that browsers use: the runs, signing in and out, and the files that pages load."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from hub_callbacks.server import auditing, auth
from hub_callbacks.server.auth import PageViewer, Viewer
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.dashboard.filters import FilterError
from hub_callbacks.server.dashboard.listing import ThisListing, columns_cookie, packed
from hub_callbacks.server.dashboard.live import IDLE_PAUSE_S, PAUSE_S
from hub_callbacks.server.dashboard.render import ThisRenderer, live_reply, root_url
from hub_callbacks.server.dashboard.runs_page import controls, no_runs, runs_part
from hub_callbacks.server.routes.access import find_deleted
from hub_callbacks.server.store.rows import Caller

_ONE_YEAR_S = 31_536_000
_UNKNOWN_KEY = "This hub does not know that key. Check that it is whole, and that it is a key of this hub."
_UNKNOWN_USER = "This hub does not know that e-mail address and password."

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Next = Annotated[str, Query(alias="next")]
Session = Annotated[Caller | None, Depends(auth.current_session)]


@router.get("/")
def runs(
    hub: ThisHub, caller: PageViewer, render: ThisRenderer, request: Request, listing: ThisListing, deleted: str = ""
) -> Response:
    """The page with the runs that are looked for."""
    problem = ""
    try:
        values = runs_part(hub, caller, listing)
    except FilterError as error:
        problem, values = str(error), no_runs(listing)
    shown = {
        **values,
        **controls(hub, caller, listing),
        "problem": problem,
        "deleted": find_deleted(hub, caller, deleted) if deleted else None,
        "root_url": root_url(request),
    }
    page = render.page("runs.html", status=422 if problem else 200, caller=caller, **shown)
    if listing.are_columns_given:
        auth.keep(request, page, columns_cookie(hub), packed(listing))
    return page


@router.get("/live/runs")
def runs_live(
    hub: ThisHub, caller: Viewer, render: ThisRenderer, request: Request, listing: ThisListing, mark: str = ""
) -> JSONResponse:
    """The part of that page that changes; without it where the page has it already, as its ``mark`` says."""
    try:
        values = runs_part(hub, caller, listing)
    except FilterError as error:
        raise HTTPException(422, str(error)) from error
    html = render.text("runs_live.html", root_url=root_url(request), **values)
    new_mark = hashlib.sha256(html.encode()).hexdigest()[:16]
    is_live = not values["rows"] or any(row.run.state.word == "running" for row in values["rows"])
    pause_s = PAUSE_S if is_live else IDLE_PAUSE_S
    return live_reply(html=None if new_mark == mark else html, mark=new_mark, pause_s=pause_s)


@router.get(auth.LOGIN)
def login(
    hub: ThisHub, session: Session, render: ThisRenderer, request: Request, next_path: Next = "/", token: str = ""
) -> Response:
    """The sign-in page; with the token that ``hub-callbacks open`` got, straight on to the runs."""
    if caller := auth.caller_of_sign_in(hub, token) if token else session:
        if token:
            auditing.note(hub, request, caller, "sign-in", f"users/{caller.user_id}", detail="by a link")
        return _enter(request, hub, caller, next_path)
    error = "This link has expired. Paste a key, or run hub-callbacks open again." if token else ""
    return render.page(
        "login.html", status=401 if token else 200, error=error, email="", next=auth.safe_next(next_path)
    )


@router.post(auth.LOGIN)
def sign_in(
    hub: ThisHub,
    render: ThisRenderer,
    request: Request,
    key: Annotated[str, Form(max_length=256)] = "",
    email: Annotated[str, Form(max_length=254)] = "",
    password: Annotated[str, Form(max_length=1024)] = "",
    next_path: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    """Sign in with an API key, or with an e-mail address and a password."""

    def find() -> Caller | None:
        return hub.store.user_of_password(email, password) if email else hub.store.caller_of_key(key.strip())

    status, error = 401, _UNKNOWN_USER if email else _UNKNOWN_KEY
    try:
        caller = auditing.sign_in(hub, request, email, find) if auth.is_same_origin(request) else None
    except HTTPException as refusal:
        caller, status, error = None, refusal.status_code, refusal.detail
    if caller:
        return _enter(request, hub, caller, next_path)
    return render.page("login.html", status=status, error=error, email=email, next=auth.safe_next(next_path))


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
