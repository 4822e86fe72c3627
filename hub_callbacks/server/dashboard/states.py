"""How a run stands, judged at the moment it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hub_callbacks.server.dashboard.formats import duration
from hub_callbacks.server.store.rows import Model

SILENT_AFTER_S = 660.0  # two heartbeats of HUB v1 (300 s each) are missing, and a minute for the way

Word = Literal["new", "running", "silent", "finished", "stopped", "failed", "crashed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownState:
    """What the page says.

    Attributes:
        word: The state, in one word; the style sheet colours it.
        reason: Why, in one line; may be empty.
        is_live: Whether more may come soon.
    """

    word: Word
    reason: str
    is_live: bool


def judge(model: Model, *, now: float) -> ShownState:
    """The state as last reported, but ``silent`` where a running trainer has not been heard for too long.

    Clients of HUB v1 report no state: theirs follows from the status and from when they were last heard.
    """
    word: Word = model.state or _state_of_old_client(model)
    silence_s = now - (model.last_seen_at or model.started_at or model.created_at)
    if word == "silent" or (word == "running" and silence_s > SILENT_AFTER_S):
        reason = model.reason or f"Nothing heard from the trainer for {duration(silence_s)}."
        return ShownState(word="silent", reason=reason, is_live=True)
    return ShownState(word=word, reason=model.reason, is_live=word in {"new", "running"})


def _state_of_old_client(model: Model) -> Word:
    if model.status == "trained":
        return "finished"
    return "new" if model.last_seen_at is None and model.last_epoch is None else "running"
