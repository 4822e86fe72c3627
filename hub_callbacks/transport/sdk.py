"""Ultralytics' own client of HUB v1, ``hub_sdk.HUBClient``, turned to a hub of ours."""

from __future__ import annotations

import os
from typing import Any

from hub_callbacks.errors import HubCallbacksError
from hub_callbacks.transport.api import HubApi


def hub_client(*, api_url: str, web_url: str, api_key: str) -> Any:
    """A signed-in ``hub_sdk.HUBClient``.

    Raises:
        TransportError: The hub does not answer, or does not know the key. hub-sdk 0.0.25 would end in an
            AttributeError there (``hub_sdk.base.auth.authenticate``), so the key is checked first.
        HubCallbacksError: hub-sdk was imported before, for another hub.
    """
    api = HubApi(api_url, api_key)
    api.authenticate()
    api.close()
    config = _import_for(api_url, web_url)
    if api_url != config.HUB_API_ROOT:
        raise HubCallbacksError(
            f"hub-sdk is bound to {config.HUB_API_ROOT!r} in this process, not to {api_url!r}."
            " Set ULTRALYTICS_HUB_API before it is imported, or start a new process."
        )
    from hub_sdk import HUBClient

    return HUBClient({"api_key": api_key})


def _import_for(api_url: str, web_url: str) -> Any:
    """``hub_sdk.config``; hub-sdk reads its addresses from the environment, once, when it is imported."""
    before = dict(os.environ)
    os.environ.update(ULTRALYTICS_HUB_API=api_url, ULTRALYTICS_HUB_WEB=web_url)
    try:
        from hub_sdk import config
    finally:
        for name in ("ULTRALYTICS_HUB_API", "ULTRALYTICS_HUB_WEB"):
            os.environ.pop(name)
            os.environ.update({name: before[name]} if name in before else {})
    return config
