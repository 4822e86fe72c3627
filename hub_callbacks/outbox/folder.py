"""Where the parts of an outbox lie."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

ASIDE = ".damaged-"  # in the name of a file that was set aside, before the time


@dataclass(frozen=True, slots=True)
class OutboxFolder:
    """The folder of one outbox: one per host, since SQLite's locks do not reach over a network file system.

    Attributes:
        path: The folder; it need not exist yet.
    """

    path: Path

    @classmethod
    def under(cls, data_dir: Path) -> OutboxFolder:
        """This host's outbox under a data folder."""
        host = re.sub(r"[^A-Za-z0-9.-]", "-", platform.node()).strip(".") or "localhost"
        return cls(data_dir / "outbox" / host)

    @classmethod
    def all_under(cls, data_dir: Path) -> list[OutboxFolder]:
        """Every host's outbox under a data folder."""
        folders = [cls(path) for path in sorted(data_dir.glob("outbox/*"))]
        return [folder for folder in folders if folder.has_records]

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / "outbox.db"

    @property
    def spool(self) -> Path:
        """The folder of checkpoint copies."""
        return self.path / "spool"

    @property
    def journals(self) -> Path:
        """The folder of the journals that trainings write."""
        return self.path / "journals"

    @property
    def set_aside(self) -> list[Path]:
        """What was found damaged, and is kept for somebody to look at."""
        companions = ("-wal", "-shm", "-journal")
        return [path for path in sorted(self.path.glob(f"**/*{ASIDE}*")) if not path.name.endswith(companions)]

    @property
    def has_records(self) -> bool:
        """Whether anything was recorded here: an outbox is there, or a journal that a new one can be made from."""
        return self.database.exists() or any(self.journals.glob("*.rows"))

    @property
    def courier_lock(self) -> Path:
        """Held by the one courier that works on this outbox; for moments by whoever looks whether there is one."""
        return self.path / "courier.lock"

    @property
    def courier_turn(self) -> Path:
        """Held by that courier, too, and by nobody else: another one sees at once that it is not needed."""
        return self.path / "courier.turn"

    @property
    def courier_pid(self) -> Path:
        """The process id of the courier that holds the lock, as text."""
        return self.path / "courier.pid"

    @property
    def courier_log(self) -> Path:
        """What the courier has to say."""
        return self.path / "courier.log"

    def run_lock(self, run_id: str) -> Path:
        """Held by the process that trains the run; the system frees it at that process' death."""
        return self.path / "locks" / f"{run_id}.lock"

    @contextmanager
    def vacated(self, run_id: str) -> Iterator[None]:
        """Hold the lock of a run that nobody trains: whoever resumes it waits. The lock's file is gone afterwards.

        Raises:
            filelock.Timeout: A process trains it.
        """
        lock = self.run_lock(run_id)
        lock.parent.mkdir(exist_ok=True)
        with FileLock(lock, timeout=0):
            yield
            with suppress(PermissionError):  # Windows: nobody may, as long as it is open
                lock.unlink(missing_ok=True)
