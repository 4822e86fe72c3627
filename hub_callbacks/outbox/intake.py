"""The intake: what the journals hold becomes items of the outbox, each once."""

from __future__ import annotations

import contextlib
import json
import logging
from pathlib import Path

from filelock import Timeout

from hub_callbacks.outbox import journal
from hub_callbacks.outbox.folder import OutboxFolder
from hub_callbacks.outbox.journal import Beginning, Due, Entry, Position, Row
from hub_callbacks.outbox.queue import Queue
from hub_callbacks.outbox.runs import Runs
from hub_callbacks.outbox.schema import Database, mapped, set_aside

logger = logging.getLogger(__name__)


class Intake:
    """The journals of one outbox, on their way into it.

    A journal's rows and how far it is read are committed together: whoever reads, and whenever one dies, a row comes
    in once.

    Args:
        database: The outbox.
        folder: Where it lies, and the journals.
    """

    def __init__(self, database: Database, folder: OutboxFolder, *, queue: Queue, runs: Runs) -> None:
        self._database = database
        self._folder = folder
        self._queue = queue
        self._runs = runs
        self._seen: dict[str, Position] = {}  # a look at a journal that has nothing new asks the database nothing
        self._foreign: set[str] = set()  # files that are not ours, to be looked at once

    def take_in(self) -> None:
        """Take in all that the journals hold by now.

        Raises:
            OutboxError: They cannot be read, or not be taken in: what they hold stays there.
        """
        for path in journal.paths(self._folder.journals):
            if _entries(path, self._seen.get(path.name, Position()))[0]:
                self._take_in(path)

    _NOTE = """
        INSERT INTO journals (name, run_id, read_bytes, names) VALUES (?, ?, ?, ?)
        ON CONFLICT (name) DO UPDATE SET read_bytes = excluded.read_bytes, names = excluded.names
    """

    def _take_in(self, path: Path) -> None:
        run_id = journal.run_of(path)
        with self._database.transaction():
            entries, position = _entries(path, self._noted(path.name))  # again: another may have been faster
            if not self._runs.is_known(run_id) and not any(isinstance(entry, Beginning) for entry in entries):
                return  # nobody can say what run it is: a later release wrote it, and will
            for entry in entries:
                self._take(run_id, entry)
            values = (path.name, run_id, position.read_bytes, json.dumps(position.names))
            self._database.execute(self._NOTE, values)
        self._seen[path.name] = position

    def _take(self, run_id: str, entry: Entry) -> None:
        if isinstance(entry, Row):
            self._queue.put(run_id, entry.record, due_at=entry.due_at)
        elif isinstance(entry, Due):
            self._queue.make_due(run_id, entry.at)
        elif not self._runs.is_known(run_id):  # the outbox that knew it was set aside
            self._runs.start(run_id, entry.record, hub=entry.hub, heartbeat_s=entry.heartbeat_s)

    _READ = "SELECT read_bytes, names FROM journals WHERE name = ?"

    def _noted(self, name: str) -> Position:
        rows = self._database.rows(self._READ, (name,))
        return Position(read_bytes=rows[0][0], names=tuple(json.loads(rows[0][1]))) if rows else Position()

    _ENDED = "SELECT journals.name FROM journals JOIN runs ON runs.id = run_id WHERE runs.state != 'running'"
    _FORGET = "DELETE FROM journals WHERE name = ?"

    def remove_ended(self) -> None:
        """Remove the journals of runs that have ended, as far as they are taken in; a damaged one is set aside."""
        for (name,) in self._database.rows(self._ENDED):
            path = self._folder.journals / name
            with mapped(path), contextlib.suppress(PermissionError):  # Windows: its trainer has not closed it yet
                if not _entries(path, self._noted(name))[0]:
                    with contextlib.suppress(FileNotFoundError):
                        self._remove(path, journal.rest(path, self._noted(name)))
                    self._database.execute(self._FORGET, (name,))

    def remove_unbegun(self) -> None:
        """Remove the journals whose trainers were killed within their making; the courier calls it."""
        for path in journal.paths(self._folder.journals):
            with mapped(path), contextlib.suppress(FileNotFoundError, PermissionError, Timeout):
                if path.name not in self._foreign and not journal.is_begun(path):
                    self._remove_unbegun(path)

    def _remove_unbegun(self, path: Path) -> None:
        with self._folder.vacated(journal.run_of(path)):
            if journal.is_begun(path):  # by now: its trainer may have made it meanwhile, and died
                return
            if (rest := journal.rest(path, Position())) == "foreign":
                self._foreign.add(path.name)
            else:
                self._remove(path, rest)

    def _remove(self, path: Path, rest: journal.Rest) -> None:
        """Remove a journal that nothing more can be read of, or set it aside when something more is in it."""
        if rest == "torn":
            path.unlink()
            return
        aside = set_aside(path)
        logger.warning(
            "The journal %s is damaged: not all of its rows could be read. It is kept as %s; the run's own "
            "results.csv has them, too.",
            path,
            aside.name,
        )


def _entries(path: Path, since: Position) -> tuple[list[Entry], Position]:
    """As `journal.read`; nothing of a journal that another has removed meanwhile, for it was taken in."""
    with mapped(path), contextlib.suppress(FileNotFoundError):
        return journal.read(path, since)
    return [], since
