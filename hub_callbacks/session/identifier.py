"""What a model identifier says."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from hub_callbacks import wire
from hub_callbacks.errors import IdentifierError

SHUT_DOWN = "https://hub.ultralytics.com"  # Ultralytics HUB, gone since 2026-07-31; scripts still name it
_FILES = {".pt", ".yaml", ".yml"}


class Identifier(NamedTuple):
    """The parts of an identifier; those that its form does not have are None."""

    api_key: str | None = None
    model_id: str | None = None
    filename: str | None = None
    web_root: str | None = None


def parse(identifier: str, *, web_root: str) -> Identifier:
    """Take an identifier apart.

    Args:
        identifier: ``<root of a hub's pages>/models/ID``, also with ``?api_key=KEY`` (ultralytics 8.3); ``KEY_ID`` or
            ``ID`` (ultralytics 8.0 to 8.2); or the name of a ``.pt`` or ``.yaml`` file.
        web_root: Root of the hub's pages, for the message.

    Raises:
        IdentifierError: It has none of these forms.
    """
    found = parse_model(identifier)
    if found:
        return found
    if PurePath(identifier).suffix in _FILES:
        return Identifier(filename=identifier)
    raise IdentifierError(
        f"The model {identifier!r} is none that a session takes: {web_root}{wire.page('ID')}, KEY_ID, ID,"
        f" or the name of a .pt or .yaml file. An ID has {wire.ID_LENGTH} letters and digits."
    )


def parse_model(identifier: str) -> Identifier | None:
    """The parts of an identifier that names a model of a hub; None for all else, such as a file of that name."""
    if identifier.startswith(("http://", "https://")):
        url = urlsplit(identifier)
        root, models, model_id = url.path.rstrip("/").rpartition(wire.page(""))
        if not models or not wire.is_id(model_id):
            return None
        key = parse_qs(url.query).get("api_key", [None])[0]
        return Identifier(api_key=key, model_id=model_id, web_root=f"{url.scheme}://{url.netloc}{root}")
    key, _, model_id = identifier.rpartition("_")
    if wire.is_id(model_id) and len(key) in {0, wire.KEY_LENGTH} and not Path(identifier).exists():
        return Identifier(api_key=key or None, model_id=model_id)
    return None
