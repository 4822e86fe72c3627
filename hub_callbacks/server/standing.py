"""How a run stands, judged at the moment it is shown: the one place that says so, for the API and for the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub_callbacks.server.dashboard.formats import duration
from hub_callbacks.server.store.rows import Model
from hub_callbacks.server.store.runs import Horizon
from hub_callbacks.server.store.states import OVER
from hub_callbacks.wire import JudgedState

OLD_CLIENT_SILENT_S: Final = 660.0  # two heartbeats of HUB v1 (300 s each) are missing, and a minute for the way
SILENT_BEATS: Final = 3  # so many heartbeats at our own interval are missing
STALLED_EPOCHS: Final = 10  # an epoch takes so many times as long as epochs usually take
STALLED_S: Final = 600.0  # and this long, for a validation or a slow disk may stretch a short epoch
FIRST_EPOCH_S: Final = 86400.0  # nobody knows how long it takes: data are fetched and cached before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a run stands.

    Attributes:
        word: The state, in one word.
        reason: Why, in one line; may be empty.
        since: Since when, Unix time, seconds.
        is_live: Whether more may come soon.
    """

    word: JudgedState
    reason: str
    since: float
    is_live: bool


def judge(model: Model, *, now: float, heartbeat_s: float) -> Standing:
    """The state as last reported, but ``silent`` or ``stalled`` where too little was heard since.

    Args:
        model: The run.
        now: Unix time, seconds.
        heartbeat_s: Seconds between the heartbeats that the hub asks for.
    """
    word = model.state or _state_of_old_client(model)
    if word in OVER or word == "new":
        since = model.state_at or (model.last_seen_at if word in OVER else None) or model.created_at
        return Standing(word=word, reason=model.reason, since=since, is_live=word == "new")
    seen_at = model.last_seen_at or model.started_at or model.created_at
    if now - seen_at > _patience_s(model, heartbeat_s):
        reason = f"Nothing heard from the trainer for {duration(now - seen_at)}."
        return Standing(word="silent", reason=reason, since=seen_at, is_live=True)
    progress_at = max(model.last_row_at or 0.0, model.state_at or 0.0, model.created_at)
    if now - progress_at > _longest_epoch_s(model):
        reason = f"The trainer is heard, but no epoch has come for {duration(now - progress_at)}."
        return Standing(word="stalled", reason=reason, since=progress_at, is_live=True)
    return Standing(word="running", reason="", since=model.state_at or model.created_at, is_live=True)


def horizon(*, now: float, heartbeat_s: float) -> Horizon:
    """Since when a run must have been heard of not to be silent, for the store to filter by."""
    return Horizon(client=now - SILENT_BEATS * heartbeat_s, old_client=now - OLD_CLIENT_SILENT_S)


def _state_of_old_client(model: Model) -> JudgedState:
    """Clients of HUB v1 report no state: theirs follows from what they did."""
    if model.status == "trained":
        return "finished"
    return "new" if model.last_seen_at is None and model.last_epoch is None else "running"


def _patience_s(model: Model, heartbeat_s: float) -> float:
    """How long a run may say nothing; HUB v1's clients do not heed the interval that the hub asks for."""
    return OLD_CLIENT_SILENT_S if model.state is None else SILENT_BEATS * heartbeat_s


def _longest_epoch_s(model: Model) -> float:
    """How long no epoch may come: by the pace so far, but for the first one of a start and what follows the last."""
    is_first = model.epoch_s is None or (model.last_row_at or 0.0) < (model.state_at or 0.0)
    is_last = model.epochs is not None and model.last_epoch is not None and model.last_epoch + 1 >= model.epochs
    if model.epoch_s is None or is_first or is_last:
        return FIRST_EPOCH_S
    return max(STALLED_S, STALLED_EPOCHS * model.epoch_s)
