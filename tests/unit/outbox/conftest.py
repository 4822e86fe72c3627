from __future__ import annotations

import pytest

from hub_callbacks.outbox import Hub, Outbox
from tests.unit.outbox.items import RUN, STARTED, lease

pytest.register_assert_rewrite("tests.unit.outbox.modelled")  # its invariants are asserts


@pytest.fixture
def created(outbox: Outbox) -> Outbox:
    """An outbox with one run that the hub knows."""
    outbox.runs.start(RUN, STARTED, hub=Hub(), heartbeat_s=300)
    outbox.queue.ack([item.id for item in lease(outbox)])
    outbox.runs.set_remote_id(RUN, RUN)
    return outbox
