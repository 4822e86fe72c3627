"""What the store returns: plain values, no connection behind them. Times are Unix seconds, epochs 0-based."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from hub_callbacks.wire import ArtifactKind, RunState

Role = Literal["admin", "trainer", "viewer"]
RANKS: Final[tuple[Role, ...]] = ("viewer", "trainer", "admin")
Status = Literal["new", "training", "trained"]  # the words that 8.0-era clients know


def lower(role: Role, other: Role | None) -> Role:
    """The lower of two roles; the first where the other is None."""
    return role if other is None else min(role, other, key=RANKS.index)


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
        is_public: Whether anyone may read it, with no key.
        dataset_id: The hub's own data set that it is trained on; None where it is another.
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
    attempt_at: float | None
    finished_at: float | None
    last_seen_at: float | None
    last_row_at: float | None
    epoch_s: float | None
    stop_reason: str | None
    is_public: bool
    dataset_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """A state that a run was in, why, and since when, as whoever reported it says (Unix time)."""

    state: RunState
    reason: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsRow:
    """One epoch's values; may hold NaN and infinities."""

    epoch: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The rows, by epoch, that one request brings to a model; of which attempt, where the client says it."""

    model_id: str
    rows: Mapping[int, Mapping[str, float]]
    attempt: float | None = None


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
        offset_bytes: Up to where the bytes that have come count.
        is_published: Whether it has become a checkpoint.
        expires_at: When it may be forgotten.
    """

    id: str
    model_id: str
    offset_bytes: int
    is_published: bool
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NewArtifact:
    """A verified blob that is about to become one of a model's artifacts.

    Attributes:
        kind: Whether it is drawn from numbers, shows training data, or is numbers.
        epoch: The epoch that it is of; None for the whole training.
        width: Of a picture, in pixels; None for all else. So is ``height``.
        blob: Its name in the blob store.
    """

    name: str
    kind: ArtifactKind
    epoch: int | None
    media_type: str
    width: int | None
    height: int | None
    size_bytes: int
    sha256: str
    blob: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact(NewArtifact):
    """A verified artifact, published under ``blob``; another one of its name takes its place under another id."""

    id: str
    model_id: str
    created_at: float


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
class NewFile:
    """A verified blob that is about to become a data set's archive or a project's image."""

    filename: str
    size_bytes: int
    sha256: str
    blob: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A project or a data set.

    Attributes:
        owner: The user who created it.
        document: What clients said of it in HUB v1's own shape, patches merged in.
        is_public: Whether anyone may read it, with no key.
        project_id: The project that a data set is in; None outside of any, and for a project.
        file: A data set's archive, a project's image; None before there is one.
    """

    id: str
    owner: str
    name: str
    document: Mapping[str, Any]
    is_public: bool
    project_id: str | None
    file: NewFile | None
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingPage:
    """A part of the projects or data sets, newest first; total and cursor as in `Page`."""

    things: Sequence[Thing]
    total: int
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What decides who may read and change a thing.

    Attributes:
        owner: The user whose it is.
        is_public: Whether it or the project that it is in is public.
        project_id: The project that it is in, or that it is; None outside of any.
        project_owner: The user whose project that is.
        member: The asking user's role in that project; None where it was not shared with them.
    """

    owner: str
    is_public: bool = False
    project_id: str | None = None
    project_owner: str | None = None
    member: Role | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who a request comes from.

    Attributes:
        role: What they may do at most: the user's role, or the key's where that is lower.
        key_id: The API key that they showed or signed in with; empty after a sign-in with a password.
        project_id: The only project that the key is good for; None for all.
        is_limited: Whether the key can do less than its user, or ends; such a key makes no keys and changes no users.
    """

    user_id: str
    name: str
    role: Role
    key_id: str = ""
    project_id: str | None = None
    is_limited: bool = False

    @property
    def source(self) -> str:
        """What is counted together: what comes with one key, or from one user who came in with a password."""
        return self.key_id or self.user_id
