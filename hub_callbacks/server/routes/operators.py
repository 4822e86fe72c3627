"""What operators' tools ask: whether the hub lives, whether it can serve, and its numbers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from hub_callbacks import wire
from hub_callbacks.server.auth import Viewer
from hub_callbacks.server.bodies import FAILURES, Failure, Reply
from hub_callbacks.server.context import ThisHub

router = APIRouter(tags=["hub"])


@router.get(wire.HEALTH, responses={422: FAILURES[422]})
async def health(
    hub: ThisHub,
    response: Response,
    challenge: Annotated[str | None, Header(alias=wire.CHALLENGE_HEADER, max_length=64)] = None,
) -> Reply[None]:
    """That the hub answers; to a challenge, also that it is the one whose note is read on its machine."""
    if challenge is not None:
        response.headers[wire.PROOF_HEADER] = wire.proof(hub.signer.seal, challenge)
    return Reply(message="ok", data=None)


@router.get(wire.READY, responses={503: {"model": Failure, "description": "Its database or its files do not answer."}})
def ready(request: Request) -> Reply[None]:
    """That the database and the files answer, too: send no request to a hub that says otherwise."""
    silent = request.app.state.readiness.silent()
    if silent:
        raise HTTPException(503, f"The hub's {silent} does not answer.")
    return Reply(message="ready", data=None)


@router.get(
    wire.NUMBERS,
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, 401: FAILURES[401]},
)
def numbers(request: Request, hub: ThisHub, _: Viewer) -> Response:
    """What this process and its store count, for Prometheus; each hub of several has its own."""
    counted = request.app.state.numbers
    for kind, count in hub.store.counts().items():
        counted.things.labels(kind).set(count)
    return Response(counted.text(), media_type=CONTENT_TYPE_LATEST)
