"""What a run says: plain records, JSON both ways.

A record is made in the trainer, stored in the outbox as one JSON text, and read back by the courier.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from hub_callbacks.errors import RecordError

End = Literal["finished", "stopped", "failed", "crashed"]
ArtifactKind = Literal["plot", "image", "data"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A training is about to begin its first epoch.

    Attributes:
        name: The run's name, as Ultralytics names its folder (``train3``).
        project: The name of the group that the run belongs to; may be empty.
        task: Ultralytics' task: detect, segment, classify, pose, obb; may be empty.
        model: File name of the weights or the architecture that training starts from.
        dataset: The data set as given to the trainer.
        epochs: Number of epochs planned.
        start_epoch: First epoch of this training, 0-based; above 0 when a run is resumed.
        args: The trainer's arguments, as plain JSON values.
        environment: What it runs on: versions, device, host.
        started_at: Unix time, seconds.
    """

    kind: ClassVar[str] = "run_started"
    name: str
    project: str = ""
    task: str = ""
    model: str = ""
    dataset: str = ""
    epochs: int
    start_epoch: int = 0
    args: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    started_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """One epoch's row: losses, validation metrics, learning rates.

    Attributes:
        epoch: 0-based.
        values: Metric name to value; may hold NaN and infinities.
        recorded_at: Unix time, seconds.
    """

    kind: ClassVar[str] = "metrics"
    epoch: int
    values: Mapping[str, float]
    recorded_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the best checkpoint scored in the last validation, after the last epoch.

    Attributes:
        values: Metric name to value; may hold NaN and infinities.
        recorded_at: Unix time, seconds.
    """

    kind: ClassVar[str] = "summary"
    values: Mapping[str, float]
    recorded_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochsPlanned:
    """How many epochs the training is planned to have by now: with ``time=`` that changes with every epoch.

    Attributes:
        epochs: Number of epochs.
        recorded_at: Unix time, seconds.
    """

    kind: ClassVar[str] = "epochs_planned"
    epochs: int
    recorded_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint, copied whole into the spool.

    Attributes:
        epoch: The epoch that it was saved in, 0-based.
        filename: The name that the hub keeps it under: ``last.pt`` or ``best.pt``.
        size_bytes: Size of the copy.
        is_best: Whether that very epoch is the best so far.
        is_final: Whether it is the model that the training ends with.
        map: mAP50-95 of the final model; 0 for tasks without it.
        recorded_at: Unix time, seconds.
    """

    kind: ClassVar[str] = "checkpoint"
    epoch: int
    filename: str
    size_bytes: int
    is_best: bool = False
    is_final: bool = False
    map: float = 0.0
    recorded_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Something that a training has drawn, copied whole into the spool.

    Attributes:
        name: Its file's name; another artifact of that name takes its place.
        artifact_kind: ``plot`` when it is drawn from numbers, ``image`` when it shows training data, ``data`` when it
            is the numbers.
        size_bytes: Size of the copy.
        sha256: Hexadecimal SHA-256 of the copy.
        epoch: The epoch that it is of, 0-based; None for the whole training.
        recorded_at: Unix time, seconds.
    """

    kind: ClassVar[str] = "artifact"
    name: str
    artifact_kind: ArtifactKind
    size_bytes: int
    sha256: str = ""
    epoch: int | None = None
    recorded_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The training ended.

    Attributes:
        state: ``finished`` by itself, ``stopped`` by a person, ``failed`` with an error, or ``crashed`` without a word
            (the courier says so, when the trainer is gone).
        reason: Why, in one line; the last line of the traceback when it failed.
        finished_at: Unix time, seconds.
    """

    kind: ClassVar[str] = "run_finished"
    state: End
    reason: str = ""
    finished_at: float


Record: TypeAlias = "RunStarted | Metrics | Summary | EpochsPlanned | Checkpoint | Artifact | RunFinished"

_KINDS: dict[str, type[Record]] = {
    record.kind: record for record in (RunStarted, Metrics, Summary, EpochsPlanned, Checkpoint, Artifact, RunFinished)
}


def to_json(record: Record) -> str:
    """The record as one JSON text; NaN and infinities are spelled as Python's ``json`` spells them."""
    return json.dumps(asdict(record))


def from_json(kind: str, text: str) -> Record:
    """The record of that kind that the text holds.

    Raises:
        RecordError: The kind is unknown, or the text is not a record of that kind.
    """
    try:
        return _KINDS[kind](**json.loads(text))
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"Not a {kind!r} record: {text[:200]!r} ({error}).") from error


def finite(values: Mapping[str, float]) -> dict[str, float | str]:
    """The values as valid JSON (RFC 8259): NaN and infinities become ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``."""
    return {name: value if math.isfinite(value) else _word(value) for name, value in values.items()}


def _word(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
