"""A model that is reset: what was said of it before does not come back, however late it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub_callbacks import wire
from tests.integration.trainings import FIRST, Training, begin, curve, model

if TYPE_CHECKING:
    from tests.hubs import HubServer


@pytest.fixture
def first(hub: HubServer) -> Training:
    """A training that has a row and a checkpoint."""
    first = begin(hub, FIRST)
    assert first.rows(0, loss=0.5) == first.upload(0, b"0") == 200
    return first


def reset(hub: HubServer, model_id: str) -> None:
    hub.ask("POST", "/model-reset", json={"modelId": model_id})


def test_nothing_of_before_a_reset_comes_late(hub: HubServer, first: Training) -> None:
    reset(hub, first.model_id)
    assert first.rows(0, loss=0.5) == first.upload(5, b"5") == first.begin_upload(5).status_code == 409
    assert first.upload(5, b"final", "final") == 409
    begin(hub, FIRST, model_id=first.model_id)  # its creation, once more
    assert first.send("POST", wire.state(first.model_id), json={"state": "finished", "at": FIRST + 9}).ok
    found = model(hub, first.model_id)
    assert (found["status"], found["run"]["state"], found["run"]["lastEpoch"]) == ("new", "new", None)
    assert hub.ask("GET", wire.metrics(first.model_id)) == hub.ask("GET", wire.checkpoints(first.model_id)) == []


def test_reset_is_the_reason_that_is_given(hub: HubServer, first: Training) -> None:
    reset(hub, first.model_id)
    beat = first.send("POST", wire.heartbeat(first.model_id), json={"agent": "python", "agentId": None}).json()["data"]
    assert beat["commands"] == [{"command": "stop", "reason": "The run was reset on the hub."}]
    body = {"type": "metrics", "metrics": {"0": "{}"}}
    message = first.send("POST", wire.model(first.model_id), json=body).json()["message"]
    assert message == f"The model {first.model_id!r} was reset: what was trained of it before no longer holds."


def test_training_after_a_reset_is_taken(hub: HubServer, first: Training) -> None:
    reset(hub, first.model_id)
    reset(hub, first.model_id)
    second = begin(hub, FIRST + 1, start_epoch=2, model_id=first.model_id)  # resumed where it was trained before
    assert second.rows(2, loss=0.3) == second.upload(2, b"2") == 200
    third = begin(hub, FIRST + 2, start_epoch=3, model_id=first.model_id)
    assert third.rows(3, loss=0.1) == second.rows(2, loss=0.2) == 200
    assert first.rows(0, loss=0.5) == 409
    assert curve(hub, first.model_id) == {2: 0.2, 3: 0.1}


def test_old_client_trains_after_a_reset(hub: HubServer) -> None:
    old = Training(hub, str(hub.ask("POST", wire.MODELS, json={"meta": {"name": "train"}})["id"]), None)
    for _ in range(2):
        assert old.rows(0, loss=0.5) == 200
        reset(hub, old.model_id)
        assert hub.ask("GET", wire.metrics(old.model_id)) == []
