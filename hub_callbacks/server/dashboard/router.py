"""Every route of the pages."""

from __future__ import annotations

from fastapi import APIRouter

from hub_callbacks.server.dashboard import (
    compare_pages,
    dataset_pages,
    key_pages,
    pages,
    project_pages,
    run_pages,
    user_pages,
)


def page_router() -> APIRouter:
    """Every route of the pages."""
    router = APIRouter()
    for module in (pages, run_pages, compare_pages, key_pages, user_pages, project_pages, dataset_pages):
        router.include_router(module.router)
    return router
