"""A journal: a run's rows on their way into the outbox, in a file that one training process appends to.

A row is one write(2) of some hundred bytes: it is in the system's hands when that returns, so the death of the process
cannot take it back, and the training thread has not touched SQLite, whose code alone would cost it more. Whoever
opens the outbox next takes the rows in (`hub_callbacks.outbox.intake`). The file says all that a new outbox would have
to know of the run.

The format; numbers are little-endian, times are Unix seconds::

    header    8 bytes: b"HUBJRN1", and a byte that is not 0 once the trainer is asked to stop
    record*   length of the body (uint32), its CRC-32 (uint32), the body: a letter, and what follows it
      B       JSON: how the run began, as a `Beginning`; the first record
      N       JSON: the names of the metrics in the rows from here on, a list
      R       epoch (int64), recorded_at (float64), due_at (float64), a value for each name (float64)
      D       a time (float64): all that was recorded so far may be delivered from then on

A record with another letter is passed over. One that is cut short, or does not match its CRC, is the last of a process
that was killed or whose disk was full: it was never acknowledged to anybody, and the journal ends before it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import struct
import weakref
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal, TypeAlias

from hub_callbacks.outbox.filesystem import is_on_network
from hub_callbacks.outbox.rows import Hub
from hub_callbacks.outbox.schema import mapped, ours
from hub_callbacks.records import Metrics, RunStarted

_MAGIC = b"HUBJRN1"
_FAMILY = _MAGIC[:-1]  # of other releases, too
_ASKED_AT = len(_MAGIC)
_HEADER_BYTES = _ASKED_AT + 1
_FRAME = struct.Struct("<II")
_ROW = "cqdd"
_ROW_BYTES = struct.calcsize(f"<{_ROW}")
_DUE = struct.Struct("<cd")
_BINARY = getattr(os, "O_BINARY", 0)  # Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """How a run began."""

    record: RunStarted
    hub: Hub
    heartbeat_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An epoch's row, and the time from which it may be delivered."""

    record: Metrics
    due_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """All that was recorded so far may be delivered from a time on."""

    at: float


Entry: TypeAlias = "Beginning | Row | Due"
Rest: TypeAlias = Literal["torn", "damaged", "foreign"]  # nothing, too, is torn; foreign is no journal of this release


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a journal is read: the bytes, and the names of the metrics that hold from there on."""

    read_bytes: int = _HEADER_BYTES
    names: tuple[str, ...] = ()


class Journal:
    """A new journal, for one thread of one process.

    On a network file system every record is synced, as the outbox's own commits there.

    Attributes:
        path: The file, for its user alone: the beginning may hold a key.
    """

    def __init__(self, folder: Path, run_id: str, beginning: Beginning) -> None:
        """Make the file, with the run's beginning.

        Raises:
            OutboxError: It cannot be made. Nothing is left behind.
        """
        self.path = folder / f"{run_id}.{secrets.token_hex(4)}.rows"
        self._names: tuple[str, ...] = ()
        self._row = struct.Struct("")
        self._is_synced = is_on_network(folder)
        with mapped(self.path):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
        self._close = weakref.finalize(self, os.close, self._file)
        try:
            self._write(_MAGIC + b"\0" + _framed(b"B" + json.dumps(asdict(beginning)).encode()))
        except BaseException:
            self._close()
            self.path.unlink(missing_ok=True)
            raise

    @property
    def is_asked_to_stop(self) -> bool:
        """Whether `ask_to_stop` was called for it. Read, not mapped: a file cut short is no signal to the trainer."""
        return _read_at(self._file, 1, _ASKED_AT) > b"\0"

    @property
    def is_lost(self) -> bool:
        """Whether somebody has deleted the file: what is written is gone with this process."""
        return os.fstat(self._file).st_nlink == 0

    def put_row(self, epoch: int, values: Mapping[str, float], *, recorded_at: float, due_at: float) -> None:
        """Append an epoch's row, wholly or not at all.

        Raises:
            OutboxFullError: The disk is full.
            OutboxError: It cannot be written.
        """
        names, numbers = tuple(values), values.values()
        if names == self._names:
            self._write(_framed(self._row.pack(b"R", epoch, recorded_at, due_at, *numbers)))
            return
        row = struct.Struct(f"<{_ROW}{len(names)}d")
        text = _framed(b"N" + json.dumps(names).encode())
        self._write(text + _framed(row.pack(b"R", epoch, recorded_at, due_at, *numbers)))
        self._names, self._row = names, row  # only now: the names might not have been written either

    def put_due(self, at: float) -> None:
        """Append that all that was recorded so far may be delivered from a time on; errors as of `put_row`."""
        self._write(_framed(_DUE.pack(b"D", at)))

    def copy_from(self, lost: Journal) -> None:
        """Append what a lost journal holds, but for its beginning."""
        with mapped(self.path):
            os.lseek(lost._file, 0, os.SEEK_SET)
            text = os.read(lost._file, os.fstat(lost._file).st_size)
        length, _ = _FRAME.unpack_from(text, _HEADER_BYTES)
        self._write(text[_HEADER_BYTES + _FRAME.size + length :])
        self._names, self._row = lost._names, lost._row

    def close(self) -> None:
        """Close the file; nothing may be asked of it any more."""
        self._close()

    def _write(self, text: bytes) -> None:
        try:
            if (written := os.write(self._file, text)) < len(text):
                self._take_back(written)
            if self._is_synced:
                os.fsync(self._file)
        except OSError as error:
            raise ours(error, self.path) from error

    def _take_back(self, written: int) -> None:
        """Cut off the half of a record, for whose rest there is no room."""
        os.ftruncate(self._file, os.fstat(self._file).st_size - written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def paths(folder: Path, run_id: str = "*") -> list[Path]:
    """The journals in a folder, of all runs or of one."""
    return sorted(folder.glob(f"{run_id}.*.rows"))


def run_of(path: Path) -> str:
    """The run whose journal it is."""
    return path.name.partition(".")[0]


def is_begun(path: Path) -> bool:
    """Whether a journal's first record, or one of a file that is no journal, can be read."""
    with path.open("rb") as file:
        if file.read(_HEADER_BYTES)[: len(_MAGIC)] != _MAGIC:
            return False
        frame = file.read(_FRAME.size)
        length = _FRAME.unpack(frame)[0] if len(frame) == _FRAME.size else 0
        size_bytes = os.fstat(file.fileno()).st_size
        return any(_bodies(frame + file.read(min(length, size_bytes))))


def rest(path: Path, since: Position) -> Rest:
    """What stands in a journal behind what `read` yields of it, now that nobody writes it any more.

    A kill cuts the last record short, and a power cut may leave zeros in its place. All else is damage, and so is a
    record that is there whole, but for its length.
    """
    text = path.read_bytes()
    if not text.strip(b"\0") or (len(text) < _HEADER_BYTES and _MAGIC.startswith(text[: len(_MAGIC)])):
        return "torn"
    if not text.startswith(_MAGIC):
        return "damaged" if not text.startswith(_FAMILY) and _has_record(text) else "foreign"
    left = text[read(path, since)[1].read_bytes :]
    if not left.strip(b"\0") or len(left) < _FRAME.size:
        return "torn"
    length, check = _FRAME.unpack_from(left)
    is_cut = length > len(left) - _FRAME.size
    return "torn" if is_cut and not _has_body(left[_FRAME.size :], check) and not _has_record(left) else "damaged"


def ask_to_stop(path: Path) -> None:
    """Let the trainer that writes a journal know that it is asked to stop."""
    with path.open("r+b") as file:
        file.seek(_ASKED_AT)
        file.write(b"\1")


def read(path: Path, since: Position) -> tuple[list[Entry], Position]:
    """The whole records of a journal from a position on, and the position behind them."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            return [], since
        file.seek(since.read_bytes)
        text = file.read()
    entries: list[Entry] = []
    names, read_bytes = since.names, since.read_bytes
    for body in _bodies(text):
        read_bytes += _FRAME.size + len(body)
        if body[:1] == b"N":
            names = tuple(json.loads(body[1:]))
        else:
            entries += _said(body, names)
    return entries, Position(read_bytes=read_bytes, names=names)


def _seek_and_read(file: int, length: int, at: int) -> bytes:
    os.lseek(file, at, os.SEEK_SET)
    return os.read(file, length)


_read_at: Callable[[int, int, int], bytes] = getattr(os, "pread", _seek_and_read)  # Windows has none


def _framed(body: bytes) -> bytes:
    return _FRAME.pack(len(body), zlib.crc32(body)) + body


def _bodies(text: bytes, at: int = 0) -> Iterator[bytes]:
    while at + _FRAME.size < len(text):
        length, check = _FRAME.unpack_from(text, at)
        at += _FRAME.size
        if not 0 < length <= len(text) - at or zlib.crc32(body := text[at : at + length]) != check:
            return
        yield body
        at += length


def _has_body(text: bytes, check: int) -> bool:
    """Whether a text begins with a body, of whatever length, that has this CRC-32."""
    return any(
        found == check for found in accumulate(text, lambda crc, byte: zlib.crc32(bytes([byte]), crc), initial=0)
    )


def _has_record(text: bytes) -> bool:
    """Whether a whole record stands anywhere in a text."""
    return any(any(_bodies(text, at)) for at in range(len(text) - _FRAME.size))


def _said(body: bytes, names: tuple[str, ...]) -> Iterator[Entry]:
    """What a record says; nothing, when a later release wrote it in a way that this one does not know."""
    match body[:1]:
        case b"B":
            with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):
                said = json.loads(body[1:])
                yield Beginning(record=RunStarted(**said.pop("record")), hub=Hub(**said.pop("hub")), **said)
        case b"D":
            yield Due(at=_DUE.unpack(body)[1])
        case b"R":
            _, epoch, recorded_at, due_at = struct.unpack_from(f"<{_ROW}", body)
            values = struct.unpack_from(f"<{len(names)}d", body, _ROW_BYTES)
            record = Metrics(epoch=epoch, values=dict(zip(names, values, strict=True)), recorded_at=recorded_at)
            yield Row(record=record, due_at=due_at)
