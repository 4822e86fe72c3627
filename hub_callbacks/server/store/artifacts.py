"""Artifacts: what a training has drawn, one of each name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from hub_callbacks import wire
from hub_callbacks.server.store import attempts
from hub_callbacks.server.store.checkpoints import live_seq
from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.errors import TooManyArtifactsError
from hub_callbacks.server.store.rows import Artifact, NewArtifact
from hub_callbacks.server.store.schema import artifacts, models

_END = 2**31 - 1  # the epoch of what is drawn at the end of a training
_JOINED = select(
    *(column for column in artifacts.c if column.name not in {"seq", "model_seq"}), models.c.id.label("model_id")
).join(models, models.c.seq == artifacts.c.model_seq)
_LIVE = _JOINED.where(models.c.deleted_at.is_(None))


@dataclass(frozen=True)
class ArtifactStore:
    """The part of the store that keeps artifacts."""

    database: Database
    clock: Callable[[], float]

    def put_artifact(
        self, model_id: str, new: NewArtifact, *, at_most: int, attempt: float | None = None
    ) -> tuple[Artifact, str | None]:
        """Publish a verified blob as the model's artifact of that name, in place of the one before.

        Args:
            model_id: The model.
            new: What is published.
            at_most: Artifacts of one model.
            attempt: When the training began that has drawn it; None where its client does not say.

        Returns:
            The artifact, and the blob that nobody needs any more, for the caller to delete. Where the same bytes are
            here under that name already, it is the first artifact, and the blob is the given one.

        Raises:
            NotFoundError: There is no such model.
            TooManyArtifactsError: It has so many already.
            SupersededError: A later training than ``attempt`` has trained that epoch anew.
        """
        with self.database.write() as connection:
            seq = live_seq(connection, model_id)
            attempts.check(connection, seq, attempt, [_END if new.epoch is None else new.epoch])
            same_name = (artifacts.c.model_seq == seq, artifacts.c.name == new.name)
            known = connection.execute(select(artifacts.c.id, artifacts.c.sha256, artifacts.c.blob).where(*same_name))
            before = known.one_or_none()
            unneeded: str | None = before.blob if before else None
            if before and before.sha256 == new.sha256:
                artifact_id, unneeded = before.id, new.blob
            else:
                connection.execute(delete(artifacts).where(*same_name))
                artifact_id = self._add(connection, seq, new, at_most)
            connection.execute(update(models).where(models.c.seq == seq).values(last_seen_at=self.clock()))
            return _artifact(connection.execute(_JOINED.where(artifacts.c.id == artifact_id)).one()), unneeded

    def artifacts(self, model_id: str) -> list[Artifact]:
        """The model's artifacts by name; none where there is no such model."""
        with self.database.read() as connection:
            rows = connection.execute(_LIVE.where(models.c.id == model_id).order_by(artifacts.c.name))
            return [_artifact(row) for row in rows]

    def artifacts_named(self, model_ids: Sequence[str], names: Sequence[str]) -> list[Artifact]:
        """The artifacts of those names that the models have."""
        with self.database.read() as connection:
            rows = connection.execute(_LIVE.where(models.c.id.in_(model_ids), artifacts.c.name.in_(names)))
            return [_artifact(row) for row in rows]

    def get_artifact(self, model_id: str, artifact_id: str) -> Artifact | None:
        """The artifact, or None where that model has none of this id, or is deleted."""
        wanted = _LIVE.where(models.c.id == model_id, artifacts.c.id == artifact_id)
        with self.database.read() as connection:
            row = connection.execute(wanted).one_or_none()
        return _artifact(row) if row else None

    def _add(self, connection: Connection, seq: int, new: NewArtifact, at_most: int) -> str:
        count = select(func.count()).select_from(artifacts).where(artifacts.c.model_seq == seq)
        if connection.execute(count).scalar_one() >= at_most:
            raise TooManyArtifactsError(at_most)
        artifact_id = wire.new_id()
        row = {**asdict(new), "id": artifact_id, "model_seq": seq, "created_at": self.clock()}
        connection.execute(insert(artifacts), row)
        return artifact_id


def _artifact(row: Any) -> Artifact:
    return Artifact(**row._mapping)
