"""Signing in: with a key, with an e-mail address and a password, and in a browser."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request

from hub_callbacks import wire
from hub_callbacks.server import auth
from hub_callbacks.server.auditing import sign_in
from hub_callbacks.server.auth import Viewer
from hub_callbacks.server.bodies import FAILURES, Reply, SignIn, also
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.people import EmailBody, EmailReply, IdToken

router = APIRouter(tags=["sign-in"], responses={401: FAILURES[401]})


@router.post(wire.AUTH)
def authenticate(caller: Viewer) -> Reply[None]:
    """That the hub knows the key."""
    return Reply(message=f"Signed in as {caller.name}.", data=None)


@router.post(wire.SIGN_IN)
def in_browser(caller: Viewer, hub: ThisHub) -> Reply[SignIn]:
    """A path that signs a browser in as the key's user."""
    return Reply(data=SignIn(url=auth.sign_in_url(hub, caller)))


@router.post(
    wire.SIGN_IN_EMAIL,
    responses={422: FAILURES[422], **also(http_429="Too many sign-ins have failed.")},
)
def by_email(body: EmailBody, request: Request, hub: ThisHub) -> EmailReply:
    """A bearer token for whoever has that e-mail address and password; a new password ends it."""
    caller = sign_in(hub, request, body.email, lambda: hub.store.user_of_password(body.email, body.password))
    if caller is None:
        raise HTTPException(401, "The hub knows no such e-mail address and password.", headers=auth.CHALLENGE)
    token = auth.id_token(hub, caller)
    return EmailReply(id_token=token, data=IdToken(id_token=token))


@router.post(wire.SIGN_IN_AUTO, responses={403: FAILURES[403]})
def automatic(request: Request, hub: ThisHub) -> Reply[IdToken]:
    """A bearer token for the browser's session, to pages of this hub; HUB gave it to notebooks on other sites, too."""
    caller = auth.current_session(request, hub)
    if caller is None:
        raise HTTPException(401, "No browser session. Make a key, and sign in with that.", headers=auth.CHALLENGE)
    if not auth.is_same_origin(request):
        raise HTTPException(403, "A token is given to the hub's own pages only. Make a key, and sign in with that.")
    return Reply(data=IdToken(id_token=auth.id_token(hub, caller)))
