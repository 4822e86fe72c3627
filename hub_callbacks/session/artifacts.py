"""What a run has drawn, on its way into the outbox; the settings are asked before anything is read."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from hub_callbacks import wire
from hub_callbacks.records import Artifact, ArtifactKind
from hub_callbacks.session.recorder import Recorder
from hub_callbacks.settings import Settings

_SETTINGS: Final[dict[ArtifactKind, str]] = {
    "plot": "upload_plots",
    "data": "upload_plots",
    "image": "upload_images",
}


class Artifacts:
    """Takes one run's artifacts. What it was given is safe from any crash when a method returns."""

    def __init__(self, recorder: Recorder, settings: Settings) -> None:
        self._recorder = recorder
        self._settings = settings

    def put_file(self, path: Path, kind: ArtifactKind) -> None:
        """Copy a picture and queue it, unless a setting keeps it here.

        Raises:
            OSError: It cannot be read.
            OutboxError: It cannot be written or queued.
        """
        size_bytes = path.stat().st_size
        record = Artifact(name=path.name, artifact_kind=kind, size_bytes=size_bytes, recorded_at=time.time())
        if self._is_sent(record):
            self._put(record, path.read_bytes())

    def put_data(self, name: str, value: object) -> None:
        """Queue numbers as a JSON file of that name, unless a setting keeps them here.

        Raises:
            OutboxError: They cannot be written or queued.
        """
        content = json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
        record = Artifact(name=name, artifact_kind="data", size_bytes=len(content), recorded_at=time.time())
        if self._is_sent(record):
            self._put(record, content)

    def _put(self, record: Artifact, content: bytes) -> None:
        sha256 = hashlib.sha256(content).hexdigest()
        self._recorder.put_artifact(replace(record, size_bytes=len(content), sha256=sha256), content)

    def _is_sent(self, record: Artifact) -> bool:
        setting = _SETTINGS[record.artifact_kind]
        if not getattr(self._settings, setting):
            self._recorder.keep(record, setting)
            return False
        if record.size_bytes > wire.ARTIFACT_BYTES:
            self._recorder.drop(record, f"{record.name} is larger than {wire.ARTIFACT_BYTES >> 20} MiB")
            return False
        return True
