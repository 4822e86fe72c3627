"""What the worker processes of one pytest run do in turns: see pytest-xdist."""

from __future__ import annotations

import pytest
from filelock import FileLock


@pytest.fixture(scope="session")
def machine_lock(tmp_path_factory: pytest.TempPathFactory) -> FileLock:
    """Is held by the worker that changes the machine: it installs a browser, or adds PostgreSQL's user."""
    return FileLock(tmp_path_factory.getbasetemp().parent / "machine.lock")  # the parent is every worker's
