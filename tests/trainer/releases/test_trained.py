"""A trained model of the hub predicts, validates and is exported, whatever the release."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine
    from tests.trainer.team import Team


def test_trained_model_of_the_hub_is_used(team: Team, old_machine: Machine) -> None:
    page = team.new_model(epochs=1)
    team.start(team.machine(old_machine, "a"), page)
    output = team.use(team.machine(old_machine, "b"), page)
    assert f"{page} is trained: its best.pt is loaded for predict, val and export." in output
    assert "FOUND 1" in output
    assert "EXPORTED" in output
