"""The local hub as a real process that does not come up."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from hub_callbacks.courier import local_hub
from hub_callbacks.errors import UnreachableError


def test_local_hub_that_dies_as_it_starts_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "hub.db").write_bytes(b"no database" * 1000)
    began = time.monotonic()
    with pytest.raises(UnreachableError, match=r"ended with exit status 1; see .*hub\.log"):
        local_hub.ensure(tmp_path, port=0)
    assert time.monotonic() - began < local_hub.START_TIMEOUT_S / 2
