"""The courier's parts, in the test's process, and a run that they deliver."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from filelock import FileLock

from hub_callbacks.courier.connections import Connections
from hub_callbacks.courier.deliver import Delivery
from hub_callbacks.outbox import Hub, Outbox
from hub_callbacks.records import RunStarted
from tests.unit.courier.deliveries import NOW, RUN, no_local_hub


@pytest.fixture
def delivery(outbox: Outbox) -> Delivery:
    return Delivery(outbox, Connections(no_local_hub), clock=lambda: NOW, rng=random.Random(0))


@pytest.fixture
def run(outbox: Outbox, script: Any) -> Outbox:
    """An outbox with a run of a scripted hub, created there."""
    hub = Hub(api_url=script.url, api_key="a-key")
    outbox.runs.start(RUN, RunStarted(name="train", epochs=3, started_at=0.0), hub=hub, heartbeat_s=300)
    outbox.queue.ack([item.id for item in outbox.queue.lease(files=False, limit=9, now=NOW, lease_s=60)])
    outbox.runs.set_remote_id(RUN, "remote")
    return outbox


@pytest.fixture
def training(run: Outbox) -> Iterator[Outbox]:
    """An outbox whose run is being trained."""
    path = run.folder.run_lock(RUN)
    path.parent.mkdir()
    with FileLock(path, is_singleton=False):
        yield run
