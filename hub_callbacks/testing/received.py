"""What a `FaultHub` has got."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from hub_callbacks import wire

Endpoint = Literal["all", "info", "creation", "metrics", "summary", "checkpoint", "artifact", "heartbeat", "state"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """A request that came in.

    Attributes:
        method: GET, POST or PATCH.
        path: With its query.
        endpoint: What it was for; ``info`` is all that is not for a run.
        fault: The switch that it met, such as ``answer 503``; empty when it was served as it should be.
    """

    method: str
    path: str
    endpoint: Endpoint
    fault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedCheckpoint:
    """A checkpoint that came whole; its bytes are not kept.

    Attributes:
        filename: The name that it goes by on a hub: ``last.pt`` or ``best.pt``.
        epoch: The epoch that it was saved in, 0-based.
        is_final: Whether it is the model that the training ended with.
        fields: Every text field of its form.
        size_bytes: Number of its bytes.
        sha256: Their hexadecimal SHA-256.
    """

    filename: str
    epoch: int
    is_final: bool
    fields: dict[str, str]
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedArtifact:
    """A picture, or the numbers behind one, that came whole; its bytes are not kept.

    Attributes:
        name: Its file's name.
        kind: ``plot``, ``image`` or ``data``.
        size_bytes: Number of its bytes.
        sha256: Their hexadecimal SHA-256.
    """

    name: str
    kind: str
    size_bytes: int
    sha256: str


@dataclass(slots=True, kw_only=True)
class ReceivedRun:
    """All that came of one run.

    Attributes:
        id: Its id on this hub.
        creation: The body that created it.
        rows: Epoch, 0-based, to its row; a row that comes again replaces the one before.
        summary: What the best checkpoint scored.
        checkpoints: In the order in which they came; one whose reply was lost comes twice.
        artifacts: In the order in which they came; one whose reply was lost comes twice.
        heartbeats: The bodies of its heartbeats.
        states: What was said of how it stands.
    """

    id: str
    creation: wire.CreateBody
    rows: dict[int, dict[str, float]] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    checkpoints: list[ReceivedCheckpoint] = field(default_factory=list)
    artifacts: list[ReceivedArtifact] = field(default_factory=list)
    heartbeats: list[wire.HeartbeatBody] = field(default_factory=list)
    states: list[wire.StateBody] = field(default_factory=list)
