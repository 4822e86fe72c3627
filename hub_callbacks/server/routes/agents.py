"""What a run's agent says, that it lives and how the run stands; and what it is told."""

from __future__ import annotations

from fastapi import APIRouter

from hub_callbacks import wire
from hub_callbacks.server.bodies import (
    FAILURES,
    Command,
    CommandBody,
    Heartbeat,
    HeartbeatBody,
    Id,
    Reply,
    StateBody,
)
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.routes.access import Attempt, Owner, OwnModelId
from hub_callbacks.server.stopping import ask_to_stop

router = APIRouter(tags=["agents"], responses=FAILURES)


@router.post(wire.heartbeat("{model_id}"))
def heartbeat(body: HeartbeatBody, hub: ThisHub, own_id: OwnModelId, attempt: Attempt = None) -> Reply[Heartbeat]:
    """Note that the agent lives, and say when to come again."""
    contact = hub.store.touch(own_id, agent_id=body.agent_id, attempt=attempt)
    stops = [] if contact.stop_reason is None else [Command(command="stop", reason=contact.stop_reason)]
    return Reply(data=Heartbeat(agent_id=contact.agent_id, interval=hub.heartbeat_s, commands=stops))


@router.post(wire.state("{model_id}"))
def state(body: StateBody, hub: ThisHub, own_id: OwnModelId, attempt: Attempt = None) -> Reply[Id]:
    """Note how the run stands, unless something later or surer is known."""
    hub.store.set_state(own_id, body.state, reason=body.reason, at=body.at, attempt=attempt)
    return Reply(message="State noted.", data=Id(id=own_id))


@router.post(wire.commands("{model_id}"), responses={409: {**FAILURES[422], "description": "The run is over."}})
def command(_: CommandBody, hub: ThisHub, model_id: str, owner: Owner) -> Reply[Id]:
    """Have the training stopped after its current epoch: its agent is told with each sign of life, until it ends."""
    ask_to_stop(hub, model_id, owner)
    return Reply(message="The training will be told to stop.", data=Id(id=model_id))
