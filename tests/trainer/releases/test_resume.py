"""A killed training of a model of the hub is continued on another machine, whatever the release."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine
    from tests.trainer.team import Team


def test_killed_training_is_continued_on_another_machine(team: Team, old_machine: Machine) -> None:
    page, first, second = team.new_model(), team.machine(old_machine, "a"), team.machine(old_machine, "b")
    team.kill(first, page, epoch=2)
    output = team.resume(second, page)
    assert f"HUB: View this run at {page}" in output
    assert f"from epoch 3 to {team.epochs} total epochs" in output  # as Ultralytics says it, counted from 1
    team.assert_trained(second, page)
