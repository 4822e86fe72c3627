"""What a run's agent says: that it lives, and how the run stands."""

from __future__ import annotations

from fastapi import APIRouter

from hub_callbacks import wire
from hub_callbacks.server.bodies import FAILURES, Heartbeat, HeartbeatBody, Id, Reply, StateBody
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.routes.access import OwnModelId

router = APIRouter(tags=["agents"], responses=FAILURES)


@router.post(wire.heartbeat("{model_id}"))
def heartbeat(body: HeartbeatBody, hub: ThisHub, own_id: OwnModelId) -> Reply[Heartbeat]:
    """Note that the agent lives, and say when to come again."""
    agent_id = hub.store.touch(own_id, agent_id=body.agent_id)
    return Reply(data=Heartbeat(agent_id=agent_id, interval=hub.heartbeat_s, commands=[]))


@router.post(wire.state("{model_id}"))
def state(body: StateBody, hub: ThisHub, own_id: OwnModelId) -> Reply[Id]:
    """Note how the run stands, unless something later or surer is known."""
    hub.store.set_state(own_id, body.state, reason=body.reason, at=body.at)
    return Reply(message="State noted.", data=Id(id=own_id))
