"""Where checkpoints are fetched: signed URLs, for clients download with no header of authority."""

from __future__ import annotations

from collections.abc import Iterable

from hub_callbacks.server.context import Hub
from hub_callbacks.server.store.rows import Checkpoint, Model

FILES = "/v1/files"
TTL_S = 86400.0  # a trainer fetches within seconds; a day lets a person hand a link on
_PURPOSE = "file"


def file_path(hub: Hub, checkpoint: Checkpoint) -> str:
    """A path under the hub's root from which anyone can fetch the checkpoint, for a day."""
    token = hub.signer.sign(_PURPOSE, checkpoint.id, ttl_s=TTL_S)
    return f"{FILES}/{checkpoint.id}/{_name(checkpoint)}?token={token}"


def opens(hub: Hub, token: str, checkpoint_id: str) -> bool:
    """Whether the token of a `file_path` is genuine, good for this checkpoint, and not expired."""
    return hub.signer.check(_PURPOSE, token) == checkpoint_id


def download_name(checkpoint: Checkpoint) -> str:
    """What a browser saves the checkpoint as."""
    return f"{checkpoint.model_id}-{checkpoint.filename.removesuffix('.pt')}-{checkpoint.epoch}.pt"


def pointed_to(hub: Hub, models: Iterable[Model]) -> dict[str, Checkpoint]:
    """The checkpoints that the models resume from and are used as, by id."""
    ids = {pointer for model in models for pointer in (model.resume_id, model.weights_id) if pointer}
    return hub.store.get_checkpoints(ids) if ids else {}


def _name(checkpoint: Checkpoint) -> str:
    """The end of the path.

    Ultralytics (8.0 to 8.4) caches a download under the last part of its path, for all models together, so that part is
    unique; but hub-sdk looks for ``{id}/best.pt`` in the URL of a trained model, which is cached by id.
    """
    if checkpoint.is_final:
        return f"{checkpoint.model_id}/best.pt"
    return download_name(checkpoint)
