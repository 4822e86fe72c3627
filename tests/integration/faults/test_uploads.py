"""Checkpoints to a hub that misbehaves in the ways of tus, or that has no tus."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from hub_callbacks import wire
from hub_callbacks.testing import FaultHub

if TYPE_CHECKING:
    from tests.integration.faults.conftest import Training

SIZE_BYTES = wire.TUS_CHUNK_BYTES + (1 << 20)  # two requests, also in chunks


@pytest.mark.parametrize(
    ("switch", "status"),
    [
        pytest.param(FaultHub.rewind, "409", id="bytes lost"),
        pytest.param(FaultHub.expire, "410", id="upload expired"),
        pytest.param(lambda hub: hub.reset_within_body(on="checkpoint"), "no reply", id="break in the middle"),
    ],
)
def test_upload_goes_on_after_the_hub_has_lost_its_way(
    training: Training, switch: Callable[[FaultHub], object], status: str
) -> None:
    training.trainer.checkpoint_bytes = SIZE_BYTES
    training.misbehave(switch, "end")
    training.trainer.train()
    training.eventually(lambda: status in training.status()["trouble"])
    assert training.status()["left"]
    training.hub.heal()
    assert training.command("sync") == (0, "Nothing is left to deliver.\n")
    training.assert_whole()
    training.assert_calm()


@pytest.mark.parametrize("hub", [("sha256", "summary", "run-state", "proposed-ids")], indirect=True, ids=["forms"])
def test_checkpoint_goes_as_a_form_where_there_is_no_tus(training: Training) -> None:
    training.misbehave(lambda hub: hub.reset_within_body(on="checkpoint"), "middle")
    training.trainer.train()
    training.hub.wait_for(lambda hub: hub.met("checkpoint"))
    training.hub.heal()
    assert training.command("sync") == (0, "Nothing is left to deliver.\n")
    training.assert_whole()
    sent = {request.path for request in training.hub.requests if request.endpoint == "checkpoint"}
    assert sent == {wire.upload(training.run.id)}
