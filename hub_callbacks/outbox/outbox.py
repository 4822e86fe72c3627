"""One outbox, opened."""

from __future__ import annotations

import contextlib

from hub_callbacks.errors import OutboxDamagedError, OutboxError
from hub_callbacks.outbox.folder import OutboxFolder
from hub_callbacks.outbox.hubs import Hubs
from hub_callbacks.outbox.intake import Intake
from hub_callbacks.outbox.queue import Queue
from hub_callbacks.outbox.runs import Runs
from hub_callbacks.outbox.schema import Database


class Outbox:
    """One connection to an outbox; each thread and process opens its own.

    Attributes:
        folder: Where it lies.
        queue: What is recorded and waits.
        runs: The runs that recorded it.
        hubs: Where it goes.
    """

    def __init__(self, folder: OutboxFolder) -> None:
        """Open it, made and brought up to date where needed, and take in what the journals hold.

        Raises:
            OutboxError: It cannot be opened, or a newer version of hub-callbacks made it.
        """
        self.folder = folder
        self._database = Database(folder.database)
        self.queue = Queue(self._database)
        self.hubs = Hubs(self._database)
        self.runs = Runs(self._database, hubs=self.hubs, queue=self.queue, journals=folder.journals)
        self._intake = Intake(self._database, folder, queue=self.queue, runs=self.runs)
        with contextlib.suppress(OutboxError):  # full, or not ours to write: what they hold stays there
            self.take_in()

    def take_in(self) -> None:
        """Take in the rows that trainers have recorded in their journals.

        Raises:
            OutboxError: It cannot be done now; nothing is lost.
        """
        self._intake.take_in()

    def remove_journals(self) -> None:
        """Remove the journals that are no longer needed, and set the damaged ones aside; the courier calls it."""
        self._intake.remove_ended()
        self._intake.remove_unbegun()

    def is_current(self) -> bool:
        """Whether this is still the outbox of its folder: another process may have set it aside as damaged."""
        return self._database.is_current()

    def set_aside(self, error: OutboxDamagedError) -> None:
        """Put the damaged file out of the way, under a name that says so; this connection is closed."""
        self._database.set_aside(str(error))

    def checkpoint(self) -> None:
        """Make all that is committed safe from a power cut; the courier calls it, so that no trainer has to."""
        self._database.checkpoint()

    def close(self) -> None:
        """Close the connection. Nothing is lost by not doing so."""
        self._database.close()
