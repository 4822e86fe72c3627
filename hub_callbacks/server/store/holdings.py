"""How much users and projects have on the hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, func, select

from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.people import Contents, Holdings
from hub_callbacks.server.store.schema import datasets, keys, members, models, projects

_MADE: Final = {"models": models, "datasets": datasets, "projects": projects}


@dataclass(frozen=True)
class HoldingsStore:
    """The part of the store that counts what users and projects have. It reads only."""

    database: Database

    def holdings(self, user_ids: Sequence[str], *, now: float) -> dict[str, Holdings]:
        """What each of the users has, by their id; ``now`` (Unix time, seconds) says which keys are good."""
        is_good = keys.c.revoked_at.is_(None) & (keys.c.expires_at.is_(None) | (keys.c.expires_at > now))
        counts = {
            name: self._count(table, table.c.owner, user_ids, table.c.deleted_at.is_(None))
            for name, table in _MADE.items()
        }
        counts["keys"] = self._count(keys, keys.c.user_id, user_ids, is_good)
        counts["shares"] = self._count(members, members.c.user_id, user_ids)
        used = self._last_uses(user_ids)
        return {
            user_id: Holdings(
                **{name: found.get(user_id, 0) for name, found in counts.items()}, last_used_at=used.get(user_id)
            )
            for user_id in user_ids
        }

    def contents(self, project_ids: Sequence[str]) -> dict[str, Contents]:
        """What is in each of the projects, by their id."""
        with self.database.read() as connection:
            named = select(projects.c.seq, projects.c.id).where(projects.c.id.in_(project_ids))
            ids = {row.seq: row.id for row in connection.execute(named)}
        counts = {
            "models": self._count(models, models.c.project_seq, list(ids), models.c.deleted_at.is_(None)),
            "datasets": self._count(datasets, datasets.c.project_seq, list(ids), datasets.c.deleted_at.is_(None)),
            "members": self._count(members, members.c.project_seq, list(ids)),
        }
        return {
            project_id: Contents(**{name: found.get(seq, 0) for name, found in counts.items()})
            for seq, project_id in ids.items()
        }

    def _count(
        self, table: Table, whose: ColumnElement[Any], owners: Sequence[Any], *conditions: ColumnElement[bool]
    ) -> dict[Any, int]:
        wanted = select(whose, func.count()).select_from(table).where(whose.in_(owners), *conditions).group_by(whose)
        with self.database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(wanted)}

    def _last_uses(self, user_ids: Sequence[str]) -> dict[str, float | None]:
        used = select(keys.c.user_id, func.max(keys.c.last_used_at)).where(keys.c.user_id.in_(user_ids))
        with self.database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(used.group_by(keys.c.user_id))}
