"""What the page with the runs shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from hub_callbacks.server.context import Hub
from hub_callbacks.server.dashboard.filters import conditions
from hub_callbacks.server.dashboard.listing import COLUMNS, PAGE_SIZE, STATES, Column, Listing
from hub_callbacks.server.dashboard.sparkline import Sparkline, sparkline
from hub_callbacks.server.dashboard.views import RunView, run_view
from hub_callbacks.server.standing import horizon
from hub_callbacks.server.store.rows import Caller, Model
from hub_callbacks.server.store.runs import RunQuery, StateFilter

_HEARD = {"running", "stalled"}  # which of the two a run is, its row alone does not tell


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run in the table."""

    run: RunView
    model: Model
    curve: Sparkline | None


class RunsPart(TypedDict):
    """Values of ``runs_live.html``."""

    rows: list[RunRow]
    total: int
    listing: Listing
    columns: list[Column]
    pages: int
    first: int


def runs_part(hub: Hub, caller: Caller, listing: Listing) -> RunsPart:
    """One page of the runs that the caller may see and looks for.

    Raises:
        FilterError: The conditions cannot be read.
    """
    query, offset = query_of(hub, caller, listing), (listing.page - 1) * PAGE_SIZE
    models, total = hub.store.find_runs(query, caller, limit=PAGE_SIZE, offset=offset)
    now = hub.clock()
    samples = hub.store.sample(models) if "curve" in listing.columns else {}
    return {
        "rows": [
            RunRow(
                run=run_view(model, hub.judge(model), now=now),
                model=model,
                curve=sparkline(model, samples.get(model.id, ())),
            )
            for model in models
        ],
        "total": total,
        "listing": listing,
        "columns": listing.shown,
        "pages": -(-total // PAGE_SIZE),
        "first": (listing.page - 1) * PAGE_SIZE + 1,
    }


def controls(hub: Hub, caller: Caller, listing: Listing) -> dict[str, object]:
    """The other values of ``runs.html``."""
    inside = hub.store.get_readable("projects", [listing.inside], caller) if listing.inside else {}
    return {
        "projects": hub.store.projects(caller),
        "all_states": STATES,
        "all_columns": COLUMNS,
        "listing": listing,
        "inside": inside.get(listing.inside),
    }


def no_runs(listing: Listing) -> RunsPart:
    """What is shown of a list that cannot be looked for."""
    return {"rows": [], "total": 0, "listing": listing, "columns": listing.shown, "pages": 0, "first": 1}


def query_of(hub: Hub, caller: Caller, listing: Listing) -> RunQuery:
    """What to ask the store for.

    Raises:
        FilterError: The conditions cannot be read.
    """
    return RunQuery(
        text=listing.text,
        project=listing.project or None,
        inside=listing.inside or None,
        states=_states(hub, caller, listing) if listing.states else None,
        conditions=conditions(listing.where),
        sort=listing.sort,
        is_descending=listing.is_descending,
        horizon=horizon(now=hub.clock(), heartbeat_s=hub.heartbeat_s),
    )


def _states(hub: Hub, caller: Caller, listing: Listing) -> StateFilter:
    ids = set()
    if _HEARD & set(listing.states):
        heard = hub.store.heard_runs(horizon(now=hub.clock(), heartbeat_s=hub.heartbeat_s), caller)
        ids = {model.id for model in heard if hub.judge(model).word in listing.states}
    return StateFilter(words=set(listing.states) - _HEARD, ids=ids)
