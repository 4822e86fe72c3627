"""Who may come in: API keys for programs, signed cookies for browsers, a role for each user.

Routes of the API take `Viewer`, `Trainer` or `Manager` as a parameter; pages take `PageViewer`.
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
SESSION_TTL_S = 30 * 86400.0  # of id tokens, too: hub-sdk never asks for a new one, and trainings are long
SIGN_IN_TTL_S = 3600.0
_SESSION, _SIGN_IN, _ID = "session", "sign-in", "id"  # purposes of tokens
_RANKS: Final[tuple[Role, ...]] = ("viewer", "trainer", "admin")
CHALLENGE: Final = {"www-authenticate": "Bearer"}
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


def require_key(role: Role, *, is_whole: bool = False) -> Callable[..., Caller]:
    """A dependency for API routes: the caller, who has that role or a higher one.

    The caller shows an API key, as ``x-api-key`` or as bearer token, or is a browser with a session.

    Args:
        role: The role.
        is_whole: Whether the key must be able to do all that its user can.

    Raises:
        HTTPException: 401 without a valid key, 403 with one of a lower role, or a limited one.
    """

    def caller(request: Request, hub: ThisHub, shown: ShownKey) -> Caller:
        found = identify(request, hub, shown=shown, role=role)
        if is_whole and found.is_limited:
            raise HTTPException(403, "A key that is limited cannot do this.")
        return found

    return caller


def identify(request: Request, hub: Hub, *, shown: str | None, role: Role) -> Caller:
    """The caller whose key is ``shown``, or who is signed in with this browser.

    Raises:
        HTTPException: 401 without a valid key, 403 with one of a lower role than ``role``.
    """
    found = identify_anyone(request, hub, shown=shown)
    if found is None:
        raise key_needed()
    return with_role(role, found)


def with_role(role: Role, found: Caller) -> Caller:
    """The caller, who has that role or a higher one.

    Raises:
        HTTPException: 403, they have a lower one.
    """
    if _RANKS.index(found.role) < _RANKS.index(role):
        raise HTTPException(403, f"This needs the role {role!r}; the key has {found.role!r}.")
    return found


def is_key(shown: str) -> bool:
    """Whether it is an API key, and not an `id_token`."""
    return "." not in shown


def plain_key(request: Request) -> str | None:
    """The API key that the request shows, where that is the only thing by which it says who sends it."""
    key = request.headers.get(wire.API_KEY_HEADER)
    return key if key and is_key(key) and "authorization" not in request.headers else None


def key_needed() -> HTTPException:
    """What a caller without a key is told."""
    return HTTPException(401, "An API key is needed, in the header x-api-key.", headers=CHALLENGE)


def identify_anyone(request: Request, hub: Hub, *, shown: str | None) -> Caller | None:
    """The caller whose key is ``shown``, or who is signed in with this browser; None where nothing is shown.

    Raises:
        HTTPException: 401 for a key that is not valid.
    """
    if not shown:
        return _session_of_api(request, hub)
    return known(hub.store.caller_of_key(shown) if is_key(shown) else _signed_in(hub, _ID, shown))


def known(found: Caller | None) -> Caller:
    """The caller whose key was found.

    Raises:
        HTTPException: 401, it was not.
    """
    if found is None:
        raise HTTPException(401, "This hub does not know the API key.", headers=CHALLENGE)
    return found


def current_session(request: Request, hub: ThisHub) -> Caller | None:
    """Who is signed in with this browser, or None."""
    return _signed_in(hub, _SESSION, request.cookies.get(cookie_name(hub), ""))


def page_viewer(request: Request, session: Annotated[Caller | None, Depends(current_session)]) -> Caller:
    """A dependency for pages: who is signed in.

    Raises:
        SignInRequired: Nobody is.
    """
    if session is None:
        query = f"?{request.url.query}" if request.url.query else ""
        raise SignInRequired(request.url.path + query)
    return session


def page_admin(caller: Annotated[Caller, Depends(page_viewer)]) -> Caller:
    """A dependency for pages: the admin who is signed in.

    Raises:
        SignInRequired: Nobody is.
        HTTPException: 403 for others, and for an admin's limited key.
    """
    if not is_manager(caller):
        raise HTTPException(403, "This page is for admins who signed in with a key that is not limited.")
    return caller


def is_manager(caller: Caller) -> bool:
    """Whether the caller may let people in and see to them."""
    return caller.role == "admin" and not caller.is_limited


def check_own_page(request: Request) -> None:
    """Let pass only forms that a page of this hub sent.

    Raises:
        HTTPException: 403, another site made the browser send it.
    """
    if not is_same_origin(request):
        raise HTTPException(403, "No page of this hub sent this form. Open the page again, and send it from there.")


def anyone(request: Request, hub: ThisHub, shown: ShownKey) -> Caller | None:
    """A dependency for what may be public: the caller, or None with no key; 401 with one that is not valid."""
    return identify_anyone(request, hub, shown=shown)


Viewer = Annotated[Caller, Depends(require_key("viewer"))]
Anyone = Annotated[Caller | None, Depends(anyone)]
Trainer = Annotated[Caller, Depends(require_key("trainer"))]
Manager = Annotated[Caller, Depends(require_key("admin", is_whole=True))]
PageViewer = Annotated[Caller, Depends(page_viewer)]
PageAdmin = Annotated[Caller, Depends(page_admin)]


def cookie_name(hub: Hub) -> str:
    """The name of the session's cookie, different for each hub on a host."""
    return f"hub_callbacks_{hub.signer.fingerprint}"


def sign_in_url(hub: Hub, caller: Caller) -> str:
    """A path that signs a browser in as the caller, for an hour."""
    return f"{LOGIN}?token={hub.signer.sign(_SIGN_IN, _subject(hub, caller), ttl_s=SIGN_IN_TTL_S)}"


def id_token(hub: Hub, caller: Caller) -> str:
    """A bearer token that is as good as what the caller signed in with; no key has a dot in it, as this has."""
    return hub.signer.sign(_ID, _subject(hub, caller), ttl_s=SESSION_TTL_S)


def caller_of_sign_in(hub: Hub, token: str) -> Caller | None:
    """Whom a token of `sign_in_url` signs in, or None when it is forged or expired."""
    return _signed_in(hub, _SIGN_IN, token)


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
    keep(request, response, cookie_name(hub), hub.signer.sign(_SESSION, _subject(hub, caller), ttl_s=SESSION_TTL_S))


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


def _subject(hub: Hub, caller: Caller) -> str:
    """What a browser's token names: the key, whose scope and end are the session's too, or the user's password."""
    return f"key-{caller.key_id}" if caller.key_id else f"user-{caller.user_id}-{_mark(hub, caller.user_id)}"


def _signed_in(hub: Hub, purpose: str, token: str) -> Caller | None:
    match (hub.signer.check(purpose, token) or "").split("-"):
        case ["key", key_id]:
            return hub.store.caller_of_key_id(key_id)
        case ["user", user_id, mark] if mark == _mark(hub, user_id):
            return hub.store.get_user(user_id)
    return None


def _mark(hub: Hub, user_id: str) -> str:
    """Changes with the user's password, so that a new one ends the sessions that the old one began."""
    return hub.store.password_mark(user_id) or "none"


def _session_of_api(request: Request, hub: Hub) -> Caller | None:
    session = current_session(request, hub)
    if session and request.method not in _SAFE_METHODS and not is_same_origin(request):
        raise HTTPException(403, "Requests of signed-in browsers must come from the hub's own pages.")
    return session
