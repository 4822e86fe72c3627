"""HUB v1, a module for each part of it."""

from __future__ import annotations

from fastapi import APIRouter

from hub_callbacks.server.routes import (
    agents,
    artifacts,
    checkpoints,
    datasets,
    downloads,
    former,
    hub,
    metrics,
    models,
    projects,
    runs,
    tus,
    unavailable,
    uploads,
)


def api_router() -> APIRouter:
    """Every route of the API."""
    router = APIRouter()
    for module in (hub, models, metrics, runs, uploads, tus, checkpoints, artifacts, agents):
        router.include_router(module.router)
    for module in (datasets, projects, downloads, former, unavailable):
        router.include_router(module.router)
    return router
