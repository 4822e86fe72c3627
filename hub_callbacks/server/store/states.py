"""Which of two reports of a run's state holds. Reports arrive late, twice and out of order."""

from __future__ import annotations

from typing import Final

from hub_callbacks.wire import RunState

ENDS: Final = frozenset({"finished", "stopped", "failed"})  # said by the trainer itself
INFERRED: Final = frozenset({"silent", "crashed"})  # concluded by others from its silence
OVER: Final = ENDS | {"crashed"}


def supersedes(state: RunState, at: float, *, current: RunState | None, current_at: float | None) -> bool:
    """Whether a report made at ``at`` replaces the one that holds.

    The later report holds, with two exceptions: what was inferred never replaces an end that the trainer told, and such
    an end replaces what was inferred whenever it arrives.
    """
    if current is None or current_at is None:
        return True
    if current in ENDS and state in INFERRED:
        return False
    if current in INFERRED and state in ENDS:
        return True
    return at >= current_at
