"""Connections to the hubs that an outbox delivers to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hub_callbacks.errors import PermanentError, RetryableError
from hub_callbacks.outbox import Hub
from hub_callbacks.transport import HubApi
from hub_callbacks.wire import LocalHub

_UNKNOWN = {404, 405, 410}  # what a hub that speaks HUB v1 and nothing more says of our extensions


@dataclass(frozen=True, slots=True)
class Connection:
    """A hub, and which of our extensions to HUB v1 it has.

    Attributes:
        api: Its endpoints.
        features: The extensions that it names.
        doubt: Why it may have others; empty when the hub itself has said.
    """

    api: HubApi
    features: frozenset[str] = frozenset()
    doubt: str = ""

    def must_have(self, feature: str) -> bool:
        """Whether it has an extension that nothing can stand in for.

        Raises:
            RetryableError: It has not said so far.
        """
        if self.doubt:
            raise RetryableError(self.doubt)
        return feature in self.features


class Connections:
    """One thread's connections, opened on first use.

    Args:
        local_hub: Finds the local hub, and starts it where needed.
    """

    def __init__(self, local_hub: Callable[[], LocalHub]) -> None:
        self._local_hub = local_hub
        self._open: dict[tuple[str, str], Connection] = {}

    def to(self, hub: Hub) -> Connection:
        """The connection to a hub.

        Raises:
            TransportError: It does not answer.
        """
        local = self._local_hub() if not hub.api_url else None
        address = (local.url, local.key) if local else (hub.api_url, hub.api_key)
        if address not in self._open:
            self._open[address] = Connection(HubApi(*address))
        connection = self._open[address]
        if not connection.features:  # asked again of a hub that said 404: it may be replaced by one that has some
            self._open[address] = connection = _asked(connection.api)
        return connection


def _asked(api: HubApi) -> Connection:
    try:
        return Connection(api, frozenset(api.info()["features"]))
    except PermanentError as error:
        if error.status not in _UNKNOWN:
            raise
        return Connection(api, doubt="" if error.is_hubs else str(error))
