"""The queue of items: put, lease, ack, retry, bury."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from hub_callbacks.errors import RecordError
from hub_callbacks.outbox.rows import IS_PERIODIC, Hub, Item
from hub_callbacks.outbox.schema import Database
from hub_callbacks.records import Artifact, Checkpoint, Metrics, Record, from_json, to_json

# No pause is longer: a time further ahead was written before the clock was set back, and is over.
HORIZON_S = 900.0


class Queue:
    """The items of one outbox.

    Every method returns when its change is committed, and raises `OutboxError` when it cannot be.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    _PUT = "INSERT INTO items (run_id, kind, epoch, body, file, size_bytes, due_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
    _MAKE_DUE = "UPDATE items SET due_at = ? WHERE run_id = ? AND state = 'queued' AND attempts = 0 AND due_at > ?"
    _SUPERSEDED = f"""
        SELECT id, file FROM items WHERE run_id = ? AND kind = 'checkpoint' AND state = 'queued'
        AND leased_until <= ? AND {IS_PERIODIC}
    """  # noqa: S608 - our own constant

    def put(self, run_id: str, record: Record, *, due_at: float, file: str = "") -> None:
        """Queue a record of a known run.

        Args:
            run_id: The run that says it.
            record: What it says.
            due_at: Unix time from which it may be delivered, at most `HORIZON_S` ahead.
            file: Name of its copy in the spool.
        """
        epoch = record.epoch if isinstance(record, (Metrics, Checkpoint, Artifact)) else None
        size_bytes = record.size_bytes if isinstance(record, (Checkpoint, Artifact)) else 0
        self._database.execute(self._PUT, (run_id, record.kind, epoch, to_json(record), file, size_bytes, due_at))

    def make_due(self, run_id: str, now: float) -> None:
        """Let everything of the run that was never tried be delivered from now on."""
        self._database.execute(self._MAKE_DUE, (now, run_id, now))

    def supersede(self, run_id: str, record: Checkpoint, *, file: str) -> list[str]:
        """Queue a periodic checkpoint in place of those of its run that nobody has begun to send.

        Returns:
            Their names in the spool.
        """
        with self._database.transaction():
            rows = self._database.rows(self._SUPERSEDED, (run_id, record.recorded_at))
            self._settle([row["id"] for row in rows], "dropped", "superseded by a newer checkpoint")
            self.put(run_id, record, due_at=record.recorded_at, file=file)
        return [row["file"] for row in rows]

    _PERIODIC = f"""
        SELECT id, file FROM items INDEXED BY items_queued WHERE kind = 'checkpoint' AND state = 'queued'
        AND leased_until <= ? AND {IS_PERIODIC} ORDER BY id LIMIT 1
    """  # noqa: S608 - our own constant
    _DROP = """
        INSERT INTO items (run_id, kind, epoch, body, size_bytes, due_at, state, reason)
        VALUES (?, ?, ?, ?, ?, ?, 'dropped', ?)
    """

    def drop_oldest_periodic(self, now: float, reason: str) -> str | None:
        """Drop the oldest periodic checkpoint, of any run, that nobody has begun to send; its name in the spool."""
        with self._database.transaction():
            rows = self._database.rows(self._PERIODIC, (now,))
            self._settle([row["id"] for row in rows], "dropped", reason)
        return rows[0]["file"] if rows else None

    def count_dropped(self, run_id: str, record: Checkpoint | Artifact, reason: str) -> None:
        """Keep count of a file that could not or must not be taken in, with the reason."""
        values = (run_id, record.kind, record.epoch, to_json(record), record.size_bytes, record.recorded_at, reason)
        self._database.execute(self._DROP, values)

    # Of a training that continues a run nothing goes before its own beginning: what the hub has of the epochs from its
    # first one on is removed when it hears of that.
    _LEASABLE = """
        SELECT items.id, run_id, remote_id, kind, body, file, attempts, upload_url, started_at,
            api_url, web_url, api_key, paused, retry_at, failures, trouble
        FROM items INDEXED BY items_queued JOIN runs ON runs.id = run_id JOIN hubs ON hubs.id = hub_id
        LEFT JOIN (
            SELECT run_id AS begun_run_id, min(id) AS begun_id FROM items INDEXED BY items_beginning
            WHERE state = 'queued' AND kind = 'run_started' GROUP BY run_id
        ) ON begun_run_id = run_id
        WHERE items.state = 'queued' AND paused = '' AND leased_until <= :now AND items.id <= ifnull(begun_id, items.id)
            AND (due_at <= :now OR due_at > :horizon) AND (retry_at <= :now OR retry_at > :horizon)
            AND (kind = 'run_started' OR remote_id IS NOT NULL) AND (kind IN ('checkpoint', 'artifact')) = :files
        ORDER BY kind = 'artifact', items.id LIMIT :limit
    """
    _LEASE = """
        UPDATE items SET attempts = attempts + 1, leased_until = ?
        WHERE id = ? AND state = 'queued' AND leased_until <= ?
    """

    def lease(self, *, files: bool, limit: int, now: float, lease_s: float) -> list[Item]:
        """Take items that are due, oldest first, artifacts last, for a time in which no one else gets them.

        One that cannot be read, as a later release may have written it, is buried with the reason.

        Args:
            files: True for checkpoints and artifacts, False for all else.
            limit: Most items to take.
            now: Unix time.
            lease_s: Seconds after which an item that was neither acknowledged, retried nor buried is due again.
        """
        values = {"now": now, "horizon": now + HORIZON_S, "files": files, "limit": limit}
        rows = self._database.rows(self._LEASABLE, values)  # looking takes no write lock
        if not rows:
            return []
        with self._database.transaction():
            leased = [row for row in rows if self._database.execute(self._LEASE, (now + lease_s, row["id"], now))]
            return [item for row in leased for item in self._readable(row)]

    def _readable(self, row: sqlite3.Row) -> Iterator[Item]:
        try:
            yield _item(row)
        except RecordError as error:
            self._settle([row["id"]], "buried", str(error))

    _NOTE_SENT = "UPDATE items SET sent_bytes = ? WHERE id = ?"
    _RETRY = (
        "UPDATE items SET due_at = ?, leased_until = 0, sent_bytes = 0, reason = ? WHERE id = ? AND state = 'queued'"
    )

    _NOTE_UPLOAD_URL = "UPDATE items SET upload_url = ? WHERE id = ?"

    def note_upload_url(self, item_id: int, url: str) -> None:
        """Note where the hub takes an item's bytes, so that another try, or another courier, continues there."""
        self._database.execute(self._NOTE_UPLOAD_URL, (url, item_id))

    def note_sent(self, item_id: int, sent_bytes: int) -> None:
        """Note how much of an item's file is on its way."""
        self._database.execute(self._NOTE_SENT, (sent_bytes, item_id))

    def ack(self, ids: Iterable[int]) -> None:
        """Mark items as delivered: the hub has said so."""
        with self._database.transaction():
            self._settle(ids, "acked", "")

    def drop(self, ids: Iterable[int], reason: str) -> None:
        """Give leased items up, since their hub has no use for them; the reason is kept."""
        with self._database.transaction():
            self._settle(ids, "dropped", reason)

    def retry(self, ids: Iterable[int], *, due_at: float, reason: str) -> None:
        """Give leased items back, to be tried again from a time on."""
        with self._database.transaction():
            self._database.executemany(self._RETRY, [(due_at, reason, item) for item in ids])

    def bury(self, ids: Iterable[int], reason: str) -> None:
        """Keep items that the hub refused for good, with the reason, until `revive`."""
        with self._database.transaction():
            self._settle(ids, "buried", reason)

    _RELEASE = "UPDATE items SET leased_until = 0 WHERE state = 'queued' AND leased_until > 0"

    def release(self) -> None:
        """Take back every lease: the caller is the outbox's only courier, and the one before it is gone."""
        self._database.execute(self._RELEASE)

    _REVIVE = "UPDATE items SET state = 'queued', reason = '', due_at = ? WHERE state = 'buried'"
    _HASTEN = "UPDATE items SET due_at = ? WHERE state = 'queued' AND due_at > ?"

    def revive(self, now: float) -> None:
        """Make everything due at once: what waits for its time, and what was buried."""
        with self._database.transaction():
            self._database.execute(self._REVIVE, (now,))
            self._database.execute(self._HASTEN, (now, now))

    _PENDING = "SELECT count(*) AS n FROM items WHERE state = 'queued'"
    _HAS_WORK = """
        SELECT 1 FROM items JOIN runs ON runs.id = run_id JOIN hubs ON hubs.id = hub_id
        WHERE items.state = 'queued' AND paused = '' AND (remote_id IS NOT NULL OR EXISTS (
            SELECT 1 FROM items AS creation
            WHERE creation.run_id = runs.id AND creation.kind = 'run_started' AND creation.state = 'queued'))
        LIMIT 1
    """
    _SPOOLED = "SELECT file FROM items WHERE file != '' AND state IN ('queued', 'buried')"

    def pending(self) -> int:
        """Number of items still to be delivered."""
        return int(self._database.rows(self._PENDING)[0]["n"])

    def has_work(self) -> bool:
        """Whether anything can be delivered, now or later, without a person: no paused hub, no refused run."""
        return bool(self._database.rows(self._HAS_WORK))

    def spooled(self) -> set[str]:
        """Names in the spool that an undelivered item needs."""
        return {row["file"] for row in self._database.rows(self._SPOOLED)}

    # A row stays for the count; its body only where it is still asked for.
    _SETTLE = """
        UPDATE items SET state = :state, reason = :reason, leased_until = 0,
            body = iif(:state = 'buried' OR kind = 'checkpoint', body, '')
        WHERE id = :id AND state = 'queued'
    """

    def _settle(self, ids: Iterable[int], state: str, reason: str) -> None:
        self._database.executemany(self._SETTLE, [{"state": state, "reason": reason, "id": item} for item in ids])


def _item(row: sqlite3.Row) -> Item:
    return Item(
        id=row["id"],
        run_id=row["run_id"],
        remote_id=row["remote_id"],
        record=from_json(row["kind"], row["body"]),
        file=row["file"],
        upload_url=row["upload_url"],
        attempts=row["attempts"] + 1,
        attempt=row["started_at"],
        hub=Hub.from_row(row),
    )
