"""The routes of the page with a user's own keys: what each may do, and when it was last used."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from hub_callbacks.server import auth
from hub_callbacks.server.auth import PageViewer
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.dashboard.key_tables import key_part
from hub_callbacks.server.dashboard.render import Renderer, ThisRenderer
from hub_callbacks.server.people import KeyBody
from hub_callbacks.server.routes import keys as api
from hub_callbacks.server.store.rows import Caller, Role

KEYS = "/keys"
_DAY_S = 86400.0

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get(KEYS)
def keys(hub: ThisHub, caller: PageViewer, render: ThisRenderer) -> HTMLResponse:
    """The page with the caller's keys."""
    return _page(hub, caller, render)


@router.post(KEYS)
def create(  # noqa: PLR0913 - a field of the form each
    hub: ThisHub,
    caller: PageViewer,
    render: ThisRenderer,
    request: Request,
    name: Annotated[str, Form(max_length=256)] = "",
    role: Annotated[Role | None, Form()] = None,
    days: Annotated[float | None, Form(gt=0, le=36_500)] = None,
    project: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Make a key, and show it on the page: the only time that it can be read."""
    if not auth.is_same_origin(request):
        return RedirectResponse(KEYS, status_code=303)
    least = None if role == caller.role else role
    ends_at = hub.clock() + days * _DAY_S if days else None
    body = KeyBody(name=name.strip(), role=least, expires_at=ends_at, project_id=project or None)
    return _page(hub, caller, render, new_key=api.create(body, caller, request, hub).data.key)


@router.post(KEYS + "/{key_id}/revoke")
def revoke(
    key_id: str,
    hub: ThisHub,
    caller: PageViewer,
    request: Request,
    next_path: Annotated[str, Form(alias="next", max_length=256)] = KEYS,
) -> Response:
    """Make a key no good, and back to the page that it was shown on."""
    if auth.is_same_origin(request):
        api.revoke(key_id, caller, request, hub)
    return RedirectResponse(auth.safe_next(next_path), status_code=303)


def _page(hub: Hub, caller: Caller, render: Renderer, *, new_key: str = "") -> HTMLResponse:
    values: dict[str, Any] = {
        **key_part(hub, caller, caller.user_id, caller.role),
        "new_key": new_key,
        "may_make": not caller.is_limited,
        "projects": hub.store.own_projects(caller),
    }
    return render.page("keys.html", caller=caller, **values)
