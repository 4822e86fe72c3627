"""The hub as an ASGI application."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from fastapi import FastAPI

from hub_callbacks import __version__
from hub_callbacks.server.blobs import Blobs
from hub_callbacks.server.context import Hub
from hub_callbacks.server.dashboard.pages import router as dashboard
from hub_callbacks.server.failures import add_handlers
from hub_callbacks.server.guard import Activity, Guard
from hub_callbacks.server.routes import api_router
from hub_callbacks.server.signing import Signer
from hub_callbacks.server.store import Store


def create_app(
    store: Store,
    blobs: Blobs,
    *,
    hosts: Collection[str] = (),
    activity: Activity | None = None,
    clock: Callable[[], float] = time.time,
) -> FastAPI:
    """The hub's API and pages.

    Args:
        store: Where everything is kept but files.
        blobs: Where files are kept.
        hosts: The names under which the hub answers (`guard.LOOPBACK_HOSTS` on loopback); any where empty.
        activity: Where requests are counted.
        clock: Unix time, seconds.
    """
    app = FastAPI(
        title="hub-callbacks",
        version=__version__,
        description="A hub that speaks Ultralytics HUB v1, and small extensions to it.",
        docs_url=None,  # both pages load their scripts from a CDN
        redoc_url=None,
        redirect_slashes=False,  # a client would follow the redirect of a POST with a GET
    )
    signer = Signer(secret=store.secret("signing"), clock=clock)
    app.state.hub = Hub(store=store, blobs=blobs, signer=signer, clock=clock)
    app.include_router(api_router())
    app.include_router(dashboard)
    add_handlers(app)
    app.add_middleware(Guard, activity=activity or Activity(), hosts=hosts)
    return app
