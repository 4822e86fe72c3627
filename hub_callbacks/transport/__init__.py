"""Talking to a hub over HTTP: one method per endpoint, errors split into those that heal and those that do not."""

from hub_callbacks.transport.api import HubApi
from hub_callbacks.transport.download import Downloads, RemoteFile
from hub_callbacks.transport.upload import Upload

__all__ = ["Downloads", "HubApi", "RemoteFile", "Upload"]
