"""HUB v1, a module for each part of it."""

from __future__ import annotations

from fastapi import FastAPI

from hub_callbacks.server.routes import (
    agents,
    artifacts,
    audit,
    checkpoints,
    datasets,
    downloads,
    former,
    hub,
    keys,
    members,
    metrics,
    models,
    operators,
    projects,
    runs,
    sign_in,
    tus,
    unavailable,
    uploads,
    users,
)

_MODULES = (  # in the order of the reference; but FastAPI tries one after the other, and every epoch comes to the first
    metrics,
    hub,
    operators,
    sign_in,
    models,
    runs,
    uploads,
    tus,
    checkpoints,
    artifacts,
    agents,
    datasets,
    projects,
    members,
    users,
    keys,
    audit,
    downloads,
    former,
    unavailable,
)


def include_api(app: FastAPI) -> None:
    """Have the application serve the API. One router around all of it would be searched twice for each request."""
    for module in _MODULES:
        app.include_router(module.router)
