"""What the courier sees of the trainers, and says of them in heartbeats."""

from __future__ import annotations

import json
import platform
from typing import Any

import pytest
from filelock import FileLock

from hub_callbacks.courier.connections import Connections
from hub_callbacks.courier.watch import Watch, is_training
from hub_callbacks.outbox import Outbox
from tests.unit.courier.deliveries import INFO, NOW, RUN, no_local_hub


def test_run_without_a_trainer_is_a_crash(run: Outbox) -> None:
    assert not is_training(run.folder, RUN)
    Watch(run, Connections(no_local_hub), clock=lambda: NOW).look()
    (status,) = run.runs.list()
    assert (status.state, status.pending) == ("crashed", 1)


def test_run_that_is_resumed_just_as_its_end_is_noticed_has_not_crashed(run: Outbox) -> None:
    (status,) = run.runs.list()
    path = run.folder.run_lock(RUN)
    path.parent.mkdir()
    with FileLock(path, is_singleton=False):
        Watch(run, Connections(no_local_hub), clock=lambda: NOW)._record_crash(status)
        assert path.exists()
    assert run.runs.list()[0].state == "running"


def test_living_trainer_beats_at_its_interval_and_keeps_the_agents_id(training: Outbox, script: Any) -> None:
    now = NOW
    watch = Watch(training, Connections(no_local_hub), clock=lambda: now)
    script.will_answer(200, INFO)
    script.will_answer(200, {"agentId": "agent-7"})
    watch.look()
    now = NOW + 299.0
    watch.look()
    assert len(script.heard) == 2
    script.will_answer(200, None)
    now = NOW + 300.0
    watch.look()
    assert b'"agentId": "agent-7"' in script.heard[-1][2]
    assert training.runs.list()[0].agent_id == "agent-7"


@pytest.mark.parametrize(("variable", "place"), [("COLAB_RELEASE_TAG", "colab"), ("PATH", "local")])
def test_heartbeat_says_where_it_comes_from(
    training: Outbox, script: Any, monkeypatch: pytest.MonkeyPatch, variable: str, place: str
) -> None:
    monkeypatch.setenv(variable, "x")
    script.will_answer(200, INFO)
    script.will_answer(200, None)
    Watch(training, Connections(no_local_hub), clock=lambda: NOW).look()
    assert json.loads(script.heard[-1][2])["agent"] == f"python-{platform.python_version()}-{place}"


def test_hub_sets_the_interval_and_stops_the_training(training: Outbox, script: Any) -> None:
    now = NOW
    watch = Watch(training, Connections(no_local_hub), clock=lambda: now)
    script.will_answer(200, INFO)
    script.will_answer(200, {"agentId": "a", "interval": 20, "commands": []})
    watch.look()
    assert training.runs.stop_reason(RUN) == ""
    now = NOW + 20.0
    script.will_answer(200, {"agentId": "a", "interval": 20, "commands": [{"command": "stop", "reason": "By Ada."}]})
    watch.look()
    assert training.runs.stop_reason(RUN) == "By Ada."


def test_run_that_is_trained_is_no_crash(training: Outbox) -> None:
    assert is_training(training.folder, RUN)
    assert training.runs.list()[0].state == "running"


def test_clock_set_back_does_not_hold_heartbeats_back(run: Outbox, script: Any) -> None:
    now = NOW + 3600.0
    watch = Watch(run, Connections(no_local_hub), clock=lambda: now)
    path = run.folder.run_lock(RUN)
    path.parent.mkdir()
    with FileLock(path, is_singleton=False):
        script.will_answer(200, INFO)
        script.will_answer(200, None)
        watch.look()
        now = NOW
        script.will_answer(200, None)
        watch.look()
    assert len(script.heard) == 3
