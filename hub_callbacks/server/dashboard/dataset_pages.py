"""The routes of the page with the data sets: whose they are, who sees them, and their archives."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from hub_callbacks.server import auth
from hub_callbacks.server.auth import PageViewer
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.dashboard.owners import owner_names
from hub_callbacks.server.dashboard.render import ThisRenderer, root_url
from hub_callbacks.server.files import thing_path
from hub_callbacks.server.permissions import may_change
from hub_callbacks.server.routes import collections
from hub_callbacks.server.routes.access import check_changeable

DATASETS = "/datasets"
_PAGE_SIZE = 50

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get(DATASETS)
def datasets(
    hub: ThisHub,
    caller: PageViewer,
    render: ThisRenderer,
    request: Request,
    q: str = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    deleted: bool = False,
) -> HTMLResponse:
    """The page with the data sets that the caller may see."""
    query = q.strip()
    found = hub.store.list_things("datasets", caller, limit=_PAGE_SIZE, query=query, offset=(page - 1) * _PAGE_SIZE)
    places = hub.store.places_of("datasets", [one.id for one in found.things], caller.user_id)
    things = [one for one in found.things if one.id in places]  # what was not deleted in between
    inside = {one.project_id for one in things if one.project_id}
    values: dict[str, Any] = {
        "datasets": things,
        "places": places,
        "projects": hub.store.get_readable("projects", inside, caller),
        "owners": owner_names(hub, things),
        "paths": {one.id: thing_path(hub, "datasets", one) for one in things},
        "changeable": {thing_id for thing_id, place in places.items() if may_change(caller, place)},
        "total": found.total,
        "query": query,
        "page_number": page,
        "pages": -(-found.total // _PAGE_SIZE),
        "may_make": caller.role != "viewer",
        "is_deleted": deleted,
        "root_url": root_url(request),
    }
    return render.page("datasets.html", caller=caller, **values)


@router.post(f"{DATASETS}/{{dataset_id}}/delete")
def delete(dataset_id: str, hub: ThisHub, caller: PageViewer, request: Request) -> Response:
    """Delete the data set, and back to the others; models that name it keep its name."""
    auth.check_own_page(request)
    check_changeable(hub, caller, "datasets", dataset_id)
    collections.delete(request, hub, "datasets", dataset_id, caller, hard=False)
    return RedirectResponse(f"{DATASETS}?deleted=true", status_code=303)
