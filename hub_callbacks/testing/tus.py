"""The part of a `FaultHub` that takes checkpoints by tus 1.0: creation, offset and checksum."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.message import Message
from typing import TYPE_CHECKING

from hub_callbacks import wire
from hub_callbacks.testing.answer import Answer, refusal
from hub_callbacks.testing.received import ReceivedCheckpoint

if TYPE_CHECKING:
    from hashlib import _Hash

_VERSION = {wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION}


@dataclass(slots=True)
class _Upload:
    """A checkpoint on its way; its bytes are not kept."""

    path: str
    run_id: str
    size_bytes: int
    fields: dict[str, str]
    offset: int = 0
    digest: _Hash = field(default_factory=hashlib.sha256)

    def rewind(self) -> None:
        """Forget what came, unless all did."""
        if self.offset < self.size_bytes:
            self.offset, self.digest = 0, hashlib.sha256()

    def take(self, pieces: Iterable[bytes], checksum: str) -> bool:
        """Take the body of a PATCH, or what comes of it; whether it is what its checksum says, else it is forgotten."""
        before, own = (self.offset, self.digest.copy()), hashlib.sha256()
        for piece in pieces:
            self.offset += len(piece)
            self.digest.update(piece)
            own.update(piece)
        if not checksum or checksum == wire.upload_checksum(own.digest()):
            return True
        self.offset, self.digest = before
        return False

    def checkpoint(self) -> ReceivedCheckpoint:
        """It, when all has come."""
        fields = {name: value for name, value in self.fields.items() if name != "filename"}
        return ReceivedCheckpoint(
            filename=self.fields["filename"],
            epoch=int(fields["epoch"]),
            is_final=fields["type"] == "final",
            fields=fields,
            size_bytes=self.size_bytes,
            sha256=self.digest.hexdigest(),
        )


class Uploads:
    """Takes what tus sends; not thread-safe.

    Args:
        publish: Called with the run's id and its checkpoint, when that has come whole.
    """

    def __init__(self, publish: Callable[[str, ReceivedCheckpoint], None]) -> None:
        self._publish = publish
        self._uploads: dict[str, _Upload] = {}

    def rewind(self) -> None:
        """Forget the bytes of all uploads, as a hub that lost power before they were on its disk."""
        for upload in self._uploads.values():
            upload.rewind()

    def expire(self) -> None:
        """Forget all uploads."""
        self._uploads.clear()

    def take(self, method: str, path: str, run_id: str, headers: Message[str, str], pieces: Iterable[bytes]) -> Answer:
        """Do what a request asks.

        Args:
            method: POST, HEAD or PATCH.
            path: Where uploads are begun, or of one.
            run_id: The run that the path names.
            headers: Its headers.
            pieces: Its body.

        Raises:
            ValueError: A header is missing, or wrong.
        """
        if method == "POST":
            return self._create(path, run_id, headers)
        upload = self._uploads.get(path)
        if upload is None:
            return _with(refusal(410, "There is no such upload, or it has expired."))
        if method == "HEAD":
            return _at(200, upload)
        return self._append(upload, headers, pieces)

    def _create(self, path: str, run_id: str, headers: Message[str, str]) -> Answer:
        fields = wire.parse_upload_metadata(headers.get(wire.UPLOAD_METADATA_HEADER, ""))
        if missing := {"filename", "epoch", "type"} - set(fields):
            raise ValueError(f"Upload-Metadata says no {missing}.")
        location = f"{path}/{wire.new_id()}"
        size_bytes = int(headers.get(wire.UPLOAD_LENGTH_HEADER, "none"))
        upload = self._uploads[location] = _Upload(location, run_id, size_bytes, fields)
        return _at(201, upload)

    def _append(self, upload: _Upload, headers: Message[str, str], pieces: Iterable[bytes]) -> Answer:
        if headers.get(wire.UPLOAD_OFFSET_HEADER) != str(upload.offset):
            return _with(refusal(409, f"The upload is at byte {upload.offset}."))
        if not upload.take(pieces, headers.get(wire.UPLOAD_CHECKSUM_HEADER, "")):
            return _with(refusal(wire.TUS_CHECKSUM_MISMATCH, "The bytes are not what their checksum says."))
        if upload.offset == upload.size_bytes:
            claimed = wire.parse_repr_digest(headers.get(wire.REPR_DIGEST_HEADER, ""))
            if claimed not in {"", upload.digest.hexdigest()}:
                del self._uploads[upload.path]
                return _with(refusal(wire.TUS_CHECKSUM_MISMATCH, "The file is not what its SHA-256 says."))
            self._publish(upload.run_id, upload.checkpoint())
        return _at(204, upload)


def is_upload(path: str) -> bool:
    """Whether tus is spoken there."""
    return bool(re.fullmatch(rf"{wire.uploads('[^/?]+')}(/[^/?]+)?", path))


def _at(status: int, upload: _Upload) -> Answer:
    headers = {"location": upload.path} if status == 201 else {}
    return _with(Answer(status, b"", {wire.UPLOAD_OFFSET_HEADER: str(upload.offset), **headers}))


def _with(answer: Answer) -> Answer:
    return answer._replace(headers={**answer.headers, **_VERSION})
