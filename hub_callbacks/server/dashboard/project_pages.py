"""The routes of the pages with projects: what they hold, and whom they are shared with."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from hub_callbacks.server import auth
from hub_callbacks.server.auth import PageViewer
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.dashboard.owners import owner_names
from hub_callbacks.server.dashboard.render import Renderer, ThisRenderer
from hub_callbacks.server.people import MemberBody
from hub_callbacks.server.permissions import may_change
from hub_callbacks.server.routes import collections, members
from hub_callbacks.server.routes.access import check_changeable, check_readable
from hub_callbacks.server.store import NotFoundError
from hub_callbacks.server.store.people import User
from hub_callbacks.server.store.rows import Caller

PROJECTS = "/projects"
_PROJECT = f"{PROJECTS}/{{project_id}}"
_PAGE_SIZE = 50
_MOST_NAMES = 200  # that a form proposes

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Name = Annotated[str, Form(max_length=256)]


@router.get(PROJECTS)
def projects(
    hub: ThisHub,
    caller: PageViewer,
    render: ThisRenderer,
    q: str = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    deleted: bool = False,
) -> HTMLResponse:
    """The page with the projects that the caller may see."""
    query = q.strip()
    found = hub.store.list_things("projects", caller, limit=_PAGE_SIZE, query=query, offset=(page - 1) * _PAGE_SIZE)
    values: dict[str, Any] = {
        "projects": found.things,
        "contents": hub.store.contents([one.id for one in found.things]),
        "owners": owner_names(hub, found.things),
        "total": found.total,
        "query": query,
        "page_number": page,
        "pages": -(-found.total // _PAGE_SIZE),
        "may_make": caller.role != "viewer",
        "is_deleted": deleted,
    }
    return render.page("projects.html", caller=caller, **values)


@router.post(PROJECTS)
def create(hub: ThisHub, caller: PageViewer, request: Request, name: Name = "") -> Response:
    """Make a project, and on to its page."""
    auth.check_own_page(request)
    if caller.role == "viewer":
        raise HTTPException(403, "Viewers make no projects. Ask an admin for the role of a trainer.")
    made = collections.create(request, hub, "projects", caller, {"meta": {"name": name.strip()}}).data
    return RedirectResponse(f"{PROJECTS}/{made.id}", status_code=303)


@router.get(_PROJECT)
def project(project_id: str, hub: ThisHub, caller: PageViewer, render: ThisRenderer) -> HTMLResponse:
    """The page of one project."""
    return _one(hub, caller, render, project_id)


@router.post(f"{_PROJECT}/share")
def share(
    project_id: str,
    hub: ThisHub,
    caller: PageViewer,
    render: ThisRenderer,
    request: Request,
    user: Name = "",
    role: Annotated[Literal["trainer", "viewer"], Form()] = "viewer",
) -> Response:
    """Share the project with a user, by name, e-mail address or id; or change what they may do there."""
    _check(request, hub, caller, project_id)
    found = _find(hub, user.strip())
    if len(found) != 1:
        problem = "Two users have that name: say the e-mail address." if found else _nobody(user)
        return _one(hub, caller, render, project_id, problem=problem, asked=user)
    members.share(project_id, found[0].id, MemberBody(role=role), caller, request, hub)
    return RedirectResponse(f"{PROJECTS}/{project_id}", status_code=303)


@router.post(f"{_PROJECT}/unshare")
def unshare(project_id: str, hub: ThisHub, caller: PageViewer, request: Request, user: Name = "") -> Response:
    """Share the project with a user, by id, no more."""
    _check(request, hub, caller, project_id)
    members.unshare(project_id, user, caller, request, hub)
    return RedirectResponse(f"{PROJECTS}/{project_id}", status_code=303)


@router.post(f"{_PROJECT}/edit")
def edit(project_id: str, hub: ThisHub, caller: PageViewer, request: Request, name: Name = "") -> Response:
    """Rename the project."""
    _check(request, hub, caller, project_id)
    if name.strip():
        collections.patch(request, hub, "projects", project_id, caller, {"meta": {"name": name.strip()}})
    return RedirectResponse(f"{PROJECTS}/{project_id}", status_code=303)


@router.post(f"{_PROJECT}/delete")
def delete(project_id: str, hub: ThisHub, caller: PageViewer, request: Request) -> Response:
    """Delete the project, and back to the others; what is in it stays, and is its owners' alone."""
    _check(request, hub, caller, project_id)
    collections.delete(request, hub, "projects", project_id, caller, hard=False)
    return RedirectResponse(f"{PROJECTS}?deleted=true", status_code=303)


def _one(
    hub: Hub, caller: Caller, render: Renderer, project_id: str, *, problem: str = "", asked: str = ""
) -> HTMLResponse:
    check_readable(hub, caller, "projects", project_id)
    found = hub.store.get_thing("projects", project_id)
    if found is None:
        raise NotFoundError(project_id, "projects")
    is_ours = may_change(caller, hub.store.place_of("projects", project_id, caller.user_id))
    people = hub.store.list_users(limit=_MOST_NAMES)[0] if is_ours else []
    values: dict[str, Any] = {
        "project": found,
        "owner": owner_names(hub, [found])[found.owner],
        "has": hub.store.contents([project_id])[project_id],
        "members": hub.store.list_members(project_id),
        "names": sorted({one.name for one in people if one.name}, key=str.casefold),
        "may_change": is_ours,
        "problem": problem,
        "asked": asked,
    }
    return render.page("project.html", status=422 if problem else 200, caller=caller, **values)


def _check(request: Request, hub: Hub, caller: Caller, project_id: str) -> None:
    auth.check_own_page(request)
    check_changeable(hub, caller, "projects", project_id)


def _find(hub: Hub, user: str) -> list[User]:
    """The users who are meant: one, or all of that name."""
    if not user:
        return []
    if found := hub.store.find_user(user):
        return [found]
    alike, _ = hub.store.list_users(limit=1000, query=user)
    return [one for one in alike if one.name.casefold() == user.casefold()]


def _nobody(user: str) -> str:
    return f"There is no user {user.strip()!r} on this hub. An admin adds one on the page with the users."
