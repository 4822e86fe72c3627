"""Checkpoints: what was verified and published, and which of them a model resumes from and is used as."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Select, Table, bindparam, delete, insert, select, update

from hub_callbacks import wire
from hub_callbacks.server.store import attempts
from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.errors import NotFoundError, UploadGoneError
from hub_callbacks.server.store.models import blobs_of
from hub_callbacks.server.store.pointers import point
from hub_callbacks.server.store.rows import Checkpoint, NewCheckpoint
from hub_callbacks.server.store.schema import artifacts, checkpoints, metrics, models, run_states, uploads

_JOINED = select(
    *(column for column in checkpoints.c if column.name not in {"seq", "model_seq"}), models.c.id.label("model_id")
).join(models, models.c.seq == checkpoints.c.model_seq)
_LIVE = _JOINED.where(models.c.deleted_at.is_(None))
_PUBLISHED = update(uploads).where(uploads.c.id == bindparam("upload_id")).values(is_published=True)


@dataclass(frozen=True)
class CheckpointStore:
    """The part of the store that keeps checkpoints."""

    database: Database
    clock: Callable[[], float]

    def add_checkpoint(
        self, model_id: str, new: NewCheckpoint, *, upload_id: str = "", attempt: float | None = None
    ) -> Checkpoint:
        """Publish a verified blob as the model's checkpoint, and let the model point to it where it should.

        Args:
            model_id: The model.
            new: What is published.
            upload_id: The upload that has become this checkpoint.
            attempt: The training that it is of; None where the client does not say.

        Returns:
            The checkpoint. When these very bytes were published before for this epoch and kind, it is the first one:
            its ``blob`` then differs from the given one, which nobody needs.

        Raises:
            NotFoundError: There is no such model.
            UploadGoneError: The upload was deleted.
            SupersededError: A later training has trained that epoch anew.
        """
        with self.database.write() as connection:
            seq = live_seq(connection, model_id)
            attempts.check(connection, seq, attempt, [new.epoch], is_final=new.is_final)
            if upload_id and connection.execute(_PUBLISHED, {"upload_id": upload_id}).rowcount == 0:
                raise UploadGoneError(upload_id)
            known = connection.execute(same_content(checkpoints, seq, new)).one_or_none()
            checkpoint_id = known.id if known else self._insert(connection, seq, new)
            point(connection, seq)
            connection.execute(update(models).where(models.c.seq == seq).values(last_seen_at=self.clock()))
            return _checkpoint(connection.execute(_JOINED.where(checkpoints.c.id == checkpoint_id)).one())

    def checkpoints(self, model_id: str) -> list[Checkpoint]:
        """The model's checkpoints, newest first; none where there is no such model."""
        newest = _LIVE.where(models.c.id == model_id).order_by(checkpoints.c.seq.desc())
        with self.database.read() as connection:
            return [_checkpoint(row) for row in connection.execute(newest)]

    def get_checkpoint(self, checkpoint_id: str) -> Checkpoint | None:
        """The checkpoint, or None where there is none or its model is deleted."""
        with self.database.read() as connection:
            row = connection.execute(_LIVE.where(checkpoints.c.id == checkpoint_id)).one_or_none()
        return _checkpoint(row) if row else None

    def get_checkpoints(self, checkpoint_ids: Iterable[str]) -> dict[str, Checkpoint]:
        """Those of the checkpoints that there are, by id."""
        wanted = _LIVE.where(checkpoints.c.id.in_(list(checkpoint_ids)))
        with self.database.read() as connection:
            return {row.id: _checkpoint(row) for row in connection.execute(wanted)}

    def prune_checkpoints(self, model_id: str, *, keep: int) -> list[str]:
        """Forget the model's periodic checkpoints but the newest ``keep``, and those that it points to.

        Returns:
            The blobs that no checkpoint names any more, for the caller to delete.

        Raises:
            NotFoundError: There is no such model.
        """
        with self.database.write() as connection:
            seq = live_seq(connection, model_id)
            own = (checkpoints.c.model_seq == seq, checkpoints.c.is_final.is_(False))
            newest = select(checkpoints.c.id).where(*own).order_by(checkpoints.c.epoch.desc(), checkpoints.c.seq.desc())
            pointers = select(models.c.resume_id, models.c.weights_id).where(models.c.seq == seq)
            kept = {*connection.execute(newest.limit(keep)).scalars(), *connection.execute(pointers).one()} - {None}
            old = (*own, checkpoints.c.id.not_in(kept))
            blobs = connection.execute(select(checkpoints.c.blob).where(*old)).scalars().all()
            connection.execute(delete(checkpoints).where(*old))
        return list(blobs)

    def reset_model(self, model_id: str) -> list[str]:
        """Make the model new again: its metrics, checkpoints and artifacts go, and none come late.

        Returns:
            The blobs that no checkpoint names any more, for the caller to delete.

        Raises:
            NotFoundError: There is no such model.
        """
        with self.database.write() as connection:
            seq = live_seq(connection, model_id)
            blobs = blobs_of(connection, seq)
            for table in (checkpoints, uploads, artifacts, metrics, run_states):
                connection.execute(delete(table).where(table.c.model_seq == seq))
            connection.execute(update(models).where(models.c.seq == seq).values(**_NEW, **attempts.RESET))
        return blobs

    def _insert(self, connection: Connection, seq: int, new: NewCheckpoint) -> str:
        checkpoint_id = wire.new_id()
        row = {**asdict(new), "id": checkpoint_id, "model_seq": seq, "created_at": self.clock()}
        connection.execute(insert(checkpoints), row)
        return checkpoint_id


_NEW = {
    "status": "new",
    **dict.fromkeys(("best", "last", "summary"), "{}"),
    **dict.fromkeys(("last_epoch", "last_row_at", "epoch_times", "resume_id", "weights_id")),
    **dict.fromkeys(("state", "state_at", "started_at", "finished_at", "last_seen_at", "stop_reason")),
    "reason": "",
}


def live_seq(connection: Connection, model_id: str) -> int:
    """The model's row number; the row is this transaction's until it ends.

    Raises:
        NotFoundError: There is no such model.
    """
    live = select(models.c.seq).where(models.c.id == model_id, models.c.deleted_at.is_(None))
    row = connection.execute(live.with_for_update(key_share=True)).one_or_none()
    if row is None:
        raise NotFoundError(model_id)
    return int(row.seq)


def same_content(table: Table, model_seq: int, new: NewCheckpoint) -> Select[Any]:
    """The ids of the table's rows that are the same checkpoint: of the same model, kind and epoch, the same bytes."""
    return select(table.c.id).where(
        table.c.model_seq == model_seq,
        table.c.is_final.is_(new.is_final),
        table.c.epoch == new.epoch,
        table.c.sha256 == new.sha256,
    )


def _checkpoint(row: Any) -> Checkpoint:
    return Checkpoint(**row._mapping)
