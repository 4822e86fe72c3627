"""The HUB callbacks of Ultralytics' own, up to 8.4.114, are the user's again when ours are off."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.trainer.conftest import Machine


@pytest.mark.parametrize("release", ["8.4.114"])
def test_built_in_callbacks_stay_when_ours_are_off(old_machine: Machine, built_in_session: str) -> None:
    off = replace(old_machine, env={**old_machine.env, "HUB_CALLBACKS_BLOCK": "hub"})
    assert "BUILT-IN SESSION" in off.train(built_in_session, epochs=1)
    assert not off.data_dir.exists()
