"""Models: created, listed, patched, deleted, and how their runs stand."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from hub_callbacks import wire
from hub_callbacks.server.store import attempts, documents, states, values
from hub_callbacks.server.store.access import live_project, visible
from hub_callbacks.server.store.database import Database
from hub_callbacks.server.store.errors import IdTakenError, NotFoundError
from hub_callbacks.server.store.history import note_state
from hub_callbacks.server.store.paging import after, next_cursor
from hub_callbacks.server.store.rows import Caller, Contact, Model, Page
from hub_callbacks.server.store.schema import artifacts, checkpoints, models, uploads

_SEARCHED = (models.c.id, models.c.name, models.c.project, models.c.dataset, models.c.parent, models.c.architecture)
_JSON = ("document", "args", "environment")
_VALUES = ("best", "last", "summary")
_PLAIN = (
    *("id", "owner", "name", "project", "dataset", "architecture", "parent", "task", "status", "state", "state_at"),
    *("reason", "epochs", "last_epoch", "resume_id", "weights_id", "created_at", "started_at", "finished_at"),
    *("last_seen_at", "last_row_at", "stop_reason", "is_public", "dataset_id", "attempt_at"),
)
_EMPTY = {"reason": "", "project": "", "task": "", **dict.fromkeys((*_JSON, *_VALUES), "{}")}
_TAKEN_OVER = "The run is trained elsewhere by now."
_RESET = "The run was reset on the hub."


@dataclass(frozen=True)
class ModelStore:
    """The part of the store that keeps models."""

    database: Database
    clock: Callable[[], float]

    def create_model(self, body: Mapping[str, Any], *, owner: str) -> Model:
        """A new model of ``owner`` (a user id) from a HUB v1 body, with our extensions ``id`` and ``run``.

        Asked again with an id that is the same owner's, it returns that model: a repeated request changes nothing, and
        one whose run began later (a training that was resumed) updates what the body says, but for the name, the
        project and the hub's own data set that the model has, and supersedes what earlier ones have said of the epochs
        from ``run.startEpoch`` on.

        Raises:
            IdTakenError: The id is another owner's, or that of a deleted model.
            NotFoundError: The body names a project that there is not.
        """
        model_id = str(body.get("id") or wire.new_id())
        try:
            return self._create(model_id, body, owner=owner)
        except IntegrityError:  # on PostgreSQL, the same request has just made it
            return self._create(model_id, body, owner=owner)

    def _create(self, model_id: str, body: Mapping[str, Any], *, owner: str) -> Model:
        known = select(models).where(models.c.id == model_id).with_for_update(key_share=True)
        with self.database.write() as connection:
            row = connection.execute(known).one_or_none()
            if row is None:
                creation = self._creation(model_id, body, owner=owner)
                connection.execute(insert(models), creation | _project(connection, body))
                note_state(connection, _live(connection, model_id).seq, creation)
            elif row.owner != owner or row.deleted_at is not None:
                raise IdTakenError(model_id)
            else:
                self._restart(connection, row, body)
            return _model(_live(connection, model_id))

    def get_model(self, model_id: str) -> Model | None:
        """The model, or None where there is none or it is deleted."""
        with self.database.read() as connection:
            row = connection.execute(_select(model_id)).one_or_none()
        return _model(row) if row else None

    def list_models(
        self, caller: Caller | None, *, limit: int, cursor: str | None = None, query: str = "", offset: int = 0
    ) -> Page:
        """Models that the caller may read and that contain the query in a name, newest first.

        Args:
            caller: Who asks; None for anyone, who reads what is public.
            limit: At most so many, 1 or more.
            cursor: The `Page.cursor` of the page before.
            query: Looked for in id, name, project, data set and network, whatever the case.
            offset: Models to leave out first, for clients that count pages.

        Raises:
            BadCursorError: The cursor is not one of ours.
        """
        matches = [models.c.deleted_at.is_(None), visible(models, caller)]
        if query:
            matches.append(documents.contains(query, *_SEARCHED))
        page = after(select(models).where(*matches), models, cursor).limit(limit + 1).offset(offset)
        with self.database.read() as connection:
            total = connection.execute(select(func.count()).select_from(models).where(*matches)).scalar_one()
            rows = connection.execute(page).all()
        return Page(models=[_model(row) for row in rows[:limit]], total=total, cursor=next_cursor(rows, limit=limit))

    def update_model(self, model_id: str, patch: Mapping[str, Any], *, attempt: float | None = None) -> Model:
        """Lay a HUB v1 document over the model's, object by object; our ``run`` and ``summary`` may be in it.

        Raises:
            NotFoundError: There is no such model, or the patch names a project that there is not.
            ValueError: A value of ``summary`` is not a number.
            SupersededError: It is an earlier ``attempt`` than the model's that says so.
        """
        with self.database.write() as connection:
            row = _live(connection, model_id)
            if attempts.is_earlier(attempt, row):
                raise attempts.refusal(attempt, row)
            document = documents.merge(json.loads(row.document), documents.hub_part(patch))
            changes = documents.document_columns(document)
            if "config" not in patch:
                changes.pop("epochs", None)  # the run may know better by now
            changes |= documents.run_columns(patch.get("run") or {})
            changes |= _project(connection, patch)
            if patch.get("summary") is not None:
                scores = {name: values.number(value) for name, value in patch["summary"].items()}
                changes["summary"] = values.dump({**values.load(row.summary), **scores})
            _set(connection, row.seq, changes)
            return _model(_live(connection, model_id))

    def delete_model(self, model_id: str, *, hard: bool) -> list[str]:
        """Hide the model for good or, when ``hard``, remove it with its metrics and checkpoints.

        Returns:
            The blobs that no checkpoint names any more, for the caller to delete.

        Raises:
            NotFoundError: There is no such model.
        """
        with self.database.write() as connection:
            seq = _live(connection, model_id).seq
            if not hard:
                _set(connection, seq, {"deleted_at": self.clock()})
                return []
            blobs = blobs_of(connection, seq)
            connection.execute(delete(models).where(models.c.seq == seq))
            return blobs

    def restore_model(self, model_id: str) -> None:
        """Show a model again that was hidden; nothing happens where it is not."""
        with self.database.write() as connection:
            connection.execute(update(models).where(models.c.id == model_id).values(deleted_at=None))

    def set_state(
        self,
        model_id: str,
        state: wire.RunState,
        *,
        reason: str = "",
        at: float | None = None,
        attempt: float | None = None,
    ) -> Model:
        """Take a report of how the run stands, made at ``at`` (now when None), unless what is known outranks it.

        What an earlier attempt says is known better.

        Raises:
            NotFoundError: There is no such model.
        """
        at = max(self.clock() if at is None else at, attempt or 0.0)  # an attempt ends after it began
        with self.database.write() as connection:
            row = _live(connection, model_id)
            if attempts.is_earlier(attempt, row):
                return _model(row)
            changes: dict[str, Any] = {"last_seen_at": self.clock()}
            if states.supersedes(state, at, current=row.state, current_at=row.state_at):
                changes |= _state(state, at, reason)
            _set(connection, row.seq, changes)
            return _model(_live(connection, model_id))

    def ask_to_stop(self, model_id: str, *, reason: str) -> bool:
        """Have the run's agent told to stop, with every sign of life until the run ends or starts anew.

        Returns:
            Whether the agent can be told: the run is not over, and its client is none of HUB v1.

        Raises:
            NotFoundError: There is no such model.
        """
        with self.database.write() as connection:
            row = _live(connection, model_id)
            is_running = row.state is not None and row.state not in states.OVER
            if is_running and row.stop_reason is None:
                _set(connection, row.seq, {"stop_reason": reason})
        return is_running

    def touch(self, model_id: str, *, agent_id: str | None = None, attempt: float | None = None) -> Contact:
        """Note a sign of life of the model's trainer; a run believed silent or crashed is running again.

        A trainer that another has taken the run over from is to stop.

        Returns:
            The agent's id, the given one or a new one, and what it is to do.

        Raises:
            NotFoundError: There is no such model.
        """
        agent_id = agent_id or wire.new_id()
        with self.database.write() as connection:
            row = _live(connection, model_id)
            if attempts.is_earlier(attempt, row):
                return Contact(agent_id=agent_id, stop_reason=_TAKEN_OVER if row.state else _RESET)
            changes: dict[str, Any] = {"last_seen_at": self.clock(), "agent_id": agent_id}
            if row.state in states.INFERRED:
                changes |= _state("running", self.clock(), "")
            _set(connection, row.seq, changes)
        return Contact(agent_id=agent_id, stop_reason=row.stop_reason)

    def _creation(self, model_id: str, body: Mapping[str, Any], *, owner: str) -> dict[str, Any]:
        run = body.get("run") or {}
        document = documents.document_columns(documents.hub_part(body))
        row = {**_EMPTY, **document, **documents.run_columns(run), **self._start(run)}
        return {**row, "id": model_id, "owner": owner, "status": "new", "created_at": self.clock()}

    def _restart(self, connection: Connection, row: Any, body: Mapping[str, Any]) -> None:
        run = body.get("run") or {}
        started_at = run.get("startedAt")
        if started_at is None or (row.attempt_at is not None and started_at <= row.attempt_at):
            return  # the same request again, or that of an earlier attempt
        kept: dict[str, Any] = {}  # a person's words, perhaps; the trainer's are those of its folders
        if row.name:
            kept["meta"] = {"name": row.name}
        if row.dataset_id:
            kept["dataset"] = {"name": row.dataset}
        document = documents.merge(documents.merge(json.loads(row.document), documents.hub_part(body)), kept)
        run = {**run, "project": row.project or run.get("project")}
        changes = documents.document_columns(document) | documents.run_columns(run) | self._start(run)
        changes |= attempts.supersede(connection, row.seq, first_epoch=changes["attempt_epoch"])
        _set(connection, row.seq, {**changes, "started_at": row.started_at or started_at})

    def _start(self, run: Mapping[str, Any]) -> dict[str, Any]:
        started_at = run.get("startedAt")
        if started_at is None:
            return {}
        changes = {"started_at": started_at, "last_seen_at": self.clock(), "stop_reason": None}
        attempt = {"attempt_at": started_at, "attempt_epoch": run.get("startEpoch") or 0}
        return changes | attempt | _state("running", started_at, "")


def blobs_of(connection: Connection, model_seq: int) -> list[str]:
    """The blobs of a model that is about to lose them: of its checkpoints, of what has not become one, of artifacts."""
    return [
        blob
        for table in (checkpoints, uploads, artifacts)
        for blob in connection.execute(select(table.c.blob).where(table.c.model_seq == model_seq)).scalars()
    ]


def _project(connection: Connection, body: Mapping[str, Any]) -> dict[str, Any]:
    """The column that says which project the model is in, where the body does."""
    if "projectId" not in body:
        return {}
    return {"project_seq": live_project(connection, body["projectId"]) if body["projectId"] else None}


def _state(state: wire.RunState, at: float, reason: str) -> dict[str, Any]:
    changes: dict[str, Any] = {"state": state, "state_at": at, "reason": reason, "finished_at": None}
    return changes | ({"finished_at": at, "stop_reason": None} if state in states.OVER else {})


def _select(model_id: str) -> Any:
    return select(models).where(models.c.id == model_id, models.c.deleted_at.is_(None))


def _live(connection: Connection, model_id: str) -> Any:
    row = connection.execute(_select(model_id).with_for_update(key_share=True)).one_or_none()
    if row is None:
        raise NotFoundError(model_id)
    return row


def _set(connection: Connection, seq: int, changes: Mapping[str, Any]) -> None:
    connection.execute(update(models).where(models.c.seq == seq).values(**changes))
    note_state(connection, seq, changes)


def _model(row: Any) -> Model:
    plain = {name: getattr(row, name) for name in _PLAIN}
    texts = {name: json.loads(getattr(row, name)) for name in _JSON}
    numbers: dict[str, Any] = {name: values.load(getattr(row, name)) for name in _VALUES}
    epoch_times = json.loads(row.epoch_times or "[]")
    epoch_s = statistics.median(epoch_times) if epoch_times else None
    return Model(**plain, **texts, **numbers, config=documents.config(texts["document"]), epoch_s=epoch_s)
