"""A multipart form (RFC 7578) taken apart as it arrives: text fields to memory, the one file to a blob."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from fastapi import HTTPException
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from hub_callbacks.errors import HubCallbacksError
from hub_callbacks.server.blobs import BlobWriter

_FIELD_BYTES = 4096  # HUB v1's fields are numbers and words
_FIELDS = 32
_HEAD_BYTES = 16  # enough to know an archive and every kind of image
_END_BYTES = 22  # a zip's end record, as torch writes it: without a comment
_DISPOSITION: Final = b"content-disposition"


class FormError(HubCallbacksError, ValueError):
    """The form is broken, or its file is not what it claims to be."""


class UploadForm:
    """The form of an upload. One thread at a time may call it.

    Attributes:
        fields: The text fields so far.
        filename: What the client calls the file.
        head: The file's first bytes.
        tail: The file's last bytes.
    """

    def __init__(self, content_type: str, new_writer: Callable[[], BlobWriter], *, limit_bytes: int) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or b"boundary" not in options:
            raise FormError(f"A file comes as multipart/form-data with a boundary, not as {content_type[:200]!r}.")
        self.fields: dict[str, str] = {}
        self.filename = ""
        self.head = self.tail = b""
        self._new_writer, self._limit_bytes = new_writer, limit_bytes
        self._writer: BlobWriter | None = None
        self._is_complete = False
        self._header, self._value = bytearray(), bytearray()
        self._name, self._text, self._is_file = "", bytearray(), False
        self._parser = self._new_parser(options[b"boundary"])

    def take(self, pieces: Iterable[bytes]) -> None:
        """Take the next pieces of the body.

        Raises:
            FormError: They are no form, or one that is not allowed.
            HTTPException: 413, the file is too large.
        """
        try:
            for piece in pieces:
                self._parser.write(piece)
        except FormParserError as error:
            raise FormError(f"The form is broken: {error}.") from error

    def finish(self) -> BlobWriter:
        """The file, all of whose bytes were written.

        Raises:
            FormError: The body ended too early, or holds no file.
        """
        if not self._is_complete:
            raise FormError("The form ends too early: its last boundary is missing.")
        if self._writer is None:
            raise FormError("The form holds no file.")
        return self._writer

    def discard(self) -> None:
        """Forget the file."""
        if self._writer is not None:
            self._writer.discard()

    def _new_parser(self, boundary: bytes) -> MultipartParser:
        return MultipartParser(
            boundary,
            {
                "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_begin": self._on_part_begin,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def _on_part_begin(self) -> None:
        self._name, self._text, self._is_file = "", bytearray(), False

    def _on_header_end(self) -> None:
        if bytes(self._header).lower() == _DISPOSITION:
            _, options = parse_options_header(bytes(self._value))
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
            self._is_file = b"filename" in options
            if self._is_file:
                self.filename = options[b"filename"].decode("utf-8", "replace")
        self._header, self._value = bytearray(), bytearray()

    def _on_headers_finished(self) -> None:
        if not self._name:
            raise FormError("A part of the form has no name.")
        if self._is_file:
            if self._writer is not None:
                raise FormError("The form holds more than one file.")
            self._writer = self._new_writer()
        elif len(self.fields) == _FIELDS:
            raise FormError(f"The form holds more than {_FIELDS} fields.")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if not self._is_file or self._writer is None:
            self._text += data[start:end]
            if len(self._text) > _FIELD_BYTES:
                raise FormError(f"The field {self._name!r} is longer than {_FIELD_BYTES} bytes.")
            return
        piece = data[start:end]
        if self._writer.size_bytes + len(piece) > self._limit_bytes:
            raise HTTPException(413, f"The file may have {self._limit_bytes} bytes at most.")
        self._writer.write(piece)
        self.head = (self.head + piece[:_HEAD_BYTES])[:_HEAD_BYTES]
        self.tail = (self.tail + piece[-_END_BYTES:])[-_END_BYTES:]

    def _on_part_end(self) -> None:
        if not self._is_file:
            self.fields[self._name] = self._text.decode("utf-8", "replace")

    def _on_end(self) -> None:
        self._is_complete = True
