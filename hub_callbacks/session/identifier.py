"""What a model identifier says."""

from __future__ import annotations

from pathlib import PurePath
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from hub_callbacks import wire
from hub_callbacks.errors import IdentifierError


class Identifier(NamedTuple):
    """The parts of an identifier; those that its form does not have are None."""

    api_key: str | None = None
    model_id: str | None = None
    filename: str | None = None


def parse(identifier: str, *, web_root: str) -> Identifier:
    """Take an identifier apart.

    Args:
        identifier: ``<web root>/models/ID``, also with ``?api_key=KEY`` (ultralytics 8.3); ``KEY_ID`` or ``ID``
            (ultralytics 8.0 to 8.2); or the name of a ``.pt`` or ``.yaml`` file.
        web_root: Root of the hub's pages.

    Raises:
        IdentifierError: It has none of these forms.
    """
    if identifier.startswith(f"{web_root}{wire.page('')}"):
        url = urlsplit(identifier)
        model_id = PurePath(url.path).name
        if wire.is_id(model_id):
            return Identifier(api_key=parse_qs(url.query).get("api_key", [None])[0], model_id=model_id)
    if PurePath(identifier).suffix in {".pt", ".yaml"}:
        return Identifier(filename=identifier)
    key, _, model_id = identifier.rpartition("_")
    if wire.is_id(model_id) and len(key) in {0, wire.KEY_LENGTH}:
        return Identifier(api_key=key or None, model_id=model_id)
    raise IdentifierError(
        f"The model {identifier!r} is none that a session takes: {web_root}{wire.page('ID')}, KEY_ID, ID,"
        " or the name of a .pt or .yaml file."
    )
