"""The part of a `FaultHub` that does what it is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from hub_callbacks import __version__, wire
from hub_callbacks.testing.answer import Answer, refusal, success
from hub_callbacks.testing.received import Endpoint, ReceivedRun

_ID = "([^/?]+)"
_ROUTES: tuple[tuple[str, str, Endpoint], ...] = (
    ("POST", wire.MODELS, "creation"),
    ("POST", wire.model(_ID), "metrics"),
    ("PATCH", wire.model(_ID), "summary"),
    ("POST", wire.upload(_ID), "checkpoint"),
    ("POST", wire.uploads(_ID), "checkpoint"),
    ("HEAD", f"{wire.uploads(_ID)}/[^/?]+", "checkpoint"),
    ("PATCH", f"{wire.uploads(_ID)}/[^/?]+", "checkpoint"),
    ("POST", wire.artifacts(_ID), "artifact"),
    ("POST", wire.heartbeat(_ID), "heartbeat"),
    ("POST", wire.state(_ID), "state"),
)


def route(method: str, path: str) -> tuple[Endpoint, str]:
    """What a request is for, and the run that it names."""
    for known_method, pattern, endpoint in _ROUTES:
        found = re.fullmatch(pattern, path.partition("?")[0])
        if found and method == known_method:
            return endpoint, "".join(found.groups())
    return "info", ""


class Desk:
    """Takes what runs send, and keeps it.

    Attributes:
        features: As in `FaultHub`.
        heartbeat_s: As in `FaultHub`.
        runs: As in `FaultHub`.
    """

    def __init__(self, *, features: tuple[str, ...], heartbeat_s: float | None) -> None:
        self.features = features
        self.heartbeat_s = heartbeat_s
        self.runs: dict[str, ReceivedRun] = {}

    def take(self, endpoint: Endpoint, run_id: str, body: Any) -> Answer:
        """Do what a request asks.

        Args:
            endpoint: What it is for.
            run_id: The run that its path names.
            body: Its body: JSON, or a `ReceivedCheckpoint` or `ReceivedArtifact`.
        """
        if endpoint == "info":
            return success(wire.HubInfo(name="FaultHub", version=__version__, features=list(self.features)))
        if endpoint == "creation":
            return self._create(body)
        if run_id not in self.runs:
            return refusal(404, f"There is no model {run_id!r}.")
        takers: dict[Endpoint, Callable[[ReceivedRun, Any], Any]] = {
            "metrics": _take_rows,
            "summary": lambda run, body: run.summary.update(body.get("summary") or {}),
            "checkpoint": lambda run, checkpoint: run.checkpoints.append(checkpoint),
            "artifact": lambda run, artifact: run.artifacts.append(artifact),
            "heartbeat": self._take_heartbeat,
            "state": lambda run, body: run.states.append(body),
        }
        return success(takers[endpoint](self.runs[run_id], body) or {"id": run_id})

    def _create(self, body: wire.CreateBody) -> Answer:
        run_id = body.get("id", "") if "proposed-ids" in self.features else ""
        run = ReceivedRun(id=run_id or wire.new_id(), creation=body)
        return success({"id": self.runs.setdefault(run.id, run).id})

    def _take_heartbeat(self, run: ReceivedRun, body: wire.HeartbeatBody) -> dict[str, Any]:
        run.heartbeats.append(body)
        interval = {} if self.heartbeat_s is None else {"interval": self.heartbeat_s}
        return {"agentId": f"agent-{run.id}", **interval}


def _take_rows(run: ReceivedRun, body: wire.MetricsBody) -> None:
    run.rows |= {int(epoch): json.loads(row) for epoch, row in body["metrics"].items()}
