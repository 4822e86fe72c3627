"""The courier's loop: three lanes, each a thread with connections of its own, until nothing is left to do."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from hub_callbacks.courier.connections import Connections
from hub_callbacks.courier.deliver import Delivery
from hub_callbacks.courier.watch import Watch
from hub_callbacks.errors import OutboxDamagedError
from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.outbox.spool import sweep
from hub_callbacks.wire import LocalHub

logger = logging.getLogger(__name__)

POLL_S = 0.05  # the end of a training waits this long for its delivery to begin
WATCH_S = 0.2  # a look counts the items of every run that goes on
LINGER_S = 5.0  # one training often follows another
CHECKPOINT_S = 1.0  # a power cut costs at most this
LEASE_S = 6 * 3600.0  # longer than any upload; the leases of a courier that died are taken back by the next
ORPHAN_S = 3600.0
AFTER_ERROR_S = 10.0  # an error that nobody has thought of may come with every try
PAUSE_S = 1.0  # of a thread that has met one, such as a full disk


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
        work: dict[str, Callable[[Outbox, Connections], Callable[[], bool]]] = {
            "rows": lambda outbox, hubs: Lane(outbox, Delivery(outbox, hubs), files=False, limit=1000).step,
            "files": lambda outbox, hubs: Lane(outbox, Delivery(outbox, hubs), files=True, limit=1).step,
            "watch": lambda outbox, hubs: Watch(outbox, hubs).look,
        }
        threads = [
            threading.Thread(target=self._work, args=(open_lane, WATCH_S if name == "watch" else POLL_S), name=name)
            for name, open_lane in work.items()
        ]
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
            self._guarded(lambda: _checkpoint(outbox))
            if self._guarded(lambda: is_needed(outbox)):
                idle_since = time.monotonic()
            self._stopping.wait(CHECKPOINT_S)
        self._stopping.set()

    def _work(self, open_lane: Callable[[Outbox, Connections], Callable[[], bool]], poll_s: float) -> None:
        outbox = Outbox(self._folder)
        step = open_lane(outbox, Connections(self._local_hub))
        while not self._stopping.is_set():
            if not self._guarded(step):
                self._stopping.wait(poll_s)
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
            self._stopping.wait(PAUSE_S)
        return False


def is_needed(outbox: Outbox) -> bool:
    """Whether anything can be delivered, or a training goes on."""
    return outbox.queue.has_work() or bool(outbox.runs.list(state="running"))


def _checkpoint(outbox: Outbox) -> bool:
    outbox.checkpoint()
    outbox.remove_journals()
    return True


class Lane:
    """Delivers one half of an outbox, the files or all else, for one thread."""

    def __init__(self, outbox: Outbox, delivery: Delivery, *, files: bool, limit: int) -> None:
        self._outbox = outbox
        self._delivery = delivery
        self._files = files
        self._limit = limit
        self._leased: list[int] = []

    def step(self) -> bool:
        """Deliver what is due; whether anything was. What an error has left of the last step is tried again later."""
        now = time.time()
        if self._leased:
            self._outbox.queue.retry(
                self._leased, due_at=now + AFTER_ERROR_S, reason="An error: see the courier's log."
            )
            self._leased = []
        if not self._files:
            self._outbox.take_in()
        items = self._outbox.queue.lease(files=self._files, limit=self._limit, now=now, lease_s=LEASE_S)
        self._leased = [item.id for item in items]
        self._delivery.deliver(items)
        self._leased = []
        return bool(items)
