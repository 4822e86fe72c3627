from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from hub_callbacks.transport.part import Part

BYTES = bytes(range(256)) * 4096  # 1 MiB


def test_part_is_read_in_blocks_as_often_as_it_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "copy.pt"
    path.write_bytes(BYTES)
    with path.open("rb") as file:
        part = Part(file, offset=5, size_bytes=700_001)
        assert len(part) == 700_001
        assert max(len(block) for block in part) < 300_000
        assert [b"".join(part), b"".join(part)] == [BYTES[5:700_006]] * 2
        assert part.sha256() == hashlib.sha256(BYTES[5:700_006]).digest()


def test_part_of_a_file_that_became_shorter_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "copy.pt"
    path.write_bytes(BYTES)
    with path.open("rb") as file, pytest.raises(OSError, match=r"copy\.pt' is 10 bytes shorter"):
        list(Part(file, offset=10, size_bytes=len(BYTES)))
