"""What the page of one run shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hub_callbacks import wire
from hub_callbacks.server.context import Hub
from hub_callbacks.server.dashboard.arguments import arguments
from hub_callbacks.server.dashboard.charts import charts
from hub_callbacks.server.dashboard.pictures import pictures_part
from hub_callbacks.server.dashboard.views import facts, numbers, receipt, run_view
from hub_callbacks.server.files import file_path
from hub_callbacks.server.permissions import may_change
from hub_callbacks.server.store.rows import Caller, MetricsRow, Model, Thing
from hub_callbacks.server.store.runs import SCORES

_STOPPABLE = {"running", "silent"}  # as reported: clients of HUB v1 report no state, and take no commands


def stop_path(model_id: str) -> str:
    """Path that the stop button sends its form to."""
    return f"{wire.page(model_id)}/stop"


def live_part(hub: Hub, model: Model, caller: Caller, *, received: int, root_url: str) -> dict[str, Any]:
    """Values of ``run_top.html``, ``run_numbers.html`` and the like: what changes while it trains.

    Args:
        hub: The hub.
        model: The run.
        caller: Who looks at it.
        received: Number of rows that the hub has.
        root_url: The hub's address, without a slash at its end.
    """
    checkpoints = hub.store.checkpoints(model.id)
    artifacts = hub.store.artifacts(model.id)
    place = hub.store.place_of("models", model.id, caller.user_id)
    is_ours = may_change(caller, place)
    return {
        "run": run_view(model, hub.judge(model), now=hub.clock()),
        "may_change": is_ours,
        "stop_reason": model.stop_reason,
        "stop_url": stop_path(model.id) if model.state in _STOPPABLE and is_ours else "",
        "projects": hub.store.projects(caller) if is_ours else [],
        "dataset": _dataset(hub, caller, model.dataset_id),
        **_sharing(hub, caller, place.project_id or "", is_ours=is_ours),
        "receipt": receipt(model, received, checkpoints, len(artifacts)),
        "changes": hub.store.state_changes(model.id),
        "numbers": numbers(model),
        "checkpoints": [(checkpoint, file_path(hub, checkpoint)) for checkpoint in checkpoints],
        "page_url": root_url + wire.page(model.id),
        **pictures_part(artifacts),
    }


def _sharing(hub: Hub, caller: Caller, project_id: str, *, is_ours: bool) -> dict[str, Any]:
    """The shared project that the run is in, None outside of any, and those that the caller may move it to."""
    inside = hub.store.get_readable("projects", [project_id], caller).get(project_id) if project_id else None
    own = hub.store.own_projects(caller) if is_ours else {}
    return {"inside": inside, "own_projects": {**own, **({inside.id: inside.name} if inside and is_ours else {})}}


def _dataset(hub: Hub, caller: Caller, dataset_id: str | None) -> Thing | None:
    """The hub's own data set that the run is trained with, where the caller may read it."""
    return hub.store.get_readable("datasets", [dataset_id], caller).get(dataset_id) if dataset_id else None


def charts_part(model: Model, rows: Iterable[MetricsRow]) -> dict[str, Any]:
    """The other values of ``run_charts.html``, from all rows of the run."""
    return {"charts": charts({name for row in rows for name in row.values}), "last": model.last}


def still_part(model: Model, rows: Sequence[MetricsRow]) -> dict[str, Any]:
    """The other values of ``run.html``."""
    given = arguments(model.args)
    return {
        "changed": [row for row in given if row.default is not None],
        "others": [row for row in given if row.default is None],
        "facts": facts(model, rows[0].values if rows else {}),
        "score_metric": next((name for name in SCORES if any(name in row.values for row in rows[-1:])), SCORES[0]),
    }
