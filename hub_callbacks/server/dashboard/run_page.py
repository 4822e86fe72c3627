"""What the page of one run shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub_callbacks import wire
from hub_callbacks.server.auth import may_change
from hub_callbacks.server.context import Hub
from hub_callbacks.server.dashboard.arguments import arguments
from hub_callbacks.server.dashboard.charts import charts
from hub_callbacks.server.dashboard.views import facts, numbers, run_view
from hub_callbacks.server.files import file_path
from hub_callbacks.server.store.rows import Caller, MetricsRow, Model

_STOPPABLE = {"running", "silent"}  # as reported: clients of HUB v1 report no state, and take no commands


def stop_path(model_id: str) -> str:
    """Path that the stop button sends its form to."""
    return f"{wire.page(model_id)}/stop"


def live_part(hub: Hub, model: Model, rows: Sequence[MetricsRow], caller: Caller) -> dict[str, Any]:
    """Values of ``run_top.html`` and ``run_numbers.html``: what changes while it trains."""
    found = hub.store.checkpoints(model.id)
    return {
        "run": run_view(model, hub.judge(model), now=hub.clock()),
        "stop_reason": model.stop_reason,
        "stop_url": stop_path(model.id) if model.state in _STOPPABLE and may_change(caller, model.owner) else "",
        "received": len(rows),
        "charts": charts({name for row in rows for name in row.values}),
        "last": model.last,
        "numbers": numbers(model),
        "checkpoints": [(checkpoint, file_path(hub, checkpoint)) for checkpoint in found],
    }


def still_part(model: Model, rows: Sequence[MetricsRow]) -> dict[str, Any]:
    """The other values of ``run.html``."""
    given = arguments(model.args)
    return {
        "changed": [row for row in given if row.default is not None],
        "others": [row for row in given if row.default is None],
        "facts": facts(model, rows[0].values if rows else {}),
    }
