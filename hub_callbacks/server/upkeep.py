"""What a hub does for itself while it serves: it forgets uploads whose time is over, and blobs that nothing names."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from hub_callbacks.errors import HubCallbacksError
from hub_callbacks.server.blobs import Blobs
from hub_callbacks.server.context import Hub
from hub_callbacks.server.reception import delete_expired
from hub_callbacks.server.store import Store

_EVERY_S: Final = 3600.0
ORPHAN_S: Final = 86400.0  # nothing writes to one blob for a day without the store knowing it

_log = logging.getLogger(__name__)


@contextmanager
def upkeep(hub: Hub) -> Iterator[None]:
    """A thread tidies up at once and every hour until the block ends; any number of hubs may do so on one store."""
    is_over = threading.Event()
    thread = threading.Thread(target=_work, args=(hub, is_over), name="upkeep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _work(hub: Hub, is_over: threading.Event) -> None:
    while not is_over.is_set():
        try:
            delete_expired(hub)
            sweep(hub.store, hub.blobs, before=hub.clock() - ORPHAN_S)
        except (OSError, SQLAlchemyError, HubCallbacksError) as error:  # a disk, a bucket or a database that is away
            _log.warning("The hub could not tidy up, and tries again in an hour: %s", error)
        is_over.wait(_EVERY_S)


def orphans(store: Store, blobs: Blobs, *, before: float) -> list[str]:
    """The blobs that nobody has written to since that moment (Unix time, seconds) and that the store does not name."""
    old = set(blobs.names(before=before))  # first: what is old and not named now will not be named later
    return sorted(old - store.blob_names()) if old else []


def sweep(store: Store, blobs: Blobs, *, before: float) -> int:
    """Delete the `orphans`: what a hub left that died between two steps; how many they were."""
    found = orphans(store, blobs, before=before)
    for name in found:
        blobs.delete(name)
    if found:
        _log.info("Deleted %d files that nothing names.", len(found))
    return len(found)
