"""How much one request may bring, and how much of it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub_callbacks.settings import Settings

STALL_S: Final = 60.0  # a connection over radio is back by then; a client's own time-outs are as long


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a hub takes at most; what goes beyond is refused with a 4xx that says so. `of` reads the settings.

    Attributes:
        body_bytes: A body that is not a file.
        upload_bytes: A checkpoint or a data set.
        image_bytes: A project's image.
        artifact_bytes: A picture.
        text_bytes: A JSON or CSV artifact, which is read whole.
        artifacts: Artifacts of one model.
        unpacked_bytes: A data set's files, unpacked.
        files: A data set's files.
        name_chars: A name of a thing, a metric or a field.
        nesting: Objects and lists within each other.
        row_keys: Metrics of one epoch.
        rows: Epochs of one request.
        uploads: Uploads in progress with one key.
        sign_ins: Sign-ins that may fail under one name from one address, in a quarter of an hour.
        stall_s: Seconds that a client may neither send nor take a byte that is due before it is given up.
        keep_checkpoints: Periodic checkpoints that are kept of each run; 0 for all.
        stop_s: Seconds that a hub that is stopped waits for requests in progress.
        hosts: Names in ``Host`` under which it answers, beside those of loopback; any where empty.
    """

    body_bytes: int = 16 << 20
    upload_bytes: int = 64 << 30
    image_bytes: int = 10 << 20
    artifact_bytes: int = 16 << 20
    text_bytes: int = 2 << 20
    artifacts: int = 100
    unpacked_bytes: int = 1 << 40
    files: int = 5_000_000
    name_chars: int = 1024
    nesting: int = 16
    row_keys: int = 2000
    rows: int = 10_000
    uploads: int = 200
    sign_ins: int = 10
    stall_s: float = STALL_S
    keep_checkpoints: int = 0
    stop_s: float = 30.0
    hosts: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """What the settings say."""
        return cls(
            body_bytes=_bytes(settings.max_body_mb),
            upload_bytes=_bytes(settings.max_file_mb),
            image_bytes=_bytes(settings.max_image_mb),
            artifact_bytes=_bytes(settings.max_artifact_mb),
            text_bytes=_bytes(settings.max_text_mb),
            artifacts=settings.max_artifacts,
            unpacked_bytes=_bytes(settings.max_unpacked_mb),
            files=settings.max_files,
            name_chars=settings.max_name_chars,
            nesting=settings.max_nesting,
            row_keys=settings.max_row_keys,
            rows=settings.max_rows,
            uploads=settings.max_uploads,
            sign_ins=settings.max_failed_sign_ins,
            stall_s=settings.stall_s,
            keep_checkpoints=settings.keep_checkpoints,
            stop_s=settings.stop_s,
            hosts=settings.hosts,
        )


def _bytes(megabytes: float) -> int:
    return int(megabytes * (1 << 20))


DEFAULTS: Final = Limits()
