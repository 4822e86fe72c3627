"""The hub as an ASGI application."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from functools import partial

from fastapi import FastAPI

from hub_callbacks import __version__
from hub_callbacks.server.admission import document
from hub_callbacks.server.blobs import Blobs
from hub_callbacks.server.context import Hub
from hub_callbacks.server.dashboard.failures import show_failures
from hub_callbacks.server.dashboard.router import page_router
from hub_callbacks.server.failures import add_handlers
from hub_callbacks.server.guard import Activity, Guard
from hub_callbacks.server.incoming import Incoming
from hub_callbacks.server.limits import DEFAULTS, Limits
from hub_callbacks.server.lots import Lots
from hub_callbacks.server.observing import Numbers, Observer
from hub_callbacks.server.readiness import Readiness
from hub_callbacks.server.reception import delete_expired
from hub_callbacks.server.routes import include_api
from hub_callbacks.server.routes.access import changers_of, take_reports
from hub_callbacks.server.signing import Signer
from hub_callbacks.server.store import Store

HEARTBEAT_S = 30.0


def create_app(
    store: Store,
    blobs: Blobs,
    *,
    hosts: Collection[str] = (),
    activity: Activity | None = None,
    clock: Callable[[], float] = time.time,
    heartbeat_s: float = HEARTBEAT_S,
    limits: Limits = DEFAULTS,
) -> FastAPI:
    """The hub's API and pages.

    Args:
        store: Where everything is kept but files.
        blobs: Where files are kept.
        hosts: The names under which the hub answers (`guard.LOOPBACK_HOSTS` on loopback); any where empty.
        activity: Where requests are counted.
        clock: Unix time, seconds.
        heartbeat_s: Seconds between the heartbeats that clients are asked for: a run hears after so long, at most,
            that it shall stop.
        limits: What a request may bring at most.
    """
    app = FastAPI(
        title="hub-callbacks",
        version=__version__,
        description="A hub that speaks Ultralytics HUB v1, and small extensions to it.",
        docs_url=None,  # both pages load their scripts from a CDN
        redoc_url=None,
        redirect_slashes=False,  # a client would follow the redirect of a POST with a GET
    )
    signer = Signer(store.secret("signing"), clock)
    app.state.hub = Hub(
        store=store,
        blobs=blobs,
        signer=signer,
        clock=clock,
        heartbeat_s=heartbeat_s,
        incoming=Incoming(),
        limits=limits,
        changers=Lots(partial(changers_of, store)),
        reports=Lots(partial(take_reports, store), at_once=_at_once(store)),
    )
    include_api(app)
    app.include_router(page_router())
    app.openapi = partial(document, app)  # type: ignore[method-assign]  # FastAPI's documented way
    add_handlers(app)
    show_failures(app)
    app.state.numbers = Numbers()
    app.state.readiness = Readiness(store, blobs, clock=time.monotonic)
    app.add_middleware(Guard, activity=activity or Activity(), hosts=hosts, limits=limits)
    app.add_middleware(Observer, numbers=app.state.numbers)
    delete_expired(app.state.hub)
    return app


def _at_once(store: Store) -> int:
    """How many lots of reports are written beside each other: while one waits for PostgreSQL, the hub is at another."""
    return 1 if store.database.is_sqlite else 2
