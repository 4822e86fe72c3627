"""Worker processes that do the same work, and the process that keeps so many of them running.

A worker and its keeper hold the two ends of a line. On it the worker says that it is ready, and by its other end it is
held: it lets go when that is closed, which a keeper does that stops, and the system for one that is dead.
"""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final

from hub_callbacks.errors import HubCallbacksError

_LOOK_S: Final = 0.5  # between two looks whether the work is over; of a worker's death the system tells at once
_PAUSE_S: Final = 1.0  # before a dead worker is replaced: what killed it may kill the next
_log = logging.getLogger(__name__)


class WorkerError(HubCallbacksError):
    """A worker ended before it was ready."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"A worker of the hub ended with {status} before it served. What it said stands above.")


class Line:
    """A worker's end of the line to its keeper."""

    def __init__(self, end: Connection[Any, Any]) -> None:
        self._end = end

    def say_ready(self) -> None:
        """Tell the keeper that the work goes on from here."""
        with suppress(OSError):  # it is dead, as `is_cut` will say
            self._end.send(True)

    def is_cut(self) -> bool:
        """Whether the keeper has let go: the work is over."""
        try:
            return self._end.poll()
        except OSError:  # Windows says so
            return True


@dataclass(frozen=True, slots=True)
class _Worker:
    process: BaseProcess
    line: Connection[Any, Any]


class Workers:
    """Processes that do the same work; one that dies is replaced.

    Args:
        count: How many.
        work: What each does, until its line is cut. It is pickled.
        stop_s: How long each may take for that; then it is killed.
        on_death: Called with the process ID of one that has died.
    """

    def __init__(
        self, count: int, work: Callable[[Line], None], *, stop_s: float, on_death: Callable[[int], None]
    ) -> None:
        self._count, self._work, self._stop_s, self._on_death = count, work, stop_s, on_death
        self._system = multiprocessing.get_context("spawn")  # a fork would inherit locks that other threads hold
        self._workers: list[_Worker] = []

    def run(self, *, on_ready: Callable[[], None], is_over: Callable[[], bool]) -> None:
        """Keep them at work until it is over.

        Args:
            on_ready: Called once, when all of them are ready.
            is_over: Asked again and again.

        Raises:
            WorkerError: One ended before that.
        """
        try:
            for _ in range(self._count):
                self._workers.append(self._start())
            for worker in self._workers:
                self._await_ready(worker, is_over)
            if not is_over():
                on_ready()
            while not is_over():
                self._replace_dead(is_over)
        finally:
            self._stop()

    def _start(self) -> _Worker:
        ours, theirs = self._system.Pipe()
        process = self._system.Process(target=_work, args=(self._work, theirs), name="hub worker")
        process.start()
        theirs.close()  # else the line would outlive the worker
        return _Worker(process, ours)

    def _await_ready(self, worker: _Worker, is_over: Callable[[], bool]) -> None:
        try:
            while not worker.line.poll(_LOOK_S):
                if is_over():
                    return
            worker.line.recv()
        except (EOFError, OSError):
            raise WorkerError(self._end(worker)) from None

    def _replace_dead(self, is_over: Callable[[], bool]) -> None:
        ended = wait([worker.process.sentinel for worker in self._workers], _LOOK_S)
        if is_over():  # Ctrl-C, too, ends the workers as it ends their keeper
            return
        for place, worker in enumerate(self._workers):
            if worker.process.sentinel in ended:
                _log.warning("A worker of the hub ended with %s; another takes its place.", self._end(worker))
                time.sleep(_PAUSE_S)
                self._workers[place] = self._start()

    def _stop(self) -> None:
        for worker in self._workers:
            worker.line.close()
        give_up_at = time.monotonic() + self._stop_s
        for worker in self._workers:
            worker.process.join(max(0.0, give_up_at - time.monotonic()))
            if worker.process.exitcode is None:
                worker.process.kill()
            self._end(worker)

    def _end(self, worker: _Worker) -> int | None:
        """Wait for its end; its exit status."""
        worker.process.join()
        worker.line.close()
        if worker.process.pid is not None:
            self._on_death(worker.process.pid)
        return worker.process.exitcode


def _work(work: Callable[[Line], None], end: Connection[Any, Any]) -> None:
    """What a worker's process runs; why it cannot go on, it says on one line."""
    try:
        work(Line(end))
    except HubCallbacksError as error:
        raise SystemExit(str(error)) from error
