"""A plain script is recorded and delivered whole, and by us alone, whatever the release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine


def test_script_is_delivered_whole(old_machine: Machine, ultralytics_version: str, built_in_session: str) -> None:
    output = old_machine.train(built_in_session)
    run_id = old_machine.assert_all_delivered()
    environment = old_machine.ask(wire.model(run_id))["run"]["environment"]
    assert environment["ultralytics"] == ultralytics_version
    assert output.count("3/3 epochs, best.pt acknowledged") == 1
    assert "BUILT-IN SESSION" not in output
