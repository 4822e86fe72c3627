"""A trained model of the hub predicts, validates and is exported, whatever the release."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine
    from tests.trainer.team import Team


def test_trained_model_of_the_hub_is_used(team: Team, old_machine: Machine) -> None:
    page = team.new_model(epochs=1)
    first, second = team.machine(old_machine, "a"), team.machine(old_machine, "b")
    team.start(first, page)
    output = team.use(second, page)
    assert f"{page} is trained: its best.pt is loaded for predict, val and export." in output
    assert f"LOADED {hashlib.sha256((first.save_dir / 'weights' / 'best.pt').read_bytes()).hexdigest()}" in output
    assert "FOUND 1" in output
    assert "EXPORTED" in output
