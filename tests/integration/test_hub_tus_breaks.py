"""Uploads that break, against real hubs: killed, in each other's way, after a power cut, too late, and very large."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from hub_callbacks import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import TusClient

    Restart = Callable[[TusClient], TusClient]

BIG_BYTES = 200_000_000
GROWTH_BYTES = 16_000_000  # pieces of 1 MiB for the threads, and what the allocator keeps


def test_second_writer_is_refused_until_the_first_has_ended(tus: TusClient) -> None:
    content = tus.content + bytes(9 << 20)  # more than a bucket gets at once
    location, before = tus.begin(content), tus.files()
    first = tus.stuck(location, content)
    tus.ask_until(location, lambda: tus.files() > before)
    reply = tus.patch(location, 0, content)
    assert (reply.status_code, reply.json()["success"]) == (423, False)
    first.break_off()
    tus.ask_until(location, lambda: tus.probe(location) == 409)
    assert tus.offset(location) == 0  # the chunk had a checksum, and its end never came
    assert tus.patch(location, 0, content).status_code == 204


def test_chunk_without_a_checksum_that_breaks_off_is_kept(tus: TusClient) -> None:
    content = tus.content + bytes(9 << 20)
    location, before = tus.begin(content), tus.files()
    first = tus.stuck(location, content, is_checked=False)
    tus.ask_until(location, lambda: tus.files() > before)
    first.break_off()
    tus.ask_until(location, lambda: tus.probe(location) == 409)
    kept = tus.offset(location)
    assert kept == len(content) - 1  # all that was sent
    assert tus.patch(location, kept, content[kept:]).status_code == 204
    assert download(tus) == content


def test_upload_goes_on_after_the_hub_was_killed_in_the_middle(own_tus: TusClient, restart: Restart) -> None:
    content = own_tus.content + bytes(3_000_000)
    location = own_tus.begin(content)
    assert own_tus.patch(location, 0, content[:1_000_000]).status_code == 204
    stuck = own_tus.stuck(location, content[1_000_000:], offset=1_000_000)
    partial = partial_file(own_tus)
    own_tus.ask_until(location, lambda: partial.stat().st_size > 1_000_000)  # unchecked: the chunk has not ended
    own_tus.kill_hub()
    stuck.break_off()
    again = restart(own_tus)
    assert again.offset(location) == 1_000_000
    assert again.patch(location, 1_000_000, content[1_000_000:]).status_code == 204
    assert download(again) == content


def test_bytes_without_a_checksum_outlive_the_hub(own_tus: TusClient, restart: Restart) -> None:
    content = own_tus.content + bytes(9_000_000)
    location = own_tus.begin(content)
    stuck = own_tus.stuck(location, content, is_checked=False)
    partial = partial_file(own_tus)
    own_tus.ask_until(location, lambda: partial.stat().st_size > 1_000_000)
    own_tus.kill_hub()
    stuck.break_off()
    again = restart(own_tus)
    kept = again.offset(location)
    assert kept == partial.stat().st_size
    assert again.patch(location, kept, content[kept:]).status_code == 204
    assert download(again) == content


def test_bytes_with_a_checksum_behind_some_without_do_not_outlive_the_hub(own_tus: TusClient, restart: Restart) -> None:
    content = own_tus.content + bytes(9_000_000)
    location = own_tus.begin(content)
    assert own_tus.patch(location, 0, content[:1000], Upload_Checksum=None).status_code == 204
    stuck = own_tus.stuck(location, content[1000:], offset=1000)
    partial = partial_file(own_tus)
    own_tus.ask_until(location, lambda: partial.stat().st_size > 1_000_000)
    own_tus.kill_hub()
    stuck.break_off()
    assert restart(own_tus).offset(location) == 1000


def test_whole_file_that_was_not_published_is_asked_for_its_last_byte(own_tus: TusClient, restart: Restart) -> None:
    content = own_tus.content
    location = own_tus.begin(content)
    own_tus.patch(location, 0, content[:9000], Upload_Checksum=None)
    own_tus.kill_hub()
    partial_file(own_tus).write_bytes(content)
    again = restart(own_tus)
    assert again.offset(location) == len(content) - 1
    assert again.patch(location, len(content) - 1, content[-1:]).status_code == 204
    assert download(again) == content


def test_upload_whose_hub_died_while_it_published_sends_only_the_last_chunk_again(
    own_tus: TusClient, restart: Restart
) -> None:
    content = own_tus.content
    location = own_tus.begin(content)
    own_tus.patch(location, 0, content[:9000])
    own_tus.kill_hub()
    partial = partial_file(own_tus)
    home = partial.parents[1] / partial.name[:2] / partial.name
    home.parent.mkdir()
    partial.write_bytes(content)
    partial.rename(home)  # and died before the store knew
    again = restart(own_tus)
    assert again.offset(location) == 9000
    assert again.patch(location, 9000, content[9000:]).status_code == 204
    assert download(again) == content


def test_offset_never_claims_bytes_that_a_power_cut_took(own_tus: TusClient, restart: Restart) -> None:
    content = own_tus.content
    location = own_tus.begin(content)
    own_tus.patch(location, 0, content[:9000])
    own_tus.kill_hub()
    partial_file(own_tus).write_bytes(content[:4000])
    again = restart(own_tus)
    assert again.offset(location) == 4000
    assert again.patch(location, 4000, content[4000:]).status_code == 204
    assert download(again) == content


def test_bytes_that_a_power_cut_damaged_are_never_published(own_tus: TusClient, restart: Restart) -> None:
    content = own_tus.content
    location = own_tus.begin(content)
    own_tus.patch(location, 0, content[:9000])
    own_tus.kill_hub()
    partial_file(own_tus).write_bytes(content[:8000] + bytes(1000))
    again = restart(own_tus)
    assert again.patch(location, 9000, content[9000:]).status_code == wire.TUS_CHECKSUM_MISMATCH
    assert (again.published(), again.files()) == ([], set())
    assert again.patch(again.begin(content), 0, content).status_code == 204
    assert download(again) == content


def test_upload_expires_and_its_bytes_go(own_tus: TusClient) -> None:
    content = own_tus.content
    location = own_tus.begin(content)
    own_tus.patch(location, 0, content[:5000])
    expire(own_tus)
    assert own_tus.head(location).status_code == 410
    assert own_tus.patch(location, 5000, content[5000:]).status_code == 410
    assert len(own_tus.files()) == 1
    assert own_tus.begin(content) != location
    assert own_tus.head(location).status_code == 404
    assert own_tus.files() == set()


def test_expiry_is_looked_at_when_the_hub_starts_and_leaves_what_was_published(
    own_tus: TusClient, restart: Restart
) -> None:
    content = own_tus.content
    own_tus.patch(own_tus.begin(content), 0, content)
    unfinished = own_tus.begin(content, epoch=4)
    own_tus.patch(unfinished, 0, content[:5000])
    expire(own_tus)
    own_tus.kill_hub()
    again = restart(own_tus)
    assert again.head(unfinished).status_code == 404
    assert len(again.files()) == 1
    assert download(again) == content


def partial_file(tus: TusClient) -> Path:
    (path,) = (tus.hub.data_dir / "hub" / "blobs" / "partial").iterdir()
    return path


def expire(tus: TusClient) -> None:
    with closing(sqlite3.connect(tus.hub.data_dir / "hub" / "hub.db")) as store, store:
        store.execute("UPDATE uploads SET expires_at = 1")


def download(tus: TusClient) -> bytes:
    (found,) = tus.published()
    return requests.get(found["url"], timeout=30).content


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux tells a process's memory in a file")
def test_upload_takes_constant_memory(tus: TusClient) -> None:
    send_big(tus, BIG_BYTES // 5, epoch=1)  # what is allocated once, is
    before = resident_bytes(tus)
    send_big(tus, BIG_BYTES, epoch=2)
    assert resident_bytes(tus) - before < GROWTH_BYTES


def send_big(tus: TusClient, size_bytes: int, *, epoch: int) -> None:
    """Send so many bytes: one chunk of the usual size, and the others as a single one."""
    content = b"PK\x03\x04" + bytes(size_bytes - 4)
    location = tus.begin(content, epoch=epoch)
    parts = content[: wire.TUS_CHUNK_BYTES], content[wire.TUS_CHUNK_BYTES :]
    assert tus.patch(location, 0, parts[0]).ok
    assert tus.patch(location, len(parts[0]), parts[1]).ok


def resident_bytes(tus: TusClient) -> int:
    status = Path(f"/proc/{tus.hub.process.pid}/status").read_text()  # proc(5)
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024
