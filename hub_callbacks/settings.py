"""The settings: one row each, the source for the code, ``hub-callbacks settings`` and the reference.

A value comes from the first of: the environment, the user's file, Ultralytics' own SETTINGS, the default.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from hub_callbacks.errors import SettingsError
from hub_callbacks.kinds import (
    COUNT,
    FLAG,
    HOSTS,
    KEY,
    LOCATION,
    LOG,
    MEGABYTES,
    NAMES,
    PATH,
    PORT,
    SECONDS,
    URL,
    WORKERS,
    Kind,
    LogForm,
    parse_path,
)


class Resolved(NamedTuple):
    """A setting's value and where it came from: a variable's name, a file's path, ``Ultralytics`` or ``default``."""

    value: Any
    source: str


def is_on_colab(environ: Mapping[str, str]) -> bool:
    """Whether this is a notebook of Google Colab."""
    return "COLAB_RELEASE_TAG" in environ or "COLAB_BACKEND_VERSION" in environ


def _default_data_dir(_: Mapping[str, str]) -> Path:
    from platformdirs import user_data_path

    return user_data_path("hub-callbacks", appauthor=False)


def _default_wait_s(environ: Mapping[str, str]) -> float:
    return 3600.0 if is_on_colab(environ) else 30.0


def _row(
    kind: Kind, default: Any, help_text: str, *, also_env: str = "", ultralytics: str = "", secret: bool = False
) -> Any:
    metadata = {"kind": kind, "help": help_text, "also_env": also_env, "ultralytics": ultralytics, "secret": secret}
    return field(metadata={**metadata, "default": default})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting's value, read once; `load` fills it.

    Attributes are the rows of the table. Times are in seconds. Each is set by the environment variable
    ``HUB_CALLBACKS_<NAME>``, or by the key of the same name in the user's file.
    """

    hub: bool = _row(FLAG, True, "Record trainings and deliver them to a hub.", ultralytics="hub")
    api_url: str = _row(
        URL, "", "Root of the hub's API; empty means the local hub on this machine.", also_env="ULTRALYTICS_HUB_API"
    )
    web_url: str = _row(
        URL, "", "Root of the hub's pages; empty means the same as api_url.", also_env="ULTRALYTICS_HUB_WEB"
    )
    api_key: str = _row(
        KEY,
        "",
        "Key for the hub at api_url; the local hub makes its own.",
        also_env="HUB_API_KEY",
        ultralytics="api_key",
        secret=True,
    )
    data_dir: Path = _row(PATH, _default_data_dir, "Folder under which everything local lies.")
    port: int = _row(PORT, 8420, "Port of the local hub; another is taken when it is in use.")
    metrics_s: float = _row(SECONDS, 3.0, "Seconds between two deliveries of metrics.")
    ckpt_s: float = _row(SECONDS, 900.0, "Seconds between two deliveries of a periodic checkpoint.")
    heartbeat_s: float = _row(SECONDS, 300.0, "Seconds between two heartbeats.")
    wait_s: float = _row(
        SECONDS, _default_wait_s, "Longest wait at the end of training for the delivery (3600 on Colab)."
    )
    cache_mb: float = _row(
        MEGABYTES, 20_000.0, "Space for downloaded checkpoints; beyond it, those that were not used for longest go."
    )
    spool_mb: float = _row(
        MEGABYTES, 20_000.0, "Most disk space for copies that wait for their delivery; a final model always fits."
    )
    upload_weights: bool = _row(FLAG, True, "Deliver checkpoints; without them the hub can continue no training.")
    upload_plots: bool = _row(
        FLAG, True, "Deliver what is drawn from numbers: curves, confusion matrices, statistics of the labels."
    )
    upload_images: bool = _row(
        FLAG, True, "Deliver pictures that show images of the data set: train and val batches, with their labels."
    )
    database_url: str = _row(
        LOCATION,
        "",
        "Where `serve` keeps its data: postgresql://user:password@host/name; empty means a file in data_dir.",
        secret=True,
    )
    blobs_url: str = _row(
        LOCATION,
        "",
        "Where `serve` keeps files: s3://bucket/prefix, gs://bucket/prefix or az://container/prefix; empty means a "
        "folder in data_dir.",
    )
    workers: int = _row(WORKERS, 1, "Processes with which `serve` takes requests; more than one need PostgreSQL.")
    keep_checkpoints: int = _row(
        COUNT,
        0,
        "Periodic checkpoints that `serve` keeps of each run, the newest; the final and the best stay. 0 keeps all.",
    )
    hosts: tuple[str, ...] = _row(
        HOSTS,
        (),
        "Names under which `serve` answers, for a hub behind a proxy; empty means any, on loopback only its own.",
    )
    access_log: LogForm = _row(
        LOG, "off", "A line of `serve` on standard output for each request, without queries and keys."
    )
    stop_s: float = _row(SECONDS, 30.0, "Longest wait of a `serve` that is stopped for the uploads in progress.")
    stall_s: float = _row(
        SECONDS, 60.0, "Longest that a hub waits for a byte that a client should send, or take, before it gives it up."
    )
    max_body_mb: float = _row(MEGABYTES, 16.0, "Most that a hub takes in one request that is no file.")
    max_file_mb: float = _row(MEGABYTES, 65_536.0, "Largest checkpoint or data set that a hub takes.")
    max_image_mb: float = _row(MEGABYTES, 10.0, "Largest image of a project that a hub takes.")
    max_artifact_mb: float = _row(MEGABYTES, 16.0, "Largest picture of a run that a hub takes.")
    max_text_mb: float = _row(MEGABYTES, 2.0, "Largest JSON or CSV file of a run that a hub takes.")
    max_artifacts: int = _row(
        COUNT, 100, "Most pictures and files that a hub takes of one run, beside its checkpoints."
    )
    max_unpacked_mb: float = _row(MEGABYTES, 1_048_576.0, "Most that a data set may come to, unpacked.")
    max_files: int = _row(COUNT, 5_000_000, "Most files that a data set may hold.")
    max_name_chars: int = _row(COUNT, 1024, "Longest name that a hub takes, of a thing, a metric or a field.")
    max_nesting: int = _row(COUNT, 16, "Most objects and lists within each other that a hub takes.")
    max_row_keys: int = _row(COUNT, 2000, "Most metrics that a hub takes of one epoch.")
    max_rows: int = _row(COUNT, 10_000, "Most epochs that a hub takes in one request.")
    max_uploads: int = _row(COUNT, 200, "Most uploads that a hub has in progress with one key.")
    max_failed_sign_ins: int = _row(
        COUNT, 10, "Sign-ins under one name from one address that may fail in a quarter of an hour."
    )
    block: tuple[str, ...] = _row(NAMES, (), "Plugins that are not loaded, such as `hub`.")

    @classmethod
    def load(
        cls, environ: Mapping[str, str] | None = None, *, ultralytics: Mapping[str, Any] | None = None
    ) -> Settings:
        """The settings in force.

        Args:
            environ: Environment variables; the process's own when None.
            ultralytics: Ultralytics' SETTINGS, for its ``hub`` and ``api_key``. They are taken only where both keys
                exist: since 8.4.115 there is no ``hub``, and ``api_key`` belongs to Ultralytics Platform.

        Raises:
            SettingsError: A value is not allowed, or the user's file cannot be read.
        """
        resolved = resolve(os.environ if environ is None else environ, ultralytics=ultralytics)
        return cls(**{name: value for name, (value, _) in resolved.items()})

    @property
    def is_local(self) -> bool:
        """Whether the hub is the local one, on this machine's loopback."""
        return not self.api_url


def table() -> tuple[Field[Any], ...]:
    """The rows: dataclass fields whose ``metadata`` has kind, default, help, also_env, ultralytics and secret."""
    return fields(Settings)


def env_name(name: str) -> str:
    """The environment variable that sets the setting ``name``."""
    return f"HUB_CALLBACKS_{name.upper()}"


def user_file(environ: Mapping[str, str] | None = None) -> Path:
    """The user's settings file: under HUB_CALLBACKS_DATA_DIR where that is set, else in the user's config folder."""
    environ = os.environ if environ is None else environ
    if data_dir := environ.get(env_name("data_dir")):
        return parse_path(data_dir) / "settings.json"
    from platformdirs import user_config_path

    return user_config_path("hub-callbacks", appauthor=False) / "settings.json"


def resolve(environ: Mapping[str, str], *, ultralytics: Mapping[str, Any] | None = None) -> dict[str, Resolved]:
    """Each setting's value and source, by name.

    Raises:
        SettingsError: A value is not allowed, or the user's file cannot be read.
    """
    path = user_file(environ)
    sources = _Sources(environ, _read(path), path, ultralytics or {})
    return {row.name: sources.resolve(row) for row in table()}


def save(changes: Mapping[str, str], environ: Mapping[str, str] | None = None) -> Path:
    """Write values, given as text, into the user's file (mode 0600); an empty text takes the setting out of it.

    Returns:
        The file, complete on disk: it is replaced in one step.

    Raises:
        SettingsError: A name or a value is not allowed, or the file cannot be read or written. Nothing is changed.
    """
    path = user_file(environ)
    values = _read(path)
    rows = {row.name: row for row in table()}
    for name, text in changes.items():
        if name not in rows:
            raise SettingsError(f"There is no setting {name!r}. There are: {', '.join(rows)}.")
        values.pop(name, None)
        if text:
            parse(rows[name], text, source="the command line")
            values[name] = text
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(values, file, indent=2)
        Path(temporary).replace(path)
    except OSError as error:
        raise SettingsError(f"The settings file {str(path)!r} cannot be written: {error}.") from error
    return path


def parse(row: Field[Any], text: str, *, source: str) -> Any:
    """The value that ``text`` gives to the setting of ``row``.

    Raises:
        SettingsError: The text is not allowed.
    """
    kind: Kind = row.metadata["kind"]
    try:
        return kind.parse(text.strip())
    except ValueError as error:
        raise SettingsError(
            f"Setting {row.name!r} has the value {text!r} (from {source}), but takes {kind.allowed}."
        ) from error


class _Sources(NamedTuple):
    environ: Mapping[str, str]
    file: Mapping[str, Any]
    path: Path
    ultralytics: Mapping[str, Any]

    def resolve(self, row: Field[Any]) -> Resolved:
        for name in filter(None, (env_name(row.name), row.metadata["also_env"])):
            if self.environ.get(name):
                return Resolved(parse(row, self.environ[name], source=name), name)
        if row.name in self.file:
            return Resolved(parse(row, str(self.file[row.name]), source=str(self.path)), str(self.path))
        key = row.metadata["ultralytics"]
        if key and {"hub", "api_key"} <= self.ultralytics.keys() and self.ultralytics[key] not in {None, ""}:
            return Resolved(parse(row, str(self.ultralytics[key]), source="Ultralytics"), "Ultralytics")
        default = row.metadata["default"]
        return Resolved(default(self.environ) if callable(default) else default, "default")


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"The settings file {str(path)!r} cannot be read: {error}. Mend or remove it.") from error
    if not isinstance(values, dict):
        raise SettingsError(f"The settings file {str(path)!r} must hold one JSON object. Mend or remove it.")
    return values
