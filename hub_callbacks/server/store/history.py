"""The states that runs were in, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, exists, insert, select

from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.rows import StateChange
from hub_callbacks.server.store.schema import models, run_states

_NEWEST = 100  # a run that is resumed every hour for days: who looks at it wants the last ones


@dataclass(frozen=True)
class HistoryStore:
    """The part of the store that tells how runs stood before; who changes a state writes it down by `note_state`."""

    database: Database

    def state_changes(self, model_id: str) -> list[StateChange]:
        """The model's last states, in the order in which the hub heard of them, newest first."""
        told = select(run_states.c.state, run_states.c.reason, run_states.c.at)
        told = told.join(models, models.c.seq == run_states.c.model_seq)
        told = told.where(models.c.id == model_id, models.c.deleted_at.is_(None))
        with self.database.read() as connection:
            rows = connection.execute(told.order_by(run_states.c.seq.desc()).limit(_NEWEST))
            return [StateChange(**row._mapping) for row in rows]


def note_state(connection: Connection, model_seq: int, changes: Mapping[str, Any]) -> None:
    """Write down the state that changes of a model's columns bring, if any; a report that comes again adds nothing."""
    if changes.get("state") is None:
        return
    row = {"model_seq": model_seq, "state": changes["state"], "reason": changes["reason"], "at": changes["state_at"]}
    known = exists().where(*(run_states.c[name] == value for name, value in row.items()))
    if not connection.execute(select(known)).scalar_one():
        connection.execute(insert(run_states), row)
