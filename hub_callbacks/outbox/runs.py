"""The runs: how they begin and end here, and how far their delivery has come."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from hub_callbacks.outbox import journal
from hub_callbacks.outbox.hubs import Hubs
from hub_callbacks.outbox.queue import Queue
from hub_callbacks.outbox.rows import IS_FINAL, IS_PERIODIC, KEPT, Hub, RunStatus
from hub_callbacks.outbox.schema import Database, mapped
from hub_callbacks.records import EpochsPlanned, RunFinished, RunStarted


class Runs:
    """The runs of one outbox."""

    def __init__(self, database: Database, *, hubs: Hubs, queue: Queue, journals: Path) -> None:
        self._database = database
        self._journals = journals
        self._hubs = hubs
        self._queue = queue

    _START = """
        INSERT INTO runs (id, hub_id, name, state, epochs, heartbeat_s, started_at)
        VALUES (?, (SELECT id FROM hubs WHERE api_url = ?), ?, 'running', ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET state = 'running', epochs = excluded.epochs,
            heartbeat_s = excluded.heartbeat_s, started_at = excluded.started_at, stop_reason = '',
            hub_id = excluded.hub_id, remote_id = iif(hub_id = excluded.hub_id, remote_id, NULL)
    """
    # In two halves, for each has an index of its own.
    _OF_RUN = "(run_id = :run AND state = 'queued' OR run_id = :run AND state != 'queued')"
    _SUPERSEDE = f"""
        UPDATE items SET state = 'dropped', leased_until = 0, reason = 'superseded by the training that was resumed',
            body = iif(kind = 'checkpoint', body, '')
        WHERE {_OF_RUN} AND epoch >= :epoch
            AND (kind = 'metrics' OR kind = 'checkpoint' AND state = 'queued' AND {IS_PERIODIC})
    """  # noqa: S608 - our own constant
    _FINISH = "UPDATE runs SET state = ? WHERE id = ? AND state = 'running'"

    def start(self, run_id: str, record: RunStarted, *, hub: Hub, heartbeat_s: float) -> None:
        """Make a run known, or continue it when it is; its creation on the hub is due at once.

        What is recorded of epochs from the record's first one on is of an earlier training of the run, and dropped.
        """
        with self._database.transaction():
            self._hubs.save(hub)
            values = (run_id, hub.api_url, record.name, record.epochs, heartbeat_s, record.started_at)
            self._database.execute(self._START, values)
            self._database.execute(self._SUPERSEDE, {"run": run_id, "epoch": record.start_epoch})
            self._queue.put(run_id, record, due_at=0.0)  # its own time may be ahead of this machine's clock

    _PLAN_EPOCHS = "UPDATE runs SET epochs = ? WHERE id = ?"

    def plan_epochs(self, run_id: str, record: EpochsPlanned) -> None:
        """Note how many epochs the run is planned to have by now, and let the hub know."""
        with self._database.transaction():
            self._database.execute(self._PLAN_EPOCHS, (record.epochs, run_id))
            self._queue.put(run_id, record, due_at=record.recorded_at)

    def finish(self, run_id: str, record: RunFinished) -> bool:
        """Record how a run ended, unless an end is recorded already; everything of it is due at once.

        Returns:
            Whether this was the first end.
        """
        with self._database.transaction():
            is_first = self._database.execute(self._FINISH, (record.state, run_id)) == 1
            if is_first:
                self._queue.put(run_id, record, due_at=record.finished_at)
                self._queue.make_due(run_id, record.finished_at)
        return is_first

    _SET_REMOTE_ID = "UPDATE runs SET remote_id = ? WHERE id = ?"
    _SET_AGENT_ID = "UPDATE runs SET agent_id = ? WHERE id = ?"

    def set_remote_id(self, run_id: str, remote_id: str) -> None:
        """Note the id that the hub has given to the run: from now on its other records can be delivered."""
        self._database.execute(self._SET_REMOTE_ID, (remote_id, run_id))

    def set_agent_id(self, run_id: str, agent_id: str) -> None:
        """Note the agent id that the hub's last heartbeat reply gave."""
        self._database.execute(self._SET_AGENT_ID, (agent_id, run_id))

    _ASK_TO_STOP = "UPDATE runs SET stop_reason = ? WHERE id = ? AND state = 'running'"
    _STOP_REASON = "SELECT stop_reason FROM runs WHERE id = ?"

    def ask_to_stop(self, run_id: str, reason: str) -> None:
        """Have the trainer stop after its epoch."""
        self._database.execute(self._ASK_TO_STOP, (reason, run_id))
        for path in journal.paths(self._journals, run_id):
            with mapped(path), contextlib.suppress(FileNotFoundError):  # the run has ended
                journal.ask_to_stop(path)

    def stop_reason(self, run_id: str) -> str:
        """Why the trainer is to stop; empty when it is not."""
        rows = self._database.rows(self._STOP_REASON, (run_id,))
        return str(rows[0]["stop_reason"]) if rows else ""

    _ADOPT = """
        UPDATE runs SET hub_id = (SELECT id FROM hubs WHERE api_url = ?) WHERE remote_id IS NULL AND state != 'running'
    """

    def adopt(self, hub: Hub) -> None:
        """Have every ended run that no hub has yet delivered to this one."""
        with self._database.transaction():
            self._hubs.save(hub)
            self._database.execute(self._ADOPT, (hub.api_url,))

    _RUNS = """
        SELECT runs.*, api_url, web_url, api_key, paused, retry_at, failures, trouble
        FROM runs JOIN hubs ON hubs.id = hub_id
    """
    _GET = f"{_RUNS} WHERE runs.id = ?"
    _LIST = f"{_RUNS} WHERE runs.state = ifnull(?, runs.state) ORDER BY started_at DESC"

    _IS_KNOWN = "SELECT 1 FROM runs WHERE id = ?"

    def is_known(self, run_id: str) -> bool:
        """Whether this outbox knows the run."""
        return bool(self._database.rows(self._IS_KNOWN, (run_id,)))

    def get(self, run_id: str) -> RunStatus | None:
        """One run, or None when this outbox does not know it."""
        rows = self._database.rows(self._GET, (run_id,))
        return self._status(rows[0]) if rows else None

    def list(self, *, state: str | None = None) -> list[RunStatus]:
        """Every run, or those in one state; newest first."""
        return [self._status(row) for row in self._database.rows(self._LIST, (state,))]

    _COUNTS = f"""
        SELECT
            count(DISTINCT iif(kind = 'metrics' AND state != 'dropped', epoch, NULL)) AS epochs_recorded,
            count(DISTINCT iif(kind = 'metrics' AND state NOT IN ('acked', 'dropped'), epoch, NULL)) AS epochs_open,
            total(kind = 'checkpoint' AND state = 'queued') AS checkpoints_pending,
            total(kind = 'checkpoint' AND state = 'acked') AS checkpoints_acknowledged,
            total(kind = 'artifact' AND state = 'queued') AS artifacts_pending,
            total(kind = 'artifact' AND state = 'acked') AS artifacts_acknowledged,
            total(iif(kind = 'artifact' AND state = 'queued', size_bytes, 0)) AS artifact_bytes_pending,
            total(iif(state = 'queued', size_bytes - sent_bytes, 0)) AS bytes_pending,
            total(state = 'queued') AS pending,
            total(kind = 'checkpoint' AND state = 'acked' AND {IS_FINAL}) AS finals_acknowledged
        FROM items WHERE {_OF_RUN}
    """  # noqa: S608 - our own constant
    _LOST = "SELECT kind, reason FROM items WHERE run_id = ? AND state = ? AND state != 'queued' ORDER BY id"

    _WAITS = "SELECT reason FROM items WHERE run_id = ? AND state = 'queued' AND reason != '' ORDER BY id LIMIT 1"

    def _status(self, row: sqlite3.Row) -> RunStatus:
        columns: dict[str, Any] = {key: row[key] for key in _COLUMNS}
        counts: dict[str, Any] = {key: int(count) for key, count in dict(self._counts(row["id"])).items()}
        epochs_open = counts.pop("epochs_open")
        dropped = self._lost(row["id"], "dropped")
        return RunStatus(
            hub=Hub.from_row(row),
            is_final_acknowledged=counts.pop("finals_acknowledged") > 0,
            epochs_acknowledged=counts["epochs_recorded"] - epochs_open,
            waits="".join(item["reason"] for item in self._database.rows(self._WAITS, (row["id"],))),
            buried=self._lost(row["id"], "buried"),
            dropped=tuple(lost for lost in dropped if not lost[1].startswith(KEPT)),
            kept=tuple((kind, reason.removeprefix(KEPT)) for kind, reason in dropped if reason.startswith(KEPT)),
            **columns,
            **counts,
        )

    _EPOCHS = f"""
        SELECT DISTINCT epoch FROM items WHERE {_OF_RUN} AND kind = 'metrics' AND state != 'dropped'
    """  # noqa: S608 - our own constant

    def epochs(self, run_id: str) -> set[int]:
        """The epochs of a run that have a row here, delivered or not; 0-based."""
        return {row["epoch"] for row in self._database.rows(self._EPOCHS, {"run": run_id})}

    def _counts(self, run_id: str) -> sqlite3.Row:
        return self._database.rows(self._COUNTS, {"run": run_id})[0]

    def _lost(self, run_id: str, state: str) -> tuple[tuple[str, str], ...]:
        return tuple((row["kind"], row["reason"]) for row in self._database.rows(self._LOST, (run_id, state)))


_COLUMNS = ("id", "remote_id", "name", "state", "epochs", "heartbeat_s", "agent_id", "started_at")
