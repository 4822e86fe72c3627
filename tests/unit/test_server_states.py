"""Reports of a run's state, in whatever order they arrive."""

from __future__ import annotations

import itertools

import pytest

from hub_callbacks.server.store.states import supersedes
from hub_callbacks.wire import RunState

Report = tuple[RunState, float]


def outcome(reports: tuple[Report, ...]) -> RunState | None:
    state: RunState | None = None
    at: float | None = None
    for new, new_at in reports:
        if supersedes(new, new_at, current=state, current_at=at):
            state, at = new, new_at
    return state


@pytest.mark.parametrize(
    ("reports", "state"),
    [
        ([("running", 1), ("finished", 5)], "finished"),
        ([("running", 1), ("crashed", 9), ("failed", 5)], "failed"),
        ([("running", 1), ("silent", 3), ("stopped", 2)], "stopped"),
        ([("running", 1), ("finished", 5), ("running", 7)], "running"),
        ([("running", 1), ("failed", 5), ("running", 7), ("finished", 9)], "finished"),
    ],
)
def test_state_is_the_same_in_every_order_of_arrival(reports: list[Report], state: RunState) -> None:
    arrivals = [arrival for arrival in itertools.permutations(reports) if arrival[0][0] == "running"]
    assert {outcome(arrival) for arrival in arrivals} == {state}


def test_state_told_by_the_trainer_outranks_what_was_inferred_later() -> None:
    assert not supersedes("crashed", 9.0, current="finished", current_at=5.0)


def test_state_repeated_is_the_same() -> None:
    assert outcome((("running", 1), ("finished", 5), ("finished", 5))) == "finished"
