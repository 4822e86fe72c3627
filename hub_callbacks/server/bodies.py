"""Bodies of requests and replies, checked by pydantic and shown in the OpenAPI document.

They are the shapes of `hub_callbacks.wire`; HUB v1's own documents may hold more than is named here, and it is kept.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from hub_callbacks import wire

DataT = TypeVar("DataT")


def _whole(value: object) -> object:
    """To JSON Schema, as to some clients, 7.0 is the whole number 7 (2020-12, section 6.1.1)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Unix = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False, description="Unix time, seconds.")]
ModelId = Annotated[str, Field(pattern=wire.ID_PATTERN)]
_Epochs = Annotated[int, Field(ge=0, le=2**31 - 1, strict=True), BeforeValidator(_whole)]
_Word = Annotated[str, Field(max_length=256)]
Object = dict[str, Any]


class Reply(BaseModel, Generic[DataT]):
    """Every JSON reply."""

    success: bool = True
    message: str = ""
    data: DataT


class Failure(BaseModel):
    """The reply to a request that failed: ``message`` says why and what to do."""

    success: Literal[False] = False
    message: str
    data: None = None


FAILURES: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Failure, "description": description}
    for status, description in {
        401: "No valid API key.",
        403: "The key's user may not do this.",
        404: "There is no such thing.",
        422: "The request is not what it should be.",
    }.items()
}


def also(**meanings: str) -> dict[int | str, dict[str, Any]]:
    """More failures, by ``http_<status>``, for the OpenAPI document."""
    return {
        int(name.removeprefix("http_")): {"model": Failure, "description": description}
        for name, description in meanings.items()
    }


def files(*media_types: str) -> dict[str, Any]:
    """What the OpenAPI document says of a reply that is a file; one of JSON is JSON of any kind."""
    binary = {"type": "string", "format": "binary"}
    return {media_type: {"schema": {} if media_type == "application/json" else binary} for media_type in media_types}


TOO_LARGE: Final = also(http_413="It is too large.")
SUPERSEDED: Final = also(http_409="A later training has trained the epoch anew.")
NO_ROOM: Final = TOO_LARGE | also(http_429="The key has too many uploads in progress.")


class _Body(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    def given(self) -> Object:
        """What the client sent, under the names that it used."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class RunBody(_Body):
    """What a run is, beyond HUB v1 (feature ``run-state``)."""

    project: _Word | None = None
    task: _Word | None = None
    epochs: _Epochs | None = None
    start_epoch: _Epochs | None = None
    args: Object | None = None
    environment: Object | None = None
    started_at: Unix | None = None


class ThingBody(_Body):
    """A project, or a part of its document, laid over it object by object. ``isPublic`` lets anyone read it."""

    model_config = ConfigDict(extra="allow")

    meta: Object | None = None
    is_public: Annotated[bool, Field(strict=True)] | None = None


class DatasetBody(ThingBody):
    """A data set, or a part of its document; ``projectId`` puts it in a project, or out of any when null."""

    project_id: ModelId | None = None


class PatchBody(DatasetBody):
    """A part of a model's document, laid over it object by object."""

    config: Object | None = None
    dataset: Object | None = None
    lineage: Object | None = None
    dataset_id: ModelId | None = None
    run: RunBody | None = None
    summary: dict[str, Annotated[float, Field(strict=True)] | Literal["NaN", "Infinity", "-Infinity"]] | None = None


class CreateBody(PatchBody):
    """A new model. ``id`` (feature ``proposed-ids``) makes a repeated request find the model again."""

    id: ModelId | None = None


class MetricsBody(_Body):
    """Rows by epoch, a decimal text; each row is a JSON text, in which Python's NaN and Infinity may stand."""

    type: Literal["metrics"]
    metrics: dict[Annotated[str, Field(pattern=r"^\d{1,9}$")], str]


class HeartbeatBody(_Body):
    """A sign of life; ``agentId`` is what the last reply said, or null."""

    agent: _Word = ""
    agent_id: Annotated[str, Field(max_length=64)] | None = None


class StateBody(_Body):
    """How a run stands, why, and since when (feature ``run-state``)."""

    state: wire.RunState
    reason: Annotated[str, Field(max_length=2000)] = ""
    at: Unix | None = None


class CommandBody(_Body):
    """What the model's trainer is to do (feature ``commands``): ``stop`` after the current epoch."""

    command: Literal["stop"]


class ResetBody(_Body):
    """Which model to make new again. 8.0-era clients send their key here, and no header."""

    model_id: ModelId
    api_key: str | None = None


class Id(_Body):
    """What was made or changed."""

    id: str


class Info(_Body):
    """What the hub is and can; the features are our extensions to HUB v1."""

    name: str
    version: str
    features: list[str]


class SignIn(_Body):
    """A path under the hub's web root that signs a browser in, for an hour."""

    url: str


class StorageBody(_Body):
    """Which file a client of hub-sdk 0.0.6 or before wants the URL of."""

    collection: Literal["models", "datasets"]
    doc_id: ModelId
    object: Annotated[str, Field(max_length=64, description="best, last or archive")] = ""


class FileUrl(_Body):
    """Where a file can be fetched by anyone, for a day; null where there is none."""

    url: str | None


class Listing(_Body):
    """One page, newest first; ``lastRecordId`` is the cursor of the next page, null on the last."""

    results: list[Object]
    total: int
    last_record_id: str | None


class RunListing(_Body):
    """One page of runs, and how many there are on all pages."""

    results: list[Object]
    total: int


class Series(_Body):
    """One metric over the epochs; NaN and infinities are the words that `records.finite` makes of them."""

    meta: Object
    data: dict[str, float | str]


class Command(_Body):
    """What the trainer is to do, and who wants it."""

    command: Literal["stop"]
    reason: str


class Heartbeat(_Body):
    """The reply to a sign of life: the id to send next time, in how many seconds, and what to do."""

    agent_id: str
    interval: float
    commands: list[Command]


class Published(_Body):
    """A checkpoint that was verified and published."""

    id: str
    sha256: str
    size_bytes: int


class StoredFile(_Body):
    """A data set's archive or a project's image, verified and published; ``url`` gives its bytes for a day."""

    filename: str
    sha256: str
    size_bytes: int
    url: str


class Stored(Published):
    """One of a model's checkpoints; ``url`` gives its bytes to anyone, for a day."""

    filename: str
    epoch: int
    is_best: bool
    is_final: bool
    map: float
    created_at: float
    url: str


class StoredArtifact(Published):
    """One of a model's artifacts; ``url`` gives its bytes to whoever may read the model, ``width`` is in pixels."""

    name: str
    kind: wire.ArtifactKind
    epoch: int | None
    width: int | None
    height: int | None
    created_at: float
    url: str
