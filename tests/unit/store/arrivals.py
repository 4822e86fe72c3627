"""What comes to a model: a metric, and checkpoints."""

from __future__ import annotations

from hub_callbacks import wire
from hub_callbacks.server.store.rows import NewCheckpoint

MAP = "metrics/mAP50-95(B)"


def new_checkpoint(epoch: int = 0, *, is_best: bool = False, is_final: bool = False) -> NewCheckpoint:
    return NewCheckpoint(
        filename="last.pt",
        epoch=epoch,
        is_best=is_best,
        is_final=is_final,
        map=0.0,
        size_bytes=1,
        sha256="a" * 64,
        blob=wire.new_id(),
    )
