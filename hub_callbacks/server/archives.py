"""What a data set's zip archive claims to hold, read from its directory alone: nothing is unpacked.

Whoever unpacks it later must neither be filled up nor write outside of the folder that they chose. Python's `zipfile`,
which Ultralytics unpacks with, writes no more than the directory says, so the directory is what is checked. The layout
is that of PKWARE's APPNOTE, sections 4.3.12 to 4.3.16.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from hub_callbacks.errors import HubCallbacksError

_END, _END_64, _LOCATOR_64, _ENTRY = (
    struct.Struct("<4s4H2LH"),
    struct.Struct("<4sQ2H2L4Q"),
    struct.Struct("<4sLQL"),
    struct.Struct("<4s6H3L5H2L"),
)
_COMMENT_BYTES: Final = 0xFFFF
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFFFFFF
_PIECE_BYTES: Final = 1 << 18
_LINK: Final = 0o120000
_ENCRYPTED: Final = 1
_ESCAPE = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|[\x00-\x1f]")

Read = Callable[[int, int], bytes]


class ArchiveError(HubCallbacksError, ValueError):
    """The file is no zip archive, or one that is dangerous to unpack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of an archive's directory."""

    name: str
    packed_bytes: int
    size_bytes: int
    is_link: bool
    is_encrypted: bool


def check_archive(read: Read, size_bytes: int, *, max_files: int, max_unpacked_bytes: int) -> None:
    """Refuse what is no zip archive, and one that is dangerous to unpack.

    Args:
        read: Gives the file's bytes from one position up to another.
        size_bytes: Of the file.
        max_files: Entries that it may have.
        max_unpacked_bytes: What they may come to.

    Raises:
        ArchiveError: It is refused.
    """
    files = packed = unpacked = 0
    for entry in entries(read, size_bytes):
        _check(entry)
        files, packed, unpacked = files + 1, packed + entry.packed_bytes, unpacked + entry.size_bytes
        if files > max_files:
            raise ArchiveError(f"The archive holds more than {max_files} files.")
        if unpacked > max_unpacked_bytes:
            raise ArchiveError(f"Unpacked, the archive would take more than {max_unpacked_bytes} bytes.")
        if packed > size_bytes:  # a bomb whose entries share their bytes
            raise ArchiveError("The archive's files overlap.")
    if not files:
        raise ArchiveError("The archive is empty.")


def entries(read: Read, size_bytes: int) -> Iterator[Entry]:
    """The entries of a zip archive's directory, with constant memory.

    Raises:
        ArchiveError: The file is no zip archive, or its directory is broken.
    """
    position, stop = _directory(read, size_bytes)
    window, start = b"", position
    while position < stop:
        if len(window) < position - start + _ENTRY.size + 3 * _FULL_16:
            window, start = read(position, min(stop, position + _PIECE_BYTES)), position
        entry, length = _entry(window, position - start)
        yield entry
        position += length


def _check(entry: Entry) -> None:
    name = entry.name[:200]
    if _ESCAPE.search(entry.name):
        raise ArchiveError(f"The archive's file {name!r} would be written outside of its folder.")
    if entry.is_link:
        raise ArchiveError(f"The archive holds a link, {name!r}.")
    if entry.is_encrypted:
        raise ArchiveError(f"The archive's file {name!r} is encrypted.")


def _directory(read: Read, size_bytes: int) -> tuple[int, int]:
    """Where the directory begins and ends."""
    tail_at = max(0, size_bytes - _END.size - _COMMENT_BYTES)
    tail = read(tail_at, size_bytes)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise ArchiveError("The file is no zip archive, or is cut off: it has no directory.")
    *_, length, start, _ = _END.unpack_from(tail, at)
    end = tail_at + at
    if _FULL_32 in {length, start} or tail[at + 10 : at + 12] == b"\xff\xff":
        start, length, end = _directory_64(read, end)
    if start + length > end:
        raise ArchiveError("The archive is broken: its directory does not fit.")
    return start, start + length


def _directory_64(read: Read, end: int) -> tuple[int, int, int]:
    locator = read(max(0, end - _LOCATOR_64.size), end)
    if len(locator) < _LOCATOR_64.size or not locator.startswith(b"PK\x06\x07"):
        raise ArchiveError("The archive is broken: its 64-bit directory has no locator.")
    at = _LOCATOR_64.unpack(locator)[2]
    record = read(min(at, end), min(at + _END_64.size, end))
    if len(record) < _END_64.size or not record.startswith(b"PK\x06\x06"):
        raise ArchiveError("The archive is broken: it has no 64-bit directory.")
    *_, length, start = _END_64.unpack(record)
    return start, length, at


def _entry(window: bytes, at: int) -> tuple[Entry, int]:
    if len(window) - at < _ENTRY.size or window[at : at + 4] != b"PK\x01\x02":
        raise ArchiveError("The archive's directory is broken.")
    fields = _ENTRY.unpack_from(window, at)
    flags, packed, size, named, extra, comment, attributes = (fields[i] for i in (3, 8, 9, 10, 11, 12, 15))
    name_at = at + _ENTRY.size
    length = _ENTRY.size + named + extra + comment
    if len(window) - at < length:
        raise ArchiveError("The archive's directory is broken.")
    size, packed = _sizes_64(window[name_at + named : name_at + named + extra], size, packed)
    entry = Entry(
        name=window[name_at : name_at + named].decode("utf-8", "replace"),
        packed_bytes=packed,
        size_bytes=size,
        is_link=(attributes >> 16) & 0o170000 == _LINK,
        is_encrypted=bool(flags & _ENCRYPTED),
    )
    return entry, length


def _sizes_64(extra: bytes, size: int, packed: int) -> tuple[int, int]:
    """The true sizes, where the entry has them in its extra field (APPNOTE 4.5.3)."""
    at = 0
    while at + 4 <= len(extra) and _FULL_32 in {size, packed}:
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            values = iter(struct.unpack_from(f"<{min(length, len(extra) - at - 4) // 8}Q", extra, at + 4))
            size = next(values, size) if size == _FULL_32 else size
            packed = next(values, packed) if packed == _FULL_32 else packed
            break
        at += 4 + length
    return size, packed
