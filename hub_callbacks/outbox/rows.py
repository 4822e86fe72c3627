"""What the outbox returns: plain values, no connection behind them. Times are Unix seconds."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from hub_callbacks.records import Record

# What a checkpoint is, as SQL, by the spelling of `to_json`; within a text, the quotes would be escaped. Not by
# SQLite's JSON functions: a body that they refuse, as with a NaN before SQLite 3.42, would look like a damaged file.
IS_FINAL = """instr(body, '"is_final": true')"""
IS_PERIODIC = """instr(body, '"is_final": false')"""
KEPT = "kept here: "  # begins the reason of a drop that a setting asks for; its name follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """Where a run is delivered to.

    Attributes:
        api_url: Root of its API; empty for the local hub.
        web_url: Root of its pages; empty for the local hub.
        api_key: The key for it; empty for the local hub, which has its own.
        paused: Why nothing is sent to it until it is resumed; empty when it is not paused.
        retry_at: Unix time before which it is not asked again.
        failures: How many requests in a row it has left unanswered; 0 when ``retry_at`` is what it asked for.
        trouble: What the last request to it met; empty when it answered.
    """

    api_url: str = ""
    web_url: str = ""
    api_key: str = ""
    paused: str = ""
    retry_at: float = 0.0
    failures: int = 0
    trouble: str = ""

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Hub:
        """The hub that a joined row names."""
        return cls(**{key: row[key] for key in cls.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One leased record with all that its delivery needs.

    Attributes:
        run_id: The id that the run was given here.
        remote_id: The hub's id for the run; None as long as it has not been created there.
        file: Name of its copy in the spool; empty for a record without one.
        upload_url: Where an earlier try has begun to send the file; empty when none has.
        attempts: How often it has been leased, this lease included.
        attempt: When the training began that the run is in now, Unix time.
    """

    id: int
    run_id: str
    remote_id: str | None
    record: Record
    file: str
    upload_url: str
    attempts: int
    attempt: float
    hub: Hub


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """How far a run's delivery has come.

    Attributes:
        remote_id: The hub's id for it; None until the hub has it.
        state: running, finished, stopped, failed or crashed, as known here.
        epochs: Number of epochs planned.
        epochs_recorded: Epochs with a row in the outbox.
        epochs_acknowledged: Those of them whose every row the hub has acknowledged.
        is_final_acknowledged: Whether the hub has the model that the training ended with.
        bytes_pending: Bytes of checkpoints and artifacts still to be sent.
        artifact_bytes_pending: Those of them that are of artifacts.
        pending: Items still to be delivered, of any kind.
        waits: What the last try of the oldest item that waits for another has met; empty when none does.
        buried: Kind and reason of each item that the hub refused.
        dropped: Kind and reason of each item that was given up here.
        kept: Kind of each file that was not taken in, and the setting that says so.
    """

    id: str
    remote_id: str | None
    hub: Hub
    name: str
    state: str
    epochs: int
    epochs_recorded: int
    epochs_acknowledged: int
    checkpoints_pending: int
    checkpoints_acknowledged: int
    is_final_acknowledged: bool
    artifacts_pending: int
    artifacts_acknowledged: int
    bytes_pending: int
    artifact_bytes_pending: int
    pending: int
    heartbeat_s: float
    agent_id: str | None
    started_at: float
    waits: str
    buried: Sequence[tuple[str, str]]
    dropped: Sequence[tuple[str, str]]
    kept: Sequence[tuple[str, str]]

    @property
    def trouble(self) -> str:
        """Why what is left is not delivered yet; empty when nothing is known to stand in the way."""
        return self.hub.paused or self.hub.trouble or self.waits

    def receipt(self) -> str:
        """What the hub has acknowledged, in words, such as ``300/300 epochs, best.pt, 9 artifacts acknowledged``."""
        final = ", best.pt" if self.is_final_acknowledged else ""
        drawn = f", {_count(self.artifacts_acknowledged, 'artifact')}" if self.artifacts_acknowledged else ""
        return f"{self.epochs_acknowledged}/{self.epochs_recorded} epochs{final}{drawn} acknowledged{self._kept()}"

    def left(self) -> list[str]:
        """What is not delivered, a line each; empty when nothing is left."""
        epochs = self.epochs_recorded - self.epochs_acknowledged
        lines = [_count(epochs, "epoch")] if epochs else []
        if self.checkpoints_pending:
            checkpoint_mb = (self.bytes_pending - self.artifact_bytes_pending) / 1e6
            lines.append(f"{_count(self.checkpoints_pending, 'checkpoint')} ({checkpoint_mb:.1f} MB)")
        if self.artifacts_pending:
            lines.append(f"{_count(self.artifacts_pending, 'artifact')} ({self.artifact_bytes_pending / 1e6:.1f} MB)")
        if self.pending and not lines:
            lines.append(_count(self.pending, "record"))
        return lines + [f"{kind} refused: {reason}" for kind, reason in self.buried]

    def _kept(self) -> str:
        files = [f"{_count(number, kind)} ({setting})" for (kind, setting), number in Counter(self.kept).items()]
        return f"; kept here: {', '.join(files)}" if files else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
