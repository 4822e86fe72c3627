"""What every route works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from hub_callbacks.server.blobs import Blobs
from hub_callbacks.server.incoming import Incoming
from hub_callbacks.server.limits import Limits
from hub_callbacks.server.lots import Lots
from hub_callbacks.server.signing import Signer
from hub_callbacks.server.standing import Standing, judge
from hub_callbacks.server.store import Store
from hub_callbacks.server.store.claims import Claim, ClaimedReport
from hub_callbacks.server.store.rows import Caller, Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """The parts of one hub.

    Attributes:
        clock: Unix time, seconds.
        heartbeat_s: Seconds between two heartbeats that the hub asks its clients for.
        incoming: The uploads that this process is receiving.
        limits: What it takes at most.
        changers: Finds who claims to change a model, and raises as `routes.access.own_model` does.
        reports: Takes metrics, and raises as `changers` and `Store.put_metrics` do.
    """

    store: Store
    blobs: Blobs
    signer: Signer
    clock: Callable[[], float]
    heartbeat_s: float
    incoming: Incoming
    limits: Limits
    changers: Lots[Claim, Caller]
    reports: Lots[ClaimedReport, None]

    def judge(self, model: Model) -> Standing:
        """How the run stands now."""
        return judge(model, now=self.clock(), heartbeat_s=self.heartbeat_s)


async def get_hub(connection: HTTPConnection) -> Hub:
    """The hub that the request came to; asynchronous so that it costs no thread."""
    hub: Hub = connection.app.state.hub
    return hub


ThisHub = Annotated[Hub, Depends(get_hub)]
