"""Whether the hub can serve, asked of its database and its files no more often than every few seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from hub_callbacks.server.blobs import Blobs
from hub_callbacks.server.store import Store

GOOD_FOR_S: Final = 3.0  # less than what probes wait between two; who else asks may cost a bucket no request each
_log = logging.getLogger(__name__)


class Readiness:
    """What a probe hears. Any thread may ask.

    Args:
        store: The database.
        blobs: The files.
        clock: Seconds that never go back.
    """

    def __init__(self, store: Store, blobs: Blobs, *, clock: Callable[[], float]) -> None:
        self._parts: dict[str, Callable[[], None]] = {"database": store.check, "store of files": blobs.check}
        self._clock = clock
        self._lock = threading.Lock()
        self._asked_at: float | None = None
        self._silent: str | None = None

    def silent(self) -> str | None:
        """Which part does not answer; None as long as both do."""
        with self._lock:
            if self._asked_at is None or self._clock() - self._asked_at >= GOOD_FOR_S:
                self._silent = next((part for part in self._parts if not self._answers(part)), None)
                self._asked_at = self._clock()
            return self._silent

    def _answers(self, part: str) -> bool:
        try:
            self._parts[part]()
        except (OSError, SQLAlchemyError) as error:
            _log.warning("The hub's %s does not answer: %s", part, error)  # why, is not for all who may ask
            return False
        return True
