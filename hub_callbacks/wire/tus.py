"""Uploads in parts: tus 1.0.0 (tus.io/protocols/resumable-upload), feature ``tus``."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import TypedDict

TUS_VERSION = "1.0.0"
TUS_CHUNK_BYTES = 8 << 20  # of one checked PATCH: what a break or damage costs at most
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
