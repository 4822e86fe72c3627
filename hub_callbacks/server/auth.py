"""Who may come in: API keys for programs, signed cookies for browsers, a role for each user.

Routes of the API take `Viewer`, `Trainer` or `Admin` as a parameter; pages take `PageViewer`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final
from urllib.parse import quote, urlsplit

from fastapi import Depends, HTTPException, Request, Response
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from hub_callbacks import wire
from hub_callbacks.server.context import Hub, ThisHub
from hub_callbacks.server.store.rows import Caller, Role

LOGIN = "/login"
SESSION_TTL_S = 30 * 86400.0
SIGN_IN_TTL_S = 3600.0
_SESSION, _SIGN_IN = "session", "sign-in"  # purposes of tokens
_RANKS: Final[tuple[Role, ...]] = ("viewer", "trainer", "admin")
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

_ApiKey = Annotated[str | None, Depends(APIKeyHeader(name=wire.API_KEY_HEADER, auto_error=False))]
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


async def shown_key(key: _ApiKey, bearer: _Bearer) -> str | None:
    """A dependency: the key that the request shows, if any. Of two the bearer token counts, as in hub-sdk."""
    return bearer.credentials if bearer else key


ShownKey = Annotated[str | None, Depends(shown_key)]


class SignInRequired(Exception):  # noqa: N818 - it asks for a page, nothing went wrong
    """A page needs a signed-in viewer; the application answers with a redirect to the sign-in page."""

    def __init__(self, next_path: str) -> None:
        super().__init__(next_path)
        self.url = f"{LOGIN}?next={quote(next_path, safe='/')}"


def require_key(role: Role) -> Callable[..., Caller]:
    """A dependency for API routes: the caller, who has that role or a higher one.

    The caller shows an API key, as ``x-api-key`` or as bearer token, or is a browser with a session.

    Raises:
        HTTPException: 401 without a valid key, 403 with one of a lower role.
    """

    def caller(request: Request, hub: ThisHub, shown: ShownKey) -> Caller:
        return identify(request, hub, shown=shown, role=role)

    return caller


def identify(request: Request, hub: Hub, *, shown: str | None, role: Role) -> Caller:
    """The caller whose key is ``shown``, or who is signed in with this browser.

    Raises:
        HTTPException: 401 without a valid key, 403 with one of a lower role than ``role``.
    """
    found = hub.store.caller_of_key(shown) if shown else _session_of_api(request, hub)
    if found is None:
        message = "This hub does not know the API key." if shown else "An API key is needed, in the header x-api-key."
        raise HTTPException(401, message, headers={"www-authenticate": "Bearer"})
    if _RANKS.index(found.role) < _RANKS.index(role):
        raise HTTPException(403, f"This needs the role {role!r}; the key has {found.role!r}.")
    return found


def current_session(request: Request, hub: ThisHub) -> Caller | None:
    """Who is signed in with this browser, or None."""
    token = request.cookies.get(cookie_name(hub), "")
    user_id = hub.signer.check(_SESSION, token)
    return hub.store.get_user(user_id) if user_id else None


def page_viewer(request: Request, session: Annotated[Caller | None, Depends(current_session)]) -> Caller:
    """A dependency for pages: who is signed in.

    Raises:
        SignInRequired: Nobody is.
    """
    if session is None:
        query = f"?{request.url.query}" if request.url.query else ""
        raise SignInRequired(request.url.path + query)
    return session


Viewer = Annotated[Caller, Depends(require_key("viewer"))]
Trainer = Annotated[Caller, Depends(require_key("trainer"))]
Admin = Annotated[Caller, Depends(require_key("admin"))]
PageViewer = Annotated[Caller, Depends(page_viewer)]


def check_owner(caller: Caller, owner: str) -> None:
    """Let pass only the model's owner (a user's id) and admins.

    Raises:
        HTTPException: 403 for anybody else.
    """
    if not may_change(caller, owner):
        raise HTTPException(403, "Only the model's owner and admins may change it.")


def may_change(caller: Caller, owner: str) -> bool:
    """Whether the caller is the model's owner (a user's id) and still a trainer, or an admin."""
    return caller.role == "admin" or (caller.role == "trainer" and caller.user_id == owner)


def cookie_name(hub: Hub) -> str:
    """The name of the session's cookie, different for each hub on a host."""
    return f"hub_callbacks_{hub.signer.fingerprint}"


def sign_in_url(hub: Hub, caller: Caller) -> str:
    """A path that signs a browser in as the caller, for an hour."""
    return f"{LOGIN}?token={hub.signer.sign(_SIGN_IN, caller.user_id, ttl_s=SIGN_IN_TTL_S)}"


def caller_of_sign_in(hub: Hub, token: str) -> Caller | None:
    """Whom a token of `sign_in_url` signs in, or None when it is forged or expired."""
    user_id = hub.signer.check(_SIGN_IN, token)
    return hub.store.get_user(user_id) if user_id else None


def keep(request: Request, response: Response, name: str, value: str) -> None:
    """Have the browser keep a value in a cookie that no script reads, as long as a session."""
    response.set_cookie(
        name,
        value,
        max_age=int(SESSION_TTL_S),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def start_session(request: Request, response: Response, hub: Hub, caller: Caller) -> None:
    """Set the session's cookie on the response."""
    keep(request, response, cookie_name(hub), hub.signer.sign(_SESSION, caller.user_id, ttl_s=SESSION_TTL_S))


def is_same_origin(request: Request) -> bool:
    """Whether a page of this hub, and of no other site, made the browser send the request.

    Browsers say where a request with a body comes from in ``Origin``, newer ones also in ``Sec-Fetch-Site``.
    """
    if origin := request.headers.get("origin"):
        return urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()
    return request.headers.get("sec-fetch-site") in {"same-origin", "none"}


def safe_next(path: str) -> str:
    """The path when it stays on this hub, else the front page: an open redirect would lend our name to others."""
    is_local = path.startswith("/") and not path.startswith("//")
    return path if is_local and path.isprintable() and "\\" not in path else "/"


def _session_of_api(request: Request, hub: Hub) -> Caller | None:
    session = current_session(request, hub)
    if session and request.method not in _SAFE_METHODS and not is_same_origin(request):
        raise HTTPException(403, "Requests of signed-in browsers must come from the hub's own pages.")
    return session
