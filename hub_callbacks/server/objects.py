"""The objects of a bucket that make up blobs: the parts, and the list that says which of them are one.

::

    <bucket>/<prefix>/NAME/<first byte>-<end>-<token>   the parts
    <bucket>/<prefix>/NAME/whole                        which of them are the blob; written last
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub_callbacks.errors import HubCallbacksError

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore

_WHOLE: Final = "whole"
_READ_BYTES: Final = 1 << 18
_LISTED: Final = 1000  # of one request for names, S3's own limit


class BucketError(HubCallbacksError, OSError):
    """The bucket cannot be opened, read or written."""


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """An object that holds the bytes of a blob from ``start`` up to ``stop``."""

    start: int
    stop: int
    key: str


def write_part(bucket: ObjectStore, name: str, start: int, data: bytes | bytearray) -> Part:
    """The bytes as a part of the blob, under a key that nobody uses again."""
    stop = start + len(data)
    part = Part(start, stop, f"{name}/{start:015}-{stop:015}-{secrets.token_hex(4)}")
    _put(bucket, part.key, data)
    return part


def write_whole(bucket: ObjectStore, name: str, parts: Iterable[Part]) -> None:
    """Make the blob one of these parts; from now on it is there for readers."""
    named = [part.key.rpartition("/")[2] for part in parts]
    _put(bucket, f"{name}/{_WHOLE}", json.dumps(named).encode())


def read_whole(bucket: ObjectStore, name: str) -> list[Part]:
    """The parts of a blob.

    Raises:
        FileNotFoundError: There is none of that name.
    """
    import obstore

    with _mapped(name):
        named = bytes(obstore.get(bucket, f"{name}/{_WHOLE}").bytes())
    return [_part(name, key) for key in json.loads(named)]


def find_parts(bucket: ObjectStore, name: str) -> list[Part]:
    """Every part of that name, whoever wrote it."""
    keys = (found["path"] for found in list_objects(bucket, name))
    return [_part(name, key.rpartition("/")[2]) for key in keys if not key.endswith(f"/{_WHOLE}")]


def read_parts(bucket: ObjectStore, parts: Iterable[Part], start: int, stop: int) -> Iterator[bytes]:
    """The bytes from ``start`` up to ``stop``, in pieces."""
    import obstore

    for part in parts:
        first, end = max(start, part.start), min(stop, part.stop)
        if first < end:
            with _mapped(part.key):
                found = obstore.get(bucket, part.key, options={"range": (first - part.start, end - part.start)})
                yield from map(bytes, found.stream(min_chunk_size=_READ_BYTES))


def delete_parts(bucket: ObjectStore, parts: Iterable[Part]) -> None:
    """Remove the parts."""
    _delete(bucket, [part.key for part in parts])


def delete_objects(bucket: ObjectStore, name: str) -> None:
    """Remove everything of that name, first what makes it a blob."""
    keys = [found["path"] for found in list_objects(bucket, name)]
    _delete(bucket, sorted(keys, key=lambda key: not key.endswith(f"/{_WHOLE}")))


def list_objects(bucket: ObjectStore, name: str | None = None) -> Iterator[ObjectMeta]:
    """The objects of that name, or all of them."""
    import obstore

    with _mapped(name or "list of names"):
        for found in obstore.list(bucket, name, chunk_size=_LISTED):
            yield from found


def ends(parts: Iterable[Part], at_most: int) -> dict[int, Part]:
    """Where a part ends that closes to those before it, from the first byte on; one such part for each end."""
    found: dict[int, Part] = {}
    for part in sorted(parts):
        if (part.start == 0 or part.start in found) and part.stop <= at_most:
            found.setdefault(part.stop, part)
    return found


def chain(found: Mapping[int, Part], stop: int) -> list[Part]:
    """The parts, of those that `ends` found, that make up the first ``stop`` bytes.

    Raises:
        BucketError: There are none.
    """
    links = []
    while stop:
        if stop not in found:
            raise BucketError(f"The bucket has lost a part of an upload, before byte {stop}.")
        links.append(found[stop])
        stop = found[stop].start
    return links[::-1]


def reason(error: BaseException) -> str:
    """Why obstore failed, on one line: in the server's words where it said some."""
    text = str(error).partition("\n\nDebug source")[0]
    said = re.search(r"<Code>(.*?)</Code>\s*<Message>(.*?)</Message>", text, re.DOTALL)
    return " ".join((f"{said[1]}: {said[2]}" if said else text).split())


def _part(name: str, key: str) -> Part:
    start, stop, _ = key.split("-")
    return Part(int(start), int(stop), f"{name}/{key}")


def _put(bucket: ObjectStore, key: str, data: bytes | bytearray) -> None:
    import obstore

    with _mapped(key):
        obstore.put(bucket, key, data, use_multipart=False)


def _delete(bucket: ObjectStore, keys: list[str]) -> None:
    import obstore

    with _mapped(", ".join(keys[:1])):
        for first in range(0, len(keys), _LISTED):
            obstore.delete(bucket, keys[first : first + _LISTED])


@contextmanager
def _mapped(what: str) -> Iterator[None]:
    """The one place where obstore's errors become ours."""
    from obstore.exceptions import BaseError, NotFoundError

    try:
        yield
    except (FileNotFoundError, NotFoundError) as error:
        raise FileNotFoundError(f"The bucket has no {what!r}.") from error
    except BaseError as error:
        raise BucketError(f"The bucket failed at {what!r}: {reason(error)}") from error
