"""A file on its way in: all of it arrives, the disk is told of it in time, and it gets its name at the end."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from hub_callbacks.server.landing import LandingFile

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

MEBIBYTE = 1 << 20
PIECE = bytes(range(256)) * 4096  # one of them

needs_advice = pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="the system takes no advice about files")


def test_file_holds_all_that_was_appended_when_it_goes_on_after_a_cut(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with closing(LandingFile(path, "x")) as file:
        for _ in range(20):
            file.append(PIECE)
        file.go_on_at(9 * MEBIBYTE)
        file.append(memoryview(b"end"))
    assert path.read_bytes() == 9 * PIECE + b"end"


def test_large_piece_is_written_in_small_ones(tmp_path: Path, mocker: MockerFixture) -> None:
    with closing(LandingFile(tmp_path / "file", "x")) as file:
        written = mocker.spy(file, "write")
        file.append(PIECE)
    assert {len(call.args[0]) for call in written.call_args_list} == {1 << 16}


@needs_advice
def test_file_tells_the_disk_of_each_stretch_once(tmp_path: Path, mocker: MockerFixture) -> None:
    told = mocker.spy(os, "posix_fadvise")
    with closing(LandingFile(tmp_path / "file", "x")) as file:
        for _ in range(20):
            file.append(PIECE)
    assert [call.args[1:3] for call in told.call_args_list] == [(0, 8 * MEBIBYTE), (8 * MEBIBYTE, 8 * MEBIBYTE)]


@needs_advice
def test_file_tells_the_disk_nothing_of_what_was_there_before(tmp_path: Path, mocker: MockerFixture) -> None:
    path = tmp_path / "file"
    path.write_bytes(9 * PIECE)
    told = mocker.spy(os, "posix_fadvise")
    with closing(LandingFile(path, "r+")) as file:
        file.go_on_at(9 * MEBIBYTE)
        for _ in range(8):
            file.append(PIECE)
    assert [call.args[1:3] for call in told.call_args_list] == [(9 * MEBIBYTE, 8 * MEBIBYTE)]


def test_file_is_at_home_and_closed_when_it_is_published(tmp_path: Path) -> None:
    path, home = tmp_path / "incoming", tmp_path / "blobs" / "ab" / "abc"
    home.parent.parent.mkdir()
    file = LandingFile(path, "x")
    file.append(b"bytes")
    file.publish(path, home)
    assert file.closed
    assert home.read_bytes() == b"bytes"
    assert not path.exists()
