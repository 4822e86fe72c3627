"""From received bytes to a published checkpoint: what its client says of it, the checks, the one way to publish."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final, Literal

from hub_callbacks import wire
from hub_callbacks.errors import HubCallbacksError
from hub_callbacks.server.context import Hub
from hub_callbacks.server.store.rows import Checkpoint, NewCheckpoint

HEAD_BYTES: Final = 4
_ZIP_HEAD: Final = b"PK\x03\x04"  # PKWARE APPNOTE 4.3.7
_FILENAMES: Final = ("last.pt", "best.pt")


class CheckpointError(HubCallbacksError, ValueError):
    """What came is not the checkpoint that its client means."""


def describe(fields: Mapping[str, str], *, filename: str) -> NewCheckpoint:
    """What a client says of its checkpoint, in HUB v1's words; ``sha256`` may be empty, size and blob are to be set.

    Raises:
        CheckpointError: A field is missing or wrong.
    """
    kind = _kind(fields)
    epoch = fields.get("epoch", "")
    if not epoch.isascii() or not epoch.isdigit() or len(epoch) > 9:
        raise CheckpointError(f"The field 'epoch' must be a number from 0, not {epoch!r}.")
    return NewCheckpoint(
        filename=filename if filename in _FILENAMES else _FILENAMES[kind == "final"],
        epoch=int(epoch),
        is_best=kind == "epoch" and fields.get("isBest", "").lower() == "true",
        is_final=kind == "final",
        map=_map(fields),
        size_bytes=0,
        sha256=_sha256(fields),
        blob="",
    )


def check_zip(head: bytes) -> None:
    """Refuse a file that is no zip archive, as those are that torch writes.

    Raises:
        CheckpointError: Its first `HEAD_BYTES` are not a zip archive's.
    """
    if not head.startswith(_ZIP_HEAD):
        raise CheckpointError("The file is not what it claims to be: it does not begin as a zip archive.")


def publish(
    hub: Hub, model_id: str, new: NewCheckpoint, *, upload_id: str = "", attempt: float | None = None
) -> Checkpoint:
    """The verified blob as the model's checkpoint; when it was published before, that one, and the blob is deleted.

    Older checkpoints that the hub need not keep go with it.
    """
    checkpoint = hub.store.add_checkpoint(model_id, new, upload_id=upload_id, attempt=attempt)
    if checkpoint.blob != new.blob:  # the same bytes came before, and their reply was lost
        hub.blobs.delete(new.blob)
    if hub.limits.keep_checkpoints:
        for blob in hub.store.prune_checkpoints(model_id, keep=hub.limits.keep_checkpoints):
            hub.blobs.delete(blob)
    return checkpoint


def _kind(fields: Mapping[str, str]) -> Literal["epoch", "final"]:
    match fields.get("type", ""):
        case "epoch" | "final" as kind:
            return kind
        case kind:
            raise CheckpointError(f"The field 'type' must be 'epoch' or 'final', not {kind!r}.")


def _map(fields: Mapping[str, str]) -> float:
    try:
        value = float(fields.get("map", 0.0))
    except ValueError as error:
        raise CheckpointError(f"The field 'map' must be a number, not {fields['map']!r}.") from error
    return value if math.isfinite(value) else 0.0


def _sha256(fields: Mapping[str, str]) -> str:
    claimed = fields.get(wire.SHA256_FIELD, "").lower()
    if claimed and not re.fullmatch("[0-9a-f]{64}", claimed):
        raise CheckpointError(f"The field {wire.SHA256_FIELD!r} must be 64 hexadecimal digits, not {claimed!r}.")
    return claimed
