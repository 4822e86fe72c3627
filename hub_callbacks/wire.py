"""HUB v1 on the wire: paths, headers and JSON bodies, shared by the client and the hub.

The protocol is that of Ultralytics HUB as its clients (hub-sdk 0.0.25, ultralytics 8.0 to 8.4.114) speak it. Every
JSON reply is an `Envelope`. What we add is named by the `FEATURES` that ``GET /v1/hub`` lists.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

ID_LENGTH = 20  # ultralytics 8.0-8.2 splits KEY_ID by these two lengths
KEY_LENGTH = 42
_ALPHABET = string.ascii_letters + string.digits  # neither "_", which splits KEY_ID, nor "." or "/", which split paths
ID_PATTERN = rf"^[A-Za-z0-9]{{{ID_LENGTH}}}$"

API_KEY_HEADER = "x-api-key"
SHA256_FIELD = "sha256"  # a text field of the upload form, before the file part

HUB = "/v1/hub"
HEALTH = "/healthz"
AUTH = "/v1/auth"
SIGN_IN = "/v1/auth/browser"
MODELS = "/v1/models"

Feature = Literal["commands", "proposed-ids", "run-state", "sha256", "summary", "tus"]
FEATURES: tuple[Feature, ...] = ("commands", "proposed-ids", "run-state", "sha256", "summary", "tus")

RunState = Literal["running", "silent", "finished", "stopped", "failed", "crashed"]  # what a client may report
JudgedState = Literal["new", "running", "silent", "stalled", "finished", "stopped", "failed", "crashed"]

# tus 1.0.0 (tus.io/protocols/resumable-upload), feature "tus"
TUS_VERSION = "1.0.0"
TUS_CHUNK_BYTES = 8 << 20  # of one PATCH: what a break costs at most, and enough that the request costs next to nothing
TUS_CONTENT_TYPE = "application/offset+octet-stream"
TUS_CHECKSUM = "sha256"
TUS_RESUMABLE_HEADER = "Tus-Resumable"
UPLOAD_CHECKSUM_HEADER = "Upload-Checksum"
UPLOAD_EXPIRES_HEADER = "Upload-Expires"
UPLOAD_LENGTH_HEADER = "Upload-Length"
UPLOAD_METADATA_HEADER = "Upload-Metadata"
UPLOAD_OFFSET_HEADER = "Upload-Offset"
REPR_DIGEST_HEADER = "Repr-Digest"  # RFC 9530: the whole file's SHA-256, with its last bytes
TUS_CHECKSUM_MISMATCH = 460  # a status of tus' own


def model(model_id: str) -> str:
    """Path of one model: GET, PATCH, DELETE, and POST of `MetricsBody`."""
    return f"{MODELS}/{model_id}"


def metrics(model_id: str) -> str:
    """Path of a model's metrics: GET."""
    return f"{MODELS}/{model_id}/metrics"


def upload(model_id: str) -> str:
    """Path that takes a model's checkpoints: POST, multipart."""
    return f"{MODELS}/{model_id}/upload"


def uploads(model_id: str) -> str:
    """Path that makes a tus upload of a model's checkpoint: POST (feature ``tus``); its ``Location`` takes the rest."""
    return f"{MODELS}/{model_id}/uploads"


def checkpoints(model_id: str) -> str:
    """Path of a model's published checkpoints: GET, a list of `Stored`."""
    return f"{MODELS}/{model_id}/checkpoints"


def commands(model_id: str) -> str:
    """Path that takes commands for a model's trainer: POST of `CommandBody` (feature ``commands``)."""
    return f"{MODELS}/{model_id}/commands"


def state(model_id: str) -> str:
    """Path that takes a run's state: POST of `StateBody` (feature ``run-state``)."""
    return f"{MODELS}/{model_id}/state"


def heartbeat(model_id: str) -> str:
    """Path that takes the heartbeats of a model's agent: POST of `HeartbeatBody`."""
    return f"/v1/agent/heartbeat/models/{model_id}"


def page(model_id: str) -> str:
    """Path of a model's page on the hub's web root."""
    return f"/models/{model_id}"


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


class UploadMetadata(TypedDict, total=False):
    """What the ``Upload-Metadata`` of a checkpoint says; the fields of the multipart form under the same names.

    Every value is text: ``type`` is ``epoch`` or ``final``, ``isBest`` is ``True`` or ``False``.
    """

    filename: str
    epoch: str
    type: str
    isBest: str
    map: str
    sha256: str


class StateBody(TypedDict, total=False):
    """Body of ``POST /v1/models/{id}/state``: how a run stands, why, and since when (Unix time, seconds)."""

    state: RunState
    reason: str
    at: float


def new_id() -> str:
    """A fresh model ID: 20 letters and digits, 119 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH))


def new_key() -> str:
    """A fresh API key: 42 letters and digits, 250 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(KEY_LENGTH))


def is_id(text: str) -> bool:
    """Whether the text has the form of a model ID."""
    return re.fullmatch(ID_PATTERN, text) is not None


def upload_metadata(fields: Mapping[str, object]) -> str:
    """The value of an ``Upload-Metadata`` header: names in the clear, values as Base64."""
    return ",".join(f"{name} {base64.b64encode(str(value).encode()).decode()}" for name, value in fields.items())


def parse_upload_metadata(header: str) -> dict[str, str]:
    """What `upload_metadata` wrote.

    Raises:
        ValueError: The header is malformed.
    """
    pairs = (pair.strip().partition(" ") for pair in header.split(",") if pair.strip())
    try:
        return {name: base64.b64decode(value.strip(), validate=True).decode() for name, _, value in pairs}
    except ValueError as error:
        raise ValueError(f"{header[:200]!r} is no Upload-Metadata: {error}") from error


def repr_digest(digest: bytes) -> str:
    """The value of a ``Repr-Digest`` header: the SHA-256 of the whole file (RFC 9530 section 3)."""
    return f"sha-256=:{base64.b64encode(digest).decode()}:"


def parse_repr_digest(header: str) -> str:
    """The SHA-256, in hexadecimal digits, of what `repr_digest` wrote; empty where the header has none."""
    found = re.search(r"sha-256=:([A-Za-z0-9+/]{43}=):", header)
    return base64.b64decode(found[1]).hex() if found else ""


def upload_checksum(digest: bytes) -> str:
    """The value of an ``Upload-Checksum`` header: the SHA-256 of one PATCH's bytes."""
    return f"{TUS_CHECKSUM} {base64.b64encode(digest).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalHub:
    """The note that a running local hub leaves for the processes of its user, mode 0600.

    Attributes:
        url: Where it listens, ``http://127.0.0.1:<port>``.
        key: The admin's API key.
        pid: Its process.
    """

    url: str
    key: str
    pid: int

    @staticmethod
    def path(data_dir: Path) -> Path:
        """Where the note lies under a data folder."""
        return data_dir / "hub" / "hub.json"

    @classmethod
    def read(cls, data_dir: Path) -> LocalHub | None:
        """The note, or None when no local hub has ever run there (or its note is half written)."""
        try:
            return cls(**json.loads(cls.path(data_dir).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, data_dir: Path) -> None:
        """Replace the note in one step, readable by its user alone."""
        path = self.path(data_dir)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{self.pid}")
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file)
        temporary.replace(path)
