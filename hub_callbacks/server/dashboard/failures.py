"""Failures as pages, for browsers; programs keep their JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from hub_callbacks.server.auth import current_session
from hub_callbacks.server.dashboard.render import renderer

_HEADINGS: Final = {
    403: "You may not do this",
    404: "There is no such page",
    405: "There is no such page",
    409: "This cannot be done now",
    422: "The hub cannot read this address",
    429: "Too many attempts",
    503: "The hub is busy",
    507: "The hub's disk is full",
}

_Handler = Callable[[Request, Exception], Awaitable[Response]]


def show_failures(app: FastAPI) -> None:
    """Have the application answer a browser that looks for a page with one, also where something fails."""
    for kind, handler in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, _shown(handler))


def _shown(handler: Any) -> _Handler:
    async def answer(request: Request, error: Exception) -> Response:
        reply: Response = await handler(request, error)
        if not isinstance(reply, JSONResponse) or not _is_for_eyes(request):
            return reply
        return await _page(request, reply)

    return answer


def _is_for_eyes(request: Request) -> bool:
    return not request.url.path.startswith("/v1/") and "text/html" in request.headers.get("accept", "")


async def _page(request: Request, reply: JSONResponse) -> Response:
    status = reply.status_code
    # where the hub itself has failed, its store is not to be asked who that is
    caller = await run_in_threadpool(current_session, request, request.app.state.hub) if status < 500 else None
    heading = _HEADINGS.get(status, "The hub cannot answer this")
    message = json.loads(bytes(reply.body)).get("message", "")
    page = renderer().error(status, heading, message, caller=caller)
    if "retry-after" in reply.headers:
        page.headers["retry-after"] = reply.headers["retry-after"]
    return page
