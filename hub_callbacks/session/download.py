"""Files of a hub on this machine: whole, verified, and never taken for another."""

from __future__ import annotations

import hashlib
import math
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import click

from hub_callbacks import wire
from hub_callbacks.errors import DamagedError, RetryableError
from hub_callbacks.session import cache
from hub_callbacks.transport import Downloads, RemoteFile

T = TypeVar("T")

TRIES = 8  # in a row in which not one byte comes: with the pauses, a minute
_PAUSE_S = 15.0  # longest pause between two tries, before jitter
_BLOCK_BYTES = 1 << 20


def fetch(
    url: str,
    folder: Path,
    *,
    label: str,
    sha256: str = "",
    suffix: str = "",
    limit_bytes: float = math.inf,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """The file at a URL, downloaded unless it is there already.

    It lies under the SHA-256 that the hub names, or under its URL, ETag and length: no other file has that name. A
    download that breaks off is continued, also by a later call. One process at a time downloads it, the others wait.

    Args:
        url: Where it is; a token may stand in its query.
        folder: The cache.
        label: What a progress bar is labelled with.
        sha256: Its SHA-256 where it is known, in hexadecimal digits.
        suffix: What its name ends with, such as ``.pt``; that of the URL when empty.
        limit_bytes: What the cache may hold; beyond it, older files go. See `cache.prune`.
        sleep: Waits for a number of seconds.

    Returns:
        The file; nobody writes to it any more.

    Raises:
        DamagedError: What comes has another SHA-256, time and again.
        TransportError: It cannot be downloaded.
    """
    downloads = Downloads()
    try:
        remote = _insist(partial(downloads.look, url), sleep)
        sha256 = sha256 or remote.sha256
        name = _name(remote, sha256)
        target = folder / name[:2] / (name + (suffix or Path(unquote(urlsplit(url).path)).suffix))
        target.parent.mkdir(parents=True, exist_ok=True)
        with cache.lock(target):
            if not _is_there(target, sha256):
                _download(downloads, remote, target, label=label, sha256=sha256, sleep=sleep)
            cache.note_use(target, time.time())
        cache.prune(folder, limit_bytes=limit_bytes, now=time.time())
        return target
    finally:
        downloads.close()


def identify(url: str, *, sleep: Callable[[float], None] = time.sleep) -> str:
    """The name, but for its suffix, that `fetch` would give to the file at a URL.

    Raises:
        TransportError: The hub tells nothing of it.
    """
    downloads = Downloads()
    try:
        return _name(_insist(partial(downloads.look, url), sleep), "")
    finally:
        downloads.close()


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _name(file: RemoteFile, sha256: str) -> str:
    """A name that no other file has; one that is never found again where the hub tells nothing of the file."""
    if known := sha256 or file.sha256:
        return known
    parts = urlsplit(file.url)
    told = f"{file.etag}\n{file.size_bytes}" if file.etag else wire.new_id()
    return hashlib.sha256(f"{parts.scheme}://{parts.netloc}{parts.path}\n{told}".encode()).hexdigest()


def _is_there(target: Path, sha256: str) -> bool:
    return target.exists() and (not sha256 or sha256_of(target) == sha256)


def _download(
    downloads: Downloads, file: RemoteFile, target: Path, *, label: str, sha256: str, sleep: Callable[[float], None]
) -> None:
    part = target.with_name(target.name + ".part")
    for attempt in range(2):  # a part that was damaged here is downloaded once more
        with _progress(label, file.size_bytes) as on_progress:
            _insist(partial(downloads.fetch, file, part, on_progress=on_progress), sleep, part=part)
        found = sha256_of(part) if sha256 else ""
        if found == sha256:
            part.replace(target)
            return
        part.unlink()
        if attempt:
            raise DamagedError(
                f"{label}: what came has the SHA-256 {found}, but the hub's is {sha256}. It was deleted. Try again."
            )


def _insist(action: Callable[[], T], sleep: Callable[[float], None], *, part: Path | None = None) -> T:
    """Do it again while it fails in a way that can heal, and give up when nothing more comes into the part."""
    failures, have_bytes = 0, _size(part)
    while True:
        try:
            return action()
        except RetryableError as error:  # noqa: PERF203 - a request takes longer
            failures, have_bytes = (failures + 1 if _size(part) <= have_bytes else 1), _size(part)
            if failures == TRIES:
                raise
            jitter_s = random.uniform(0, min(_PAUSE_S, 2.0**failures))  # noqa: S311 - no secret
            sleep(jitter_s if error.retry_after_s is None else error.retry_after_s)


def _size(part: Path | None) -> int:
    return part.stat().st_size if part and part.exists() else 0


@contextmanager
def _progress(label: str, size_bytes: int | None) -> Iterator[Callable[[int], None]]:
    """Shows a bar of the bytes that are there, where a person looks on."""
    if size_bytes is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=size_bytes, label=label, file=sys.stderr) as bar:
        yield lambda have_bytes: bar.update(have_bytes - bar.pos)
