"""What the page with the runs shows."""

from __future__ import annotations

from typing import TypedDict
from urllib.parse import urlencode

from hub_callbacks.server.context import Hub
from hub_callbacks.server.dashboard.views import RunView, run_view

_PAGE_SIZE = 50


class RunsPart(TypedDict):
    """Values of ``runs_live.html``; the URLs are empty where there is no such page."""

    runs: list[RunView]
    total: int
    query: str
    cursor: str
    newest_url: str
    older_url: str


def runs_part(hub: Hub, *, query: str, cursor: str) -> RunsPart:
    """One page of the runs that match the query.

    Raises:
        BadCursorError: The cursor is not one of ours.
    """
    page = hub.store.list_models(limit=_PAGE_SIZE, cursor=cursor or None, query=query)
    now = hub.clock()
    return {
        "runs": [run_view(model, hub.judge(model), now=now) for model in page.models],
        "total": page.total,
        "query": query,
        "cursor": cursor,
        "newest_url": _url(query, ""),
        "older_url": _url(query, page.cursor) if page.cursor else "",
    }


def _url(query: str, cursor: str) -> str:
    given = {name: value for name, value in (("q", query), ("cursor", cursor)) if value}
    return f"/?{urlencode(given)}" if given else "/"
