"""The form of a file's upload, taken apart as it arrives."""

from __future__ import annotations

import hashlib

from python_multipart.multipart import MultipartParser, parse_options_header

from hub_callbacks import wire
from hub_callbacks.testing.received import ReceivedArtifact, ReceivedCheckpoint


class FileForm:
    """Takes the form in pieces, and keeps the file's size and SHA-256 alone.

    Args:
        content_type: The request's header.
    """

    def __init__(self, content_type: str) -> None:
        _, options = parse_options_header(content_type)
        self._name = self._filename = ""
        self._fields: dict[str, str] = {}
        self._header, self._text = bytearray(), bytearray()
        self._sha256, self._size_bytes = hashlib.sha256(), 0
        self._parser = MultipartParser(
            options.get(b"boundary", b"none"),
            {
                "on_header_value": lambda data, start, end: self._header.extend(data[start:end]),
                "on_header_end": self._on_header_end,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
            },
        )

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            ValueError: They are no form.
        """
        self._parser.write(data)

    def checkpoint(self) -> ReceivedCheckpoint:
        """The checkpoint, all of whose bytes have come.

        Raises:
            ValueError: They are not those that its sender meant, or a field is missing or wrong.
        """
        sha256 = self._checked()
        return ReceivedCheckpoint(
            filename=self._filename,
            epoch=int(self._fields.get("epoch", "none")),
            is_final=self._fields.get("type") == "final",
            fields=self._fields,
            size_bytes=self._size_bytes,
            sha256=sha256,
        )

    def artifact(self) -> ReceivedArtifact:
        """The artifact, all of whose bytes have come; raises as `checkpoint` does."""
        sha256, kind = self._checked(), self._fields.get("kind", "")
        return ReceivedArtifact(name=self._filename, kind=kind, size_bytes=self._size_bytes, sha256=sha256)

    def _checked(self) -> str:
        sha256 = self._sha256.hexdigest()
        claimed = self._fields.get(wire.SHA256_FIELD, sha256)
        if not self._filename or claimed != sha256:
            raise ValueError(f"{self._filename!r} has the SHA-256 {sha256}, not {claimed}.")
        return sha256

    def _on_header_end(self) -> None:
        _, options = parse_options_header(bytes(self._header))
        self._header.clear()
        if b"name" in options:
            self._name = options[b"name"].decode()
            self._filename = options.get(b"filename", b"").decode()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._filename:
            self._sha256.update(data[start:end])
            self._size_bytes += end - start
        else:
            self._text += data[start:end]

    def _on_part_end(self) -> None:
        if not self._filename:
            self._fields[self._name] = self._text.decode()
        self._text.clear()
