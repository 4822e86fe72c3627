"""The hubs that runs are delivered to, and whether they answer."""

from __future__ import annotations

from hub_callbacks.outbox.rows import Hub
from hub_callbacks.outbox.schema import Database


class Hubs:
    """The hubs of one outbox, each by its ``api_url``; the local hub's is empty."""

    def __init__(self, database: Database) -> None:
        self._database = database

    _SAVE = """
        INSERT INTO hubs (api_url, web_url, api_key) VALUES (?, ?, ?)
        ON CONFLICT (api_url) DO UPDATE SET web_url = excluded.web_url,
            paused = iif(api_key = excluded.api_key, paused, ''), api_key = excluded.api_key
    """

    def save(self, hub: Hub) -> None:
        """Remember a hub's address and key; a new key ends a pause."""
        self._database.execute(self._SAVE, (hub.api_url, hub.web_url, hub.api_key))

    _FAILURES = "SELECT failures FROM hubs WHERE api_url = ?"
    _HOLD = "UPDATE hubs SET failures = failures + 1, retry_at = ?, trouble = ? WHERE api_url = ?"
    _POSTPONE = "UPDATE hubs SET failures = 0, retry_at = ?, trouble = ? WHERE api_url = ?"
    _RELEASE = """
        UPDATE hubs SET failures = 0, retry_at = 0, trouble = ''
        WHERE api_url = ? AND trouble != '' AND (failures > 0 OR retry_at <= ?)
    """

    def failures(self, api_url: str) -> int:
        """How many requests in a row the hub has left unanswered."""
        return int(self._database.rows(self._FAILURES, (api_url,))[0]["failures"])

    def hold(self, api_url: str, *, until: float, reason: str) -> None:
        """Ask a hub that did not answer again only from a time on."""
        self._database.execute(self._HOLD, (until, reason, api_url))

    def postpone(self, api_url: str, *, until: float, reason: str) -> None:
        """Leave a hub alone until the time that it has asked for, whatever else it answers before."""
        self._database.execute(self._POSTPONE, (until, reason, api_url))

    def release(self, api_url: str, now: float) -> None:
        """Note that the hub has answered."""
        self._database.execute(self._RELEASE, (api_url, now))

    _PAUSE = "UPDATE hubs SET paused = ? WHERE api_url = ?"
    _RESUME = "UPDATE hubs SET paused = '', retry_at = 0"

    def pause(self, api_url: str, reason: str) -> None:
        """Send nothing more to the hub until it is given another key, or `resume`."""
        self._database.execute(self._PAUSE, (reason, api_url))

    def resume(self) -> None:
        """Ask every hub again, held or paused."""
        self._database.execute(self._RESUME)
