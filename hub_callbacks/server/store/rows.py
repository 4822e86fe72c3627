"""What the store returns: plain values, no connection behind them. Times are Unix seconds, epochs 0-based."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hub_callbacks.wire import RunState

Role = Literal["admin", "trainer", "viewer"]
Status = Literal["new", "training", "trained"]  # the words that 8.0-era clients know


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model, which is also the run that trains it.

    Attributes:
        status: HUB v1's word: trained after a final upload, training once last.pt is stored, else new.
        state: How the run stands, as last reported; `silence` of the agent is judged when it is shown.
        reason: Why it stands so, in one line; may be empty.
        epochs: Number of epochs planned; None when unknown.
        last_epoch: The highest epoch with a row; None before the first.
        best: Best value of each metric that has a direction (``metrics/mAP50-95(B)`` and the like).
        last: The last row's values.
        summary: What the best checkpoint scored after the last epoch.
        last_seen_at: When the agent last said anything.
    """

    id: str
    name: str
    project: str
    dataset: str
    architecture: str
    parent: str
    task: str
    status: Status
    state: RunState | None
    reason: str
    epochs: int | None
    last_epoch: int | None
    config: Mapping[str, Any]
    args: Mapping[str, Any]
    environment: Mapping[str, Any]
    best: Mapping[str, float]
    last: Mapping[str, float]
    summary: Mapping[str, float]
    created_at: float
    started_at: float | None
    finished_at: float | None
    last_seen_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsRow:
    """One epoch's values; may hold NaN and infinities."""

    epoch: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A verified checkpoint, published under ``blob``."""

    id: str
    model_id: str
    filename: str
    epoch: int
    is_best: bool
    is_final: bool
    map: float
    size_bytes: int
    sha256: str
    blob: str
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of the models, newest first.

    Attributes:
        total: Number of models that match, over all pages.
        cursor: What to pass for the next page; None on the last.
    """

    models: Sequence[Model]
    total: int
    cursor: str | None
