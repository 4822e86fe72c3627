"""The routes of the pages with users: all of them for admins, and one alone, for themselves too."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from hub_callbacks.server import auth
from hub_callbacks.server.auth import PageAdmin, PageViewer
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.dashboard.key_tables import key_part
from hub_callbacks.server.dashboard.render import Renderer, ThisRenderer
from hub_callbacks.server.people import KeyBody, UserBody
from hub_callbacks.server.routes import keys as keys_api
from hub_callbacks.server.routes import users as api
from hub_callbacks.server.store import LastAdminError, NameTakenError, NotFoundError
from hub_callbacks.server.store.people import User
from hub_callbacks.server.store.rows import RANKS, Caller, Role

USERS = "/users"
_USER = f"{USERS}/{{user_id}}"
_PAGE_SIZE = 50
_PROBLEMS: Final = {
    "name": "A name has 256 characters at most.",
    "email": "That is no e-mail address: it has one @, no spaces, and 254 characters at most.",
    "password": "A password has 10 characters at least, and 1024 at most.",
}

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Name = Annotated[str, Form(max_length=256)]
Text = Annotated[str, Form(max_length=1024)]


@router.get(USERS)
def users(
    hub: ThisHub,
    caller: PageAdmin,
    render: ThisRenderer,
    q: str = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    deleted: bool = False,
) -> HTMLResponse:
    """The page with everyone who may come in."""
    return _list(hub, caller, render, query=q.strip(), page=page, is_deleted=deleted)


@router.post(USERS)
def create(  # noqa: PLR0913 - a field of the form each
    hub: ThisHub,
    caller: PageAdmin,
    render: ThisRenderer,
    request: Request,
    *,
    name: Name = "",
    email: Text = "",
    role: Annotated[Role, Form()] = "trainer",
    password: Text = "",
) -> HTMLResponse:
    """Let somebody in, and show their first key on the page: the only time that it can be read."""
    auth.check_own_page(request)
    given = {"name": name.strip(), "email": email.strip(), "role": role}
    try:
        if not given["name"]:
            return _list(hub, caller, render, problem="Say who it is: a user has a name.", given=given)
        body = UserBody.model_validate(
            {field: value for field, value in {**given, "password": password}.items() if value}
        )
        user_id = api.create(body, caller, request, hub).data.id
    except (ValidationError, NameTakenError) as error:
        return _list(hub, caller, render, problem=_problem(error), given=given)
    key = keys_api.create(KeyBody(user_id=user_id, name="first"), caller, request, hub).data.key
    return _list(hub, caller, render, new_key=key, given={"name": given["name"]})


@router.get(_USER)
def user(
    user_id: str, hub: ThisHub, caller: PageViewer, render: ThisRenderer, saved: bool = False, locked: bool = False
) -> HTMLResponse:
    """The page of one user."""
    said = "Saved." if saved else "They are locked out. A new key lets them in again." if locked else ""
    return _one(hub, caller, render, user_id, said=said)


@router.post(_USER)
def change(  # noqa: PLR0913 - a field of the form each
    user_id: str,
    hub: ThisHub,
    caller: PageViewer,
    render: ThisRenderer,
    request: Request,
    *,
    name: Name = "",
    email: Text = "",
    role: Annotated[Role | None, Form()] = None,
    password: Text = "",
) -> Response:
    """Change what is said of a user, and back to their page."""
    auth.check_own_page(request)
    before = _visible(hub, caller, user_id)
    given = {"name": name.strip() or before.name, "email": email.strip() or None, "role": role or before.role}
    changed = {field: value for field, value in given.items() if value != getattr(before, field)}
    try:
        body = UserBody.model_validate({**changed, **({"password": password} if password else {})})
        api.patch(user_id, body, caller, request, hub)
    except (ValidationError, NameTakenError, LastAdminError) as error:
        return _one(hub, caller, render, user_id, problem=_problem(error))
    return RedirectResponse(f"{USERS}/{user_id}?saved=true", status_code=303)


@router.post(f"{_USER}/keys")
def create_key(
    user_id: str, hub: ThisHub, caller: PageViewer, render: ThisRenderer, request: Request, name: Name = ""
) -> HTMLResponse:
    """Make a key for a user, and show it on the page: the only time that it can be read."""
    auth.check_own_page(request)
    _visible(hub, caller, user_id)
    made = keys_api.create(KeyBody(user_id=user_id, name=name.strip()), caller, request, hub).data
    return _one(hub, caller, render, user_id, new_key=made.key)


@router.post(f"{_USER}/lock")
def lock(user_id: str, hub: ThisHub, caller: PageAdmin, render: ThisRenderer, request: Request) -> Response:
    """Revoke every key of a user and forget their password: until they get a new one they cannot come in."""
    auth.check_own_page(request)
    if user_id == caller.user_id:  # so that there is always somebody who can let people in
        return _one(hub, caller, render, user_id, problem="Nobody locks themselves out. Another admin can do it.")
    if _visible(hub, caller, user_id).has_password:
        api.patch(user_id, UserBody(password=None), caller, request, hub)
    for key in hub.store.list_keys(user_id):
        if key.revoked_at is None:
            keys_api.revoke(key.id, caller, request, hub)
    return RedirectResponse(f"{USERS}/{user_id}?locked=true", status_code=303)


@router.post(f"{_USER}/delete")
def delete(
    user_id: str,
    hub: ThisHub,
    caller: PageAdmin,
    render: ThisRenderer,
    request: Request,
    forget: Annotated[bool, Form()] = False,
) -> Response:
    """Let a user in no more, and back to the others; ``forget`` their name, too."""
    auth.check_own_page(request)
    try:
        api.delete(user_id, caller, request, hub, hard=forget)
    except LastAdminError as error:
        return _one(hub, caller, render, user_id, problem=_problem(error))
    return RedirectResponse(f"{USERS}?deleted=true", status_code=303)


def _list(  # noqa: PLR0913 - what the page says
    hub: Hub,
    caller: Caller,
    render: Renderer,
    *,
    query: str = "",
    page: int = 1,
    problem: str = "",
    given: dict[str, str] | None = None,
    new_key: str = "",
    is_deleted: bool = False,
) -> HTMLResponse:
    found, total = hub.store.list_users(limit=_PAGE_SIZE, offset=(page - 1) * _PAGE_SIZE, query=query)
    values: dict[str, Any] = {
        "users": found,
        "holdings": hub.store.holdings([one.id for one in found], now=hub.clock()),
        "total": total,
        "query": query,
        "page_number": page,
        "pages": -(-total // _PAGE_SIZE),
        "roles": RANKS,
        "problem": problem,
        "given": given or {},
        "new_key": new_key,
        "is_deleted": is_deleted,
    }
    return render.page("users.html", status=422 if problem else 200, caller=caller, **values)


def _one(
    hub: Hub,
    caller: Caller,
    render: Renderer,
    user_id: str,
    *,
    problem: str = "",
    said: str = "",
    new_key: str = "",
) -> HTMLResponse:
    found = _visible(hub, caller, user_id)
    values: dict[str, Any] = {
        **key_part(hub, caller, user_id, found.role),
        "user": found,
        "has": hub.store.holdings([user_id], now=hub.clock())[user_id],
        "all_roles": RANKS,
        "is_self": caller.user_id == user_id,
        "is_manager": auth.is_manager(caller),
        "problem": problem,
        "said": said,
        "new_key": new_key,
    }
    return render.page("user.html", status=422 if problem else 200, caller=caller, **values)


def _visible(hub: Hub, caller: Caller, user_id: str) -> User:
    """The user, for themselves and for admins.

    Raises:
        HTTPException: 403 for others, and for whoever signed in with a limited key.
        NotFoundError: There is no such user.
    """
    if caller.is_limited or (caller.role != "admin" and caller.user_id != user_id):
        raise HTTPException(403, "This page is for the user themselves and for admins, with a key that is not limited.")
    found = hub.store.find_user(user_id)
    if found is None or "@" in user_id:
        raise NotFoundError(user_id, "users")
    return found


def _problem(error: Exception) -> str:
    """What was wrong with a form, in words for whoever filled it in."""
    if isinstance(error, ValidationError):
        return " ".join(_PROBLEMS.get(str(one["loc"][0]), one["msg"]) for one in error.errors())
    return str(error)
