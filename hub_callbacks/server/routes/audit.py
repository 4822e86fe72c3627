"""The audit log, for admins."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from hub_callbacks import wire
from hub_callbacks.server.auth import Manager
from hub_callbacks.server.bodies import FAILURES, Reply
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.people import EventListing, EventShown
from hub_callbacks.server.queries import PageQuery

router = APIRouter(tags=["audit"], responses={status: FAILURES[status] for status in (401, 403, 422)})


@router.get(wire.AUDIT)
def read(_: Manager, hub: ThisHub, asked: Annotated[PageQuery, Query()]) -> Reply[EventListing]:
    """Who did what, newest first."""
    events, cursor = hub.store.list_events(limit=asked.size, cursor=asked.cursor)
    return Reply(data=EventListing(results=[EventShown(**asdict(event)) for event in events], last_record_id=cursor))
