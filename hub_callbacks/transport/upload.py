"""A file on its way: streamed from the disk, with its SHA-256."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor

from hub_callbacks import wire
from hub_callbacks.records import Artifact, Checkpoint

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A checkpoint on its way.

    Attributes:
        checkpoint: What it is.
        path: The file that holds its bytes, which does not change while it is sent.
        url: Where an earlier try has begun to send it; empty when none has.
        is_retry: Whether an earlier try went wrong; then it goes in chunks, each checked by itself, too.
        on_created: Called with the URL that the hub has opened for it.
        on_progress: Called with the number of bytes sent so far, for every block that is sent.
    """

    checkpoint: Checkpoint
    path: Path
    url: str = ""
    is_retry: bool = False
    on_created: Callable[[str], None]
    on_progress: Callable[[int], None]

    def fields(self) -> dict[str, str]:
        """What HUB v1 asks of a checkpoint beside its bytes; a map that is no number is 0.0, as where there is none."""
        score = self.checkpoint.map
        kind = (
            {"type": "final", "map": str(score if math.isfinite(score) else 0.0)}
            if self.checkpoint.is_final
            else {"type": "epoch", "isBest": str(self.checkpoint.is_best)}
        )
        return {"epoch": str(self.checkpoint.epoch), **kind}

    def form(self, file: IO[bytes]) -> MultipartEncoderMonitor:
        """The HUB v1 multipart body, read from ``file`` as it is sent; tells ``on_progress`` of it.

        HUB v1 wants the text fields first, and the file's name as its field's name.
        """
        name = self.checkpoint.filename
        fields = {**self.fields(), wire.SHA256_FIELD: self.sha256()}
        form = MultipartEncoder([*fields.items(), (name, (name, file, "application/octet-stream"))])
        return MultipartEncoderMonitor(form, lambda monitor: self.on_progress(monitor.bytes_read))

    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the file, read in blocks."""
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()


def artifact_form(artifact: Artifact, file: IO[bytes]) -> MultipartEncoder:
    """The multipart body of an artifact, read from ``file`` as it is sent; its fields as HUB v1 would have them."""
    epoch = {} if artifact.epoch is None else {"epoch": str(artifact.epoch)}
    fields = {"kind": artifact.artifact_kind, **epoch, wire.SHA256_FIELD: artifact.sha256}
    return MultipartEncoder([*fields.items(), (artifact.name, (artifact.name, file, "application/octet-stream"))])
