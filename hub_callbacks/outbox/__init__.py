"""The outbox: what is recorded and not yet on a hub, in one SQLite file and a spool of checkpoint copies."""

from hub_callbacks.outbox.folder import OutboxFolder
from hub_callbacks.outbox.journal import Beginning, Journal
from hub_callbacks.outbox.outbox import Outbox
from hub_callbacks.outbox.queue import HORIZON_S
from hub_callbacks.outbox.rows import KEPT, Hub, Item, RunStatus

__all__ = ["HORIZON_S", "KEPT", "Beginning", "Hub", "Item", "Journal", "Outbox", "OutboxFolder", "RunStatus"]
