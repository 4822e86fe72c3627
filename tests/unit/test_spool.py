from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub_callbacks.errors import OutboxError
from hub_callbacks.outbox.spool import copy_in, size_bytes, sweep


def test_copy_is_whole_and_apart_from_its_source(tmp_path: Path) -> None:
    source = tmp_path / "last.pt"
    source.write_bytes(os.urandom(1 << 20))
    before = source.read_bytes()
    copy = copy_in(source, tmp_path / "spool")
    source.write_bytes(b"the next epoch")
    assert copy.read_bytes() == before
    assert [path.name for path in (tmp_path / "spool").iterdir()] == [copy.name]


def test_nothing_is_left_of_a_copy_that_fails(tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match="spool"):
        copy_in(tmp_path / "missing.pt", tmp_path / "spool")
    assert list((tmp_path / "spool").iterdir()) == []


def test_sweep_takes_old_files_that_no_item_names(tmp_path: Path) -> None:
    for name in ("known.pt", "orphan.pt", "young.pt"):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (0, 0) if name != "young.pt" else None)
    assert sweep(tmp_path, {"known.pt"}, older_than=1000.0) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["known.pt", "young.pt"]


def test_file_that_another_process_deletes_while_the_spool_is_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "here.pt").write_bytes(b"here")
    (tmp_path / "gone.pt").symlink_to(tmp_path / "no such file")  # listed, and not there when it is asked for its size
    assert size_bytes(tmp_path) == 4
    assert sweep(tmp_path, {"here.pt"}, older_than=1000.0) == 0
