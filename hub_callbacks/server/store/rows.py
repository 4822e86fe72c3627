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
        owner: The user who created it.
        status: HUB v1's word: trained after a final upload, training once last.pt is stored, else new.
        state: How the run stands, as last reported, None by clients of HUB v1; `hub_callbacks.server.standing` judges.
        state_at: Since when, by the client's clock.
        reason: Why it stands so, in one line; may be empty.
        epochs: Number of epochs planned; None when unknown.
        last_epoch: The highest epoch with a row; None before the first.
        document: What clients said of it in HUB v1's own shape, patches merged in.
        config: HUB v1's training arguments, numbers as numbers.
        best: Best value of each metric that has a direction (``metrics/mAP50-95(B)`` and the like).
        last: The last row's values.
        summary: What the best checkpoint scored after the last epoch.
        resume_id: The checkpoint to resume from; None before the first.
        weights_id: The best checkpoint: the final one, or until then the best so far; None before the first.
        last_seen_at: When the agent last said anything.
        last_row_at: When a row of a new epoch last arrived.
        epoch_s: Median of the last epochs' seconds, by the arrival of their rows; None before the first.
        stop_reason: Who asked the run to stop, in one line; None when nobody did since it began.
    """

    id: str
    owner: str
    name: str
    project: str
    dataset: str
    architecture: str
    parent: str
    task: str
    status: Status
    state: RunState | None
    state_at: float | None
    reason: str
    epochs: int | None
    last_epoch: int | None
    document: Mapping[str, Any]
    config: Mapping[str, Any]
    args: Mapping[str, Any]
    environment: Mapping[str, Any]
    best: Mapping[str, float]
    last: Mapping[str, float]
    summary: Mapping[str, float]
    resume_id: str | None
    weights_id: str | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    last_seen_at: float | None
    last_row_at: float | None
    epoch_s: float | None
    stop_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsRow:
    """One epoch's values; may hold NaN and infinities."""

    epoch: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCheckpoint:
    """A blob that is about to become a checkpoint.

    Attributes:
        is_best: Whether that very epoch is the best so far.
        is_final: Whether it is the model that the training ends with.
        map: mAP50-95 of the final model; 0 for tasks without it.
        sha256: Of the whole file, 64 hexadecimal digits.
        blob: Its name in the blob store.
    """

    filename: str
    epoch: int
    is_best: bool
    is_final: bool
    map: float
    size_bytes: int
    sha256: str
    blob: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint(NewCheckpoint):
    """A verified checkpoint, published under ``blob``."""

    id: str
    model_id: str
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload(NewCheckpoint):
    """A checkpoint that comes in several requests. ``sha256`` and ``size_bytes`` are what its client claims.

    Attributes:
        offset_bytes: Bytes that have come and were checked.
        is_published: Whether it has become a checkpoint.
        expires_at: When it may be forgotten.
    """

    id: str
    model_id: str
    offset_bytes: int
    is_published: bool
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What a sign of life is answered with.

    Attributes:
        agent_id: The id of whoever gave it.
        stop_reason: Who wants the run to stop; None when nobody does.
    """

    agent_id: str
    stop_reason: str | None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who a request comes from."""

    user_id: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An API key, which itself is stored nowhere: only its hash is."""

    id: str
    user_id: str
    name: str
    role: Role
    created_at: float
    last_used_at: float | None
