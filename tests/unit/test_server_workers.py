"""The keeper of worker processes, with workers that serve nothing."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from hub_callbacks.errors import HubCallbacksError
from hub_callbacks.server.workers import Line, WorkerError, Workers
from tests.integration.processes import eventually, kill

STOP_S = 60.0


def leave_note(folder: Path, line: Line) -> None:
    """Say that it is ready, then stay until the line is cut, and say that, too."""
    note = folder / str(os.getpid())
    note.touch()
    line.say_ready()
    while not line.is_cut():
        time.sleep(0.01)
    note.rename(note.with_suffix(".ended"))


def fail(line: Line) -> None:
    raise HubCallbacksError("There is no database.")


def stay(folder: Path, line: Line) -> None:
    (folder / str(os.getpid())).touch()
    line.say_ready()
    threading.Event().wait()


class Kept:
    """Workers that are kept by a thread, in whose folder each has left a note."""

    def __init__(
        self, folder: Path, work: Callable[[Path, Line], None] = leave_note, *, stop_s: float = STOP_S
    ) -> None:
        self.folder, self.dead = folder, list[int]()
        self.over = threading.Event()
        self.ready_with: list[int] = []
        workers = Workers(2, partial(work, folder), stop_s=stop_s, on_death=self.dead.append)
        said = {"on_ready": self._note_ready, "is_over": self.over.is_set}
        self._thread = threading.Thread(target=workers.run, kwargs=said)
        self._thread.start()
        eventually(lambda: self.ready_with)

    def at_work(self) -> set[int]:
        return {int(path.name) for path in self.folder.iterdir() if not path.suffix}

    def end(self) -> None:
        self.over.set()
        self._thread.join()

    def _note_ready(self) -> None:
        self.ready_with += self.at_work()


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> None:
    """Workers get our path, and what they do is in this module; behind all else, for they run what is installed."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(pytestconfig.rootpath)])


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    found = Kept(tmp_path, leave_note)
    yield found
    found.end()


def test_all_are_ready_before_that_is_said_and_end_when_it_is_over(kept: Kept) -> None:
    workers = set(kept.ready_with)
    assert len(workers) == 2
    kept.end()
    assert {path.stem for path in kept.folder.glob("*.ended")} == {str(worker) for worker in workers}
    assert set(kept.dead) == workers


def test_dead_worker_is_replaced_and_told_of(kept: Kept) -> None:
    dead, living = kept.ready_with
    kill(dead)
    eventually(lambda: len(kept.at_work()) == 3)  # it had no time to take its note away
    assert living in kept.at_work()
    assert kept.dead == [dead]
    assert len(kept.ready_with) == 2  # that is said once


def test_worker_that_ends_when_it_is_over_is_not_replaced(kept: Kept) -> None:
    kept.over.set()
    kill(kept.ready_with[0])
    kept.end()
    assert len(list(kept.folder.iterdir())) == 2


def test_worker_that_does_not_end_is_killed(tmp_path: Path) -> None:
    kept = Kept(tmp_path, stay, stop_s=0.1)
    kept.end()
    assert set(kept.dead) == kept.at_work()


def test_worker_that_ends_before_it_is_ready_ends_them_all(capfd: pytest.CaptureFixture[str]) -> None:
    workers = Workers(2, fail, stop_s=STOP_S, on_death=lambda _: None)
    with pytest.raises(WorkerError, match="ended with 1 before it served"):
        workers.run(on_ready=pytest.fail, is_over=lambda: False)
    assert set(capfd.readouterr().err.splitlines()) == {"There is no database."}


def test_nobody_waits_for_workers_when_it_is_over_before(tmp_path: Path) -> None:
    workers = Workers(1, partial(leave_note, tmp_path), stop_s=STOP_S, on_death=lambda _: None)
    workers.run(on_ready=pytest.fail, is_over=lambda: True)
