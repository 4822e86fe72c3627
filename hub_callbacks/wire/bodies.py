"""JSON bodies of requests and replies, and the words in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypedDict, get_args

Feature = Literal["artifacts", "attempts", "commands", "proposed-ids", "run-state", "runs", "sha256", "summary", "tus"]
FEATURES: tuple[Feature, ...] = get_args(Feature)

ArtifactKind = Literal["plot", "image", "data"]  # drawn from numbers; shows training data; numbers
ARTIFACT_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}\.(png|jpg|jpeg|json|csv)$"
ARTIFACT_BYTES = 16 << 20  # of one artifact, at most: a picture of 3000 x 3000 pixels takes less

ExportForm = Literal["csv", "json", "parquet"]

RunState = Literal["running", "silent", "finished", "stopped", "failed", "crashed"]  # what a client may report
JudgedState = Literal["new", "running", "silent", "stalled", "finished", "stopped", "failed", "crashed"]


class Envelope(TypedDict):
    """Every JSON reply."""

    success: bool
    message: str
    data: Any


class HubInfo(TypedDict):
    """Data of ``GET /v1/hub``."""

    name: str
    version: str
    features: list[str]


class Config(TypedDict, total=False):
    """Training arguments as HUB v1 names them."""

    batchSize: float
    epochs: int
    imageSize: int
    patience: int
    device: str
    cache: str


class CreateBody(TypedDict, total=False):
    """Body of ``POST /v1/models``. ``id`` (feature ``proposed-ids``) and ``run`` (``run-state``) are ours."""

    id: str
    meta: dict[str, Any]
    config: Config
    dataset: dict[str, Any]
    datasetId: str | None
    lineage: dict[str, Any]
    projectId: str
    run: RunBody


class RunBody(TypedDict, total=False):
    """What a run is, beyond HUB v1: the fields of `records.RunStarted` that have no place there."""

    project: str
    task: str
    epochs: int
    startEpoch: int
    args: dict[str, Any]
    environment: dict[str, Any]
    startedAt: float


class MetricsBody(TypedDict):
    """Body of ``POST /v1/models/{id}``: epoch (a decimal text) to a JSON text of one row."""

    type: Literal["metrics"]
    metrics: dict[str, str]


class HeartbeatBody(TypedDict):
    """Body of a heartbeat; ``agentId`` is what the last reply said, or null."""

    agent: str
    agentId: str | None


class CommandBody(TypedDict):
    """Body of ``POST /v1/models/{id}/commands``: stop after the current epoch."""

    command: Literal["stop"]


class Command(TypedDict):
    """What the trainer is to do, and who wants it."""

    command: Literal["stop"]
    reason: str


class HeartbeatReply(TypedDict):
    """Data of the reply to a heartbeat: the id to send next time, in how many seconds, and what to do meanwhile.

    A command is in every reply until the run ends or starts anew.
    """

    agentId: str
    interval: float
    commands: list[Command]


class Stored(TypedDict):
    """A published checkpoint; ``url`` gives its bytes to anyone, for a day."""

    id: str
    filename: str
    epoch: int
    isBest: bool
    isFinal: bool
    map: float
    sizeBytes: int
    sha256: str
    createdAt: float
    url: str


class StoredArtifact(TypedDict):
    """A published artifact; ``url`` gives its bytes to whoever may read the model.

    ``epoch`` is null where it is of no epoch, ``width`` and ``height`` (pixels) where it is no picture.
    """

    id: str
    name: str
    kind: ArtifactKind
    epoch: int | None
    sizeBytes: int
    sha256: str
    width: int | None
    height: int | None
    createdAt: float
    url: str


class RunQuery(TypedDict, total=False):
    """Query of ``GET /v1/runs`` and of exports (feature ``runs``): what the address of the table says, too.

    ``run`` names runs by their ids, for an export; ``page`` counts from 1, in pages of ``limit`` runs.
    """

    q: str
    state: Sequence[str]
    project: str
    where: str
    sort: str
    dir: Literal["asc", "desc"]
    page: int
    limit: int
    run: Sequence[str]


class RunList(TypedDict):
    """Data of ``GET /v1/runs``: a page of runs, and how many there are on all pages."""

    results: list[dict[str, Any]]
    total: int


class StateBody(TypedDict, total=False):
    """Body of ``POST /v1/models/{id}/state``: how a run stands, why, and since when (Unix time, seconds)."""

    state: RunState
    reason: str
    at: float
