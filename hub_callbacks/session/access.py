"""Asking the hub for a model: what it refuses says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from hub_callbacks.courier import local_hub
from hub_callbacks.errors import (
    ForbiddenError,
    ModelNotFoundError,
    PermanentError,
    UnauthorizedError,
    UnreachableError,
)
from hub_callbacks.session.addresses import web_root
from hub_callbacks.settings import Settings
from hub_callbacks.transport import HubApi


def address(settings: Settings) -> dict[str, str]:
    """The hub's ``api_url``, ``web_url`` and ``api_key``; the local hub is started for them.

    Raises:
        UnreachableError: The local hub does not start.
    """
    if not settings.is_local:
        return {"api_url": settings.api_url, "web_url": web_root(settings), "api_key": settings.api_key}
    hub = local_hub.ensure(settings.data_dir, port=settings.port)
    return {"api_url": hub.url, "web_url": hub.url, "api_key": hub.key}


@contextmanager
def asking(settings: Settings, page: str) -> Iterator[HubApi]:
    """Ask the hub about the model of that page.

    Raises:
        ModelNotFoundError: It has no such model.
        TransportError: It does not answer, does not know the key, or does not let its user do this.
    """
    hub = address(settings)
    key = hub["api_key"]
    api = HubApi(hub["api_url"], key)
    try:
        yield api
    except UnauthorizedError as error:
        raise UnauthorizedError(f"{_key_wanted(page, key)} ({error})") from error
    except ForbiddenError as error:
        raise ForbiddenError(
            f"Your key may not use {page}: ask its owner, or take a key of theirs: {page}?api_key=KEY ({error})"
        ) from error
    except UnreachableError as error:
        raise UnreachableError(
            f"{page} cannot be loaded, for its hub is not there. Is it running? Look: hub-callbacks doctor. A training"
            f" from a local file needs no hub. ({error})"
        ) from error
    except PermanentError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        raise ModelNotFoundError(not_found(page)) from error
    finally:
        api.close()


def not_found(page: str) -> str:
    """That the hub has no such model, and what to do."""
    return (
        f"The hub has no model {page}, or your key may not see it. Check the id on the hub's first page: hub-callbacks"
        " open."
    )


def _key_wanted(page: str, key: str) -> str:
    if key:
        return f"The hub does not know the API key for {page}. Get one there: hub-callbacks settings api_key=KEY."
    return f"The hub wants an API key for {page}: hub-callbacks settings api_key=KEY, or {page}?api_key=KEY."
