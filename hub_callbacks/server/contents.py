"""What an artifact's bytes are: found out from the bytes, not from what their sender says; nothing is executed."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from hub_callbacks.errors import HubCallbacksError

PICTURE_HEAD_BYTES: Final = 1 << 20  # profiles and thumbnails that stand before a JPEG's size take less
_PNG_HEAD, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"  # W3C PNG, sections 5.2 and 11.2.5
_JPEG_HEAD, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"  # ITU-T T.81, table B.1
_JPEG_FRAMES: Final = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE: Final = {0x01, *range(0xD0, 0xD8)}  # markers without a length


class ContentError(HubCallbacksError, ValueError):
    """The bytes are not what their name says."""


class Content(NamedTuple):
    """What the bytes are; width and height in pixels, None where they are no picture."""

    media_type: str
    width: int | None = None
    height: int | None = None


def is_picture(name: str) -> bool:
    """Whether a file of that name is to be a picture."""
    return _suffix(name) in {"png", "jpg", "jpeg"}


def look(name: str, head: bytes, tail: bytes) -> Content:
    """What a file is.

    Args:
        name: Its name, with a suffix that `hub_callbacks.wire.ARTIFACT_NAME` allows.
        head: Its first `PICTURE_HEAD_BYTES`; all of it where it is no picture.
        tail: Its last bytes, 8 or more.

    Raises:
        ContentError: It is something else, or cut off.
    """
    found = _LOOKS[_suffix(name)](head, tail)
    if found is None:
        raise ContentError(f"{name!r} is not what its name says, or is cut off.")
    return found


def _png(head: bytes, tail: bytes) -> Content | None:
    if not (head.startswith(_PNG_HEAD) and head[12:16] == b"IHDR" and tail.endswith(_PNG_END)):
        return None
    return Content("image/png", *struct.unpack(">II", head[16:24]))


def _jpeg(head: bytes, tail: bytes) -> Content | None:
    if not (head.startswith(_JPEG_HEAD) and tail.endswith(_JPEG_END)):
        return None
    at = 2
    while head[at : at + 1] == b"\xff" and at + 9 <= len(head):
        marker = head[at + 1]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return Content("image/jpeg", width, height)
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _JPEG_ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None


def _json(head: bytes, _: bytes) -> Content | None:
    try:
        json.loads(head)
    except (ValueError, RecursionError):
        return None
    return Content("application/json")


def _csv(head: bytes, _: bytes) -> Content | None:
    try:
        text = head.decode()
    except UnicodeDecodeError:
        return None
    return Content("text/csv") if all(char.isprintable() or char in "\t\r\n" for char in text) else None


def _suffix(name: str) -> str:
    return name.rpartition(".")[2]


_LOOKS: Final[dict[str, Callable[[bytes, bytes], Content | None]]] = {
    "png": _png,
    "jpg": _jpeg,
    "jpeg": _jpeg,
    "json": _json,
    "csv": _csv,
}
