"""The courier's loop: three lanes, each a thread with connections of its own, until nothing is left to do."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from hub_callbacks.courier.connections import Connections
from hub_callbacks.courier.deliver import Delivery
from hub_callbacks.courier.watch import Watch
from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.outbox.spool import sweep
from hub_callbacks.wire import LocalHub

logger = logging.getLogger(__name__)

POLL_S = 0.2
LINGER_S = 5.0  # one training often follows another
CHECKPOINT_S = 1.0  # a power cut costs at most this
LEASE_S = 6 * 3600.0  # longer than any upload; the leases of a courier that died are taken back by the next
ORPHAN_S = 3600.0

Lane = Callable[[Outbox, Connections], Callable[[], bool]]


class Courier:
    """Delivers one outbox. The caller holds the courier's lock.

    Args:
        folder: The outbox.
        local_hub: Finds the local hub, and starts it where needed.
    """

    def __init__(self, folder: OutboxFolder, local_hub: Callable[[], LocalHub]) -> None:
        self._folder = folder
        self._local_hub = local_hub
        self._stopping = threading.Event()

    def run(self) -> None:
        """Work until nothing is queued that could be delivered and no trainer lives, and `LINGER_S` more."""
        self._stopping.clear()
        outbox = Outbox(self._folder)
        outbox.queue.release()
        sweep(self._folder.spool, outbox.queue.spooled(), older_than=time.time() - ORPHAN_S)
        lanes: dict[str, Lane] = {
            "rows": lambda outbox, hubs: partial(_deliver, outbox, Delivery(outbox, hubs), files=False, limit=1000),
            "files": lambda outbox, hubs: partial(_deliver, outbox, Delivery(outbox, hubs), files=True, limit=1),
            "watch": lambda outbox, hubs: Watch(outbox, hubs).look,
        }
        threads = [threading.Thread(target=self._work, args=(lane,), name=name) for name, lane in lanes.items()]
        for thread in threads:
            thread.start()
        self._supervise(outbox)
        for thread in threads:
            thread.join()
        outbox.checkpoint()
        outbox.close()

    def _supervise(self, outbox: Outbox) -> None:
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < LINGER_S:
            outbox.checkpoint()
            if outbox.queue.has_work() or outbox.runs.list(state="running"):
                idle_since = time.monotonic()
            self._stopping.wait(CHECKPOINT_S)
        self._stopping.set()

    def _work(self, lane: Lane) -> None:
        outbox = Outbox(self._folder)
        step = lane(outbox, Connections(self._local_hub))
        while not self._stopping.is_set():
            if not self._guarded(step):
                self._stopping.wait(POLL_S)
        outbox.close()

    @staticmethod
    def _guarded(step: Callable[[], bool]) -> bool:
        try:
            return step()
        except Exception:  # guard: one bad item or moment must not end the deliveries
            logger.exception("%s goes on after an error", threading.current_thread().name)
            return False


def _deliver(outbox: Outbox, delivery: Delivery, *, files: bool, limit: int) -> bool:
    """Deliver what is due; whether anything was."""
    items = outbox.queue.lease(files=files, limit=limit, now=time.time(), lease_s=LEASE_S)
    delivery.deliver(items)
    return bool(items)
