"""Where files are fetched: signed URLs, for clients download with no header of authority."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hub_callbacks.server.context import Hub
from hub_callbacks.server.store.rows import Checkpoint, Model, Thing
from hub_callbacks.server.store.things import ThingKind

FILES: Final = "/v1/files"
TTL_S: Final = 86400.0  # a trainer fetches within seconds; a day lets a person hand a link on
_CHECKPOINT: Final = "file"  # purposes of tokens; the others are the names of the collections
_THINGS: Final[tuple[ThingKind, ...]] = ("datasets", "projects")
_BYTES: Final = "application/octet-stream"
_MEDIA_TYPES: Final = {".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file that can be fetched.

    Attributes:
        name: What a browser saves it as.
    """

    blob: str
    size_bytes: int
    sha256: str
    name: str
    media_type: str = _BYTES


def file_path(hub: Hub, checkpoint: Checkpoint) -> str:
    """A path under the hub's root from which anyone can fetch the checkpoint, for a day."""
    return _path(hub, _CHECKPOINT, checkpoint.id, _name(checkpoint))


def thing_path(hub: Hub, kind: ThingKind, thing: Thing) -> str | None:
    """A path from which anyone can fetch the data set's archive or the project's image, for a day; None without one."""
    return _path(hub, kind, thing.id, thing.file.filename) if thing.file else None


def training_path(hub: Hub, dataset: Thing) -> str | None:
    """The same path under a name of its own: Ultralytics caches archives by their names alone, of all hubs together."""
    if dataset.file is None:
        return None
    return _path(hub, "datasets", dataset.id, f"{dataset.id}-{dataset.file.sha256[:8]}.zip")


def find_download(hub: Hub, file_id: str, token: str) -> Download | None:
    """What a signed path leads to, while there is such a file.

    Raises:
        PermissionError: The token is forged, expired, or another file's.
    """
    if hub.signer.check(_CHECKPOINT, token) == file_id:
        checkpoint = hub.store.get_checkpoint(file_id)
        return _of_checkpoint(checkpoint) if checkpoint else None
    for kind in _THINGS:
        if hub.signer.check(kind, token) == file_id:
            thing = hub.store.get_thing(kind, file_id)
            return _of_thing(thing) if thing else None
    raise PermissionError(file_id)


def pointed_to(hub: Hub, models: Iterable[Model]) -> dict[str, Checkpoint]:
    """The checkpoints that the models resume from and are used as, by id."""
    ids = {pointer for model in models for pointer in (model.resume_id, model.weights_id) if pointer}
    return hub.store.get_checkpoints(ids) if ids else {}


def _path(hub: Hub, purpose: str, file_id: str, name: str) -> str:
    return f"{FILES}/{file_id}/{name}?token={hub.signer.sign(purpose, file_id, ttl_s=TTL_S)}"


def _of_checkpoint(found: Checkpoint) -> Download:
    return Download(blob=found.blob, size_bytes=found.size_bytes, sha256=found.sha256, name=_download_name(found))


def _of_thing(thing: Thing) -> Download | None:
    if thing.file is None:
        return None
    suffix = thing.file.filename[thing.file.filename.rfind(".") :]
    return Download(
        blob=thing.file.blob,
        size_bytes=thing.file.size_bytes,
        sha256=thing.file.sha256,
        name=thing.file.filename,
        media_type=_MEDIA_TYPES.get(suffix, _BYTES),
    )


def _download_name(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.model_id}-{checkpoint.filename.removesuffix('.pt')}-{checkpoint.epoch}.pt"


def _name(checkpoint: Checkpoint) -> str:
    """The end of the path.

    Ultralytics (8.0 to 8.4) caches a download under the last part of its path, for all models together, so that part is
    unique; but hub-sdk looks for ``{id}/best.pt`` in the URL of a trained model, which is cached by id.
    """
    if checkpoint.is_final:
        return f"{checkpoint.model_id}/best.pt"
    return _download_name(checkpoint)
