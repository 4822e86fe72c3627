"""Which hub an identifier means, and with which key it is asked."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from hub_callbacks import wire
from hub_callbacks.errors import TransportError, UnreachableError
from hub_callbacks.session.identifier import SHUT_DOWN, Identifier
from hub_callbacks.settings import Settings
from hub_callbacks.transport import HubApi

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def settings_for(given: Identifier, settings: Settings) -> Settings:
    """The settings with the hub and the key that an identifier names.

    A URL of the hub in the settings, or of the one that was shut down, means the hub in the settings; any other names
    its own hub. That one is never sent the key of the settings.
    """
    if given.web_root is None or given.web_root in {SHUT_DOWN, settings.web_url, settings.api_url}:
        return replace(settings, api_key=given.api_key or settings.api_key)
    if settings.is_local and _is_local_hub(given.web_root, settings):
        return settings
    return replace(settings, api_url=given.web_root, web_url=given.web_root, api_key=given.api_key or "")


def is_hub(given: Identifier, settings: Settings) -> bool:
    """Whether a hub is at the root that an identifier names, as far as can be told: it may be down, or be Triton's."""
    known = {None, SHUT_DOWN, settings.web_url, settings.api_url, web_root(settings)}
    if given.web_root in known or given.api_key:
        return True
    api = HubApi(str(given.web_root), "")
    try:
        api.info()
    except UnreachableError:
        return True  # loading it will say so
    except TransportError:
        return False
    finally:
        api.close()
    return True


def web_root(settings: Settings) -> str:
    """The root of the hub's pages; before the local hub has started, on the port that it will try first."""
    known = settings.web_url or settings.api_url
    if known:
        return known
    hub = wire.LocalHub.read(settings.data_dir)
    return hub.url if hub else f"http://127.0.0.1:{settings.port}"


def _is_local_hub(root: str, settings: Settings) -> bool:
    """Whether this is the local hub's address, or was: it takes another port when its own is in use."""
    if urlsplit(root).hostname not in _LOOPBACK:
        return False
    if _plain(root) == _plain(web_root(settings)):
        return True
    api = HubApi(root, "")
    try:
        return not api.is_reachable()
    finally:
        api.close()


def _plain(root: str) -> str:
    return root.replace("//localhost", "//127.0.0.1")
