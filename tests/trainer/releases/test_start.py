"""A model that was made on the hub is trained with the hub's arguments, whatever the release."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine
    from tests.trainer.team import Team


def test_new_model_of_the_hub_is_trained(team: Team, old_machine: Machine) -> None:
    page, machine = team.new_model(epochs=2), team.machine(old_machine, "a")
    output = team.start(machine, page, epochs=9)
    assert "epochs=2 (not 9)" in output
    team.assert_trained(machine, page)
