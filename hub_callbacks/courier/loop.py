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
from hub_callbacks.errors import OutboxDamagedError
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
        self._damage: OutboxDamagedError | None = None
        self._trouble = ""  # what was logged last, so that it is not logged again and again

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
        if self._damage:
            outbox.set_aside(self._damage)
            self._damage = None
        outbox.close()

    def _supervise(self, outbox: Outbox) -> None:
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < LINGER_S and outbox.is_current() and not self._damage:
            if self._guarded(lambda: self._is_needed(outbox)):
                idle_since = time.monotonic()
            self._stopping.wait(CHECKPOINT_S)
        self._stopping.set()

    @staticmethod
    def _is_needed(outbox: Outbox) -> bool:
        outbox.checkpoint()
        return outbox.queue.has_work() or bool(outbox.runs.list(state="running"))

    def _work(self, lane: Lane) -> None:
        outbox = Outbox(self._folder)
        step = lane(outbox, Connections(self._local_hub))
        while not self._stopping.is_set():
            if not self._guarded(step):
                self._stopping.wait(POLL_S)
        outbox.close()

    def _guarded(self, step: Callable[[], bool]) -> bool:
        try:
            return step()
        except OutboxDamagedError as error:
            self._damage = error
        except Exception as error:  # guard: one bad item or moment must not end the deliveries
            if str(error) != self._trouble:
                logger.exception("%s goes on after an error", threading.current_thread().name)
            self._trouble = str(error)
        return False


def _deliver(outbox: Outbox, delivery: Delivery, *, files: bool, limit: int) -> bool:
    """Deliver what is due; whether anything was."""
    items = outbox.queue.lease(files=files, limit=limit, now=time.time(), lease_s=LEASE_S)
    delivery.deliver(items)
    return bool(items)
