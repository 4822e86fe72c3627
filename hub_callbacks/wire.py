"""HUB v1 on the wire: paths, headers and JSON bodies, shared by the client and the hub.

The protocol is that of Ultralytics HUB as its clients (hub-sdk 0.0.25, ultralytics 8.0 to 8.4.114) speak it. Every
JSON reply is an `Envelope`. What we add is named by the `FEATURES` that ``GET /v1/hub`` lists.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import string
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

Feature = Literal["proposed-ids", "run-state", "sha256", "summary"]
FEATURES: tuple[Feature, ...] = ("proposed-ids", "run-state", "sha256", "summary")

RunState = Literal["running", "silent", "finished", "stopped", "failed", "crashed"]


def model(model_id: str) -> str:
    """Path of one model: GET, PATCH, DELETE, and POST of `MetricsBody`."""
    return f"{MODELS}/{model_id}"


def metrics(model_id: str) -> str:
    """Path of a model's metrics: GET."""
    return f"{MODELS}/{model_id}/metrics"


def upload(model_id: str) -> str:
    """Path that takes a model's checkpoints: POST, multipart."""
    return f"{MODELS}/{model_id}/upload"


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
