"""A file on its way in: all of it arrives, the disk is told of it in time, and it gets its name at the end."""

from __future__ import annotations

import errno
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

needs_splice = pytest.mark.skipif(not hasattr(os, "splice"), reason="the system cannot splice")
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


@needs_splice
@pytest.mark.parametrize("moves", [True, False])
def test_file_takes_what_is_in_a_pipe(tmp_path: Path, mocker: MockerFixture, moves: bool) -> None:
    if not moves:  # as some file systems
        mocker.patch("os.splice", side_effect=OSError(errno.EINVAL, "Invalid argument"))
    path = tmp_path / "file"
    reader, writer = os.pipe()
    with closing(LandingFile(path, "x")) as file:
        file.append(b"before ")
        os.write(writer, b"in the pipe")
        file.append_from(reader, len(b"in the pipe"))
        file.append(b" after")
    os.close(reader)
    os.close(writer)
    assert path.read_bytes() == b"before in the pipe after"


def test_written_bytes_are_read_again_as_often_as_wanted(tmp_path: Path) -> None:
    content = os.urandom(MEBIBYTE)
    with closing(LandingFile(tmp_path / "file", "x+")) as file:
        file.append(content)
        for start, stop in ((0, MEBIBYTE), (5, 300_000), (7, 7)):
            assert b"".join(map(bytes, file.again(start, stop))) == content[start:stop]
        file.append(b"end")
        assert b"".join(map(bytes, file.again(MEBIBYTE - 1, MEBIBYTE + 3))) == content[-1:] + b"end"
        with pytest.raises(EOFError):
            list(file.again(MEBIBYTE, MEBIBYTE + 4))


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
