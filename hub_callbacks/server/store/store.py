"""The store as one object."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from hub_callbacks.server.store.access import AccessStore
from hub_callbacks.server.store.artifacts import ArtifactStore
from hub_callbacks.server.store.audit import AuditStore
from hub_callbacks.server.store.checkpoints import CheckpointStore
from hub_callbacks.server.store.claims import ClaimStore
from hub_callbacks.server.store.database import open_database, sqlite_url
from hub_callbacks.server.store.history import HistoryStore
from hub_callbacks.server.store.holdings import HoldingsStore
from hub_callbacks.server.store.keys import KeyStore
from hub_callbacks.server.store.metrics import MetricStore
from hub_callbacks.server.store.models import ModelStore
from hub_callbacks.server.store.runs import RunStore
from hub_callbacks.server.store.schema import checkpoints, metadata, models, uploads, users
from hub_callbacks.server.store.things import ThingStore
from hub_callbacks.server.store.turns import Turns
from hub_callbacks.server.store.uploads import UploadStore
from hub_callbacks.server.store.users import UserStore


@dataclass(frozen=True)
class Store(
    ModelStore,
    RunStore,
    HistoryStore,
    MetricStore,
    CheckpointStore,
    ArtifactStore,
    UploadStore,
    ThingStore,
    AccessStore,
    UserStore,
    KeyStore,
    ClaimStore,
    HoldingsStore,
    AuditStore,
):
    """Everything that the hub keeps but the bytes of files. Any thread may call it; a write is on disk on return."""

    turns: Turns

    def blob_names(self) -> set[str]:
        """The name of every blob that a row names, in whichever table."""
        named = [table.c.blob for table in metadata.sorted_tables if "blob" in table.c]
        with self.database.read() as connection:
            return {
                blob
                for column in named
                for blob in connection.execute(select(column).where(column.is_not(None))).scalars()
            }

    def check(self) -> None:
        """Nothing, as long as the database answers; else raises SQLAlchemy's error."""
        with self.database.read() as connection:
            connection.execute(select(1))

    def counts(self) -> dict[str, int]:
        """How many rows there are of what people know: runs, checkpoints, uploads that have not ended, users."""
        kinds = {"runs": models, "checkpoints": checkpoints, "uploads": uploads, "users": users}
        with self.database.read() as connection:
            return {
                kind: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for kind, table in kinds.items()
            }

    def close(self) -> None:
        """Close every connection."""
        self.turns.close()
        self.database.close()


def open_store(where: Path | str, *, clock: Callable[[], float] = time.time) -> Store:
    """The store in an SQLite file (a path) or at a SQLAlchemy URL, its tables made or brought up to date.

    Raises:
        UnreachableStoreError: It cannot be reached.
        NewerStoreError: A later release has used it.
    """
    database = open_database(sqlite_url(where) if isinstance(where, Path) else where)
    return Store(database, clock, Turns(database))
