"""Uploads that come in several requests: how far each is, and until when it is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from hub_callbacks import wire
from hub_callbacks.server.store import attempts
from hub_callbacks.server.store.checkpoints import live_seq, same_content
from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.errors import TooManyUploadsError
from hub_callbacks.server.store.rows import NewCheckpoint, Upload
from hub_callbacks.server.store.schema import checkpoints, models, uploads

TTL_S = 86400.0  # since its last byte: a machine that is off for the night goes on in the morning

_UPLOADS = select(
    *(column for column in uploads.c if column.name not in {"model_seq", "key_id"}), models.c.id.label("model_id")
).join(models, models.c.seq == uploads.c.model_seq)
_ADVANCE = (
    update(uploads)
    .where(uploads.c.id == bindparam("upload_id"), uploads.c.offset_bytes == bindparam("from_bytes"))
    .values(offset_bytes=bindparam("to_bytes"), expires_at=bindparam("until"))
)
_SEEN = (
    update(models)
    .where(models.c.seq == select(uploads.c.model_seq).where(uploads.c.id == bindparam("upload_id")).scalar_subquery())
    .values(last_seen_at=bindparam("now"))
)


@dataclass(frozen=True)
class UploadStore:
    """The part of the store that keeps uploads. What is published stays until it expires, so that its client hears."""

    database: Database
    clock: Callable[[], float]

    def create_upload(
        self,
        model_id: str,
        new: NewCheckpoint,
        *,
        attempt: float | None = None,
        key_id: str = "",
        at_most: int | None = None,
    ) -> Upload:
        """An upload of that content, which will lie in the blob ``new.blob``.

        Args:
            model_id: The model.
            new: The content, as its client says.
            attempt: Which start of the training it is from.
            key_id: The key that it comes with.
            at_most: Uploads that the key may have in progress, with this one.

        Returns:
            The upload. One that was begun before is found again, with its own blob; where the checkpoint is published
            already, the upload is, too.

        Raises:
            NotFoundError: There is no such model.
            TooManyUploadsError: The key has others in progress, as many as it may.
            SupersededError: A later training than ``attempt`` has trained that epoch anew.
        """
        with self.database.write() as connection:
            seq = live_seq(connection, model_id)
            attempts.check(connection, seq, attempt, [new.epoch], is_final=new.is_final)
            upload_id = self._begun(connection, seq, new) if new.sha256 else None  # unnamed content is like no other
            if upload_id is None:
                upload_id = wire.new_id()
                is_published = connection.execute(same_content(checkpoints, seq, new)).first() is not None
                if at_most is not None and not is_published and self._in_progress(connection, key_id) >= at_most:
                    raise TooManyUploadsError
                row = self._row(upload_id, seq, new, is_published=is_published)
                connection.execute(insert(uploads), {**row, "key_id": key_id or None})
            connection.execute(update(uploads).where(uploads.c.id == upload_id).values(expires_at=self._until()))
            return _upload(connection.execute(_UPLOADS.where(uploads.c.id == upload_id)).one())

    def get_upload(self, model_id: str, upload_id: str) -> Upload | None:
        """The upload, expired or not; None where that model has none of this id."""
        wanted = _UPLOADS.where(uploads.c.id == upload_id, models.c.id == model_id)
        with self.database.read() as connection:
            row = connection.execute(wanted).one_or_none()
        return _upload(row) if row else None

    def advance_upload(self, upload: Upload, offset_bytes: int) -> float | None:
        """Note up to where the bytes that come count; when it will expire now. The run has been heard of.

        A power cut may take the note.

        Returns:
            When it will expire now; None where the upload is not, or no more, at the offset that ``upload`` says.
        """
        until, now = self._until(), self.clock()
        step = {"upload_id": upload.id, "from_bytes": upload.offset_bytes, "to_bytes": offset_bytes, "until": until}
        with self.database.note() as connection:
            connection.execute(_SEEN, {"upload_id": upload.id, "now": now})  # the model first, as everybody does
            is_there = connection.execute(_ADVANCE, step).rowcount == 1
        return until if is_there else None

    def delete_upload(self, upload_id: str) -> None:
        """Forget the upload."""
        with self.database.write() as connection:
            connection.execute(delete(uploads).where(uploads.c.id == upload_id))

    def expire_uploads(self) -> list[str]:
        """Forget the uploads whose time is over.

        Returns:
            The blobs of those that had not become a checkpoint, for the caller to delete.
        """
        expired = uploads.c.expires_at <= self.clock()
        unfinished = select(uploads.c.blob).where(expired, uploads.c.is_published.is_(False))
        with self.database.write() as connection:
            blobs = connection.execute(unfinished).scalars().all()
            connection.execute(delete(uploads).where(expired))
        return list(blobs)

    def uploads_in_progress(self, key_id: str) -> int:
        """How many uploads the key has begun that have neither ended nor expired."""
        with self.database.read() as connection:
            return self._in_progress(connection, key_id)

    def _in_progress(self, connection: Connection, key_id: str) -> int:
        wanted = select(func.count()).select_from(uploads)
        own = (uploads.c.key_id == key_id, uploads.c.is_published.is_(False), uploads.c.expires_at > self.clock())
        return int(connection.execute(wanted.where(*own)).scalar_one())

    def _begun(self, connection: Connection, seq: int, new: NewCheckpoint) -> str | None:
        begun = same_content(uploads, seq, new).where(
            uploads.c.size_bytes == new.size_bytes, uploads.c.expires_at > self.clock()
        )
        return connection.execute(begun.limit(1)).scalar_one_or_none()

    def _row(self, upload_id: str, seq: int, new: NewCheckpoint, *, is_published: bool) -> dict[str, Any]:
        own = {"id": upload_id, "model_seq": seq, "offset_bytes": 0, "is_published": is_published}
        return {**asdict(new), **own, "expires_at": self._until()}

    def _until(self) -> float:
        return self.clock() + TTL_S


def _upload(row: Any) -> Upload:
    return Upload(**row._mapping)
