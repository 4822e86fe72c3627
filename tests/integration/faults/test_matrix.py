"""The fault matrix: a training, its courier and a hub that misbehaves, at each moment and on each endpoint.

The trainer is light and stands in the test's process, so that a switch is set at a known epoch; the courier is a real
process. Each fault has one case in the short size; ``-m ""`` runs all of them.
"""

from __future__ import annotations

import itertools
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import pytest

from hub_callbacks.testing import Endpoint, FaultHub
from hub_callbacks.transport.http import READ_TIMEOUT_S

if TYPE_CHECKING:
    from tests.integration.faults.conftest import Moment, Training


class Switch(Protocol):
    def __call__(self, hub: FaultHub, on: Endpoint) -> None: ...


class Fault(NamedTuple):
    """What a hub does wrong, and what is to become of it: it heals by itself, it pauses the hub, it is buried."""

    switch: Switch
    fate: Literal["heals", "pauses", "buried"] = "heals"
    status: int = 0


def answer(status: int, retry_after_s: float | None = None) -> Fault:
    fate: Literal["heals", "pauses", "buried"] = "buried"
    if status in {408, 425, 429} or status >= 500:
        fate = "heals"
    if status == 401:
        fate = "pauses"
    return Fault(lambda hub, on: hub.answer(status, retry_after_s=retry_after_s, on=on), fate, status)


FAULTS = {
    **{str(status): answer(status) for status in (408, 425, 429, 500, 502, 503, 504)},
    **{f"{status} retry-after": answer(status, retry_after_s=0) for status in (429, 503)},
    **{str(status): answer(status) for status in (400, 401, 403, 404, 413, 422)},
    "reset before the body": Fault(lambda hub, on: hub.reset_before_body(on=on)),
    "reset within the body": Fault(lambda hub, on: hub.reset_within_body(on=on)),
    "black hole": Fault(lambda hub, on: hub.hang(on=on)),
    "one byte a second": Fault(lambda hub, on: hub.trickle(on=on)),
    "truncated": Fault(lambda hub, on: hub.truncate(on=on)),
    "captive portal": Fault(lambda hub, on: hub.capture(on=on)),
    "wrong JSON": Fault(lambda hub, on: hub.garble(on=on)),
    "redirect": Fault(lambda hub, on: hub.redirect(on=on)),
    "portal's 403": Fault(lambda hub, on: hub.capture(status=403, on=on)),
    "gateway's 404": Fault(lambda hub, on: hub.capture(status=404, on=on)),
}
# A run is created once, at its start, and beats no more when it is over: the rest makes no sense.
PLACES: list[tuple[Endpoint, Moment]] = [
    ("creation", "start"),
    ("metrics", "start"),
    ("metrics", "middle"),
    ("metrics", "end"),
    ("checkpoint", "start"),
    ("checkpoint", "middle"),
    ("checkpoint", "end"),
    ("heartbeat", "start"),
    ("heartbeat", "middle"),
    ("state", "end"),
    ("all", "start"),
    ("all", "middle"),
    ("all", "end"),
]
# What is buried when an endpoint refuses.
KINDS: dict[Endpoint, set[str]] = {
    "creation": {"run_started"},
    "metrics": {"metrics"},
    "checkpoint": {"checkpoint"},
    "state": {"run_finished"},
    "all": {"run_started", "metrics", "summary", "checkpoint", "run_finished"},
}
SHORT = list(zip(FAULTS, itertools.cycle(PLACES), strict=False))


def case(name: str, place: tuple[Endpoint, Moment]) -> Any:
    marks = [] if (name, place) in SHORT else [pytest.mark.chaos]
    return pytest.param(FAULTS[name], *place, marks=marks, id=f"{name}-{'-'.join(place)}")


MATRIX = [case(name, place) for name in FAULTS for place in PLACES if place[0] != "heartbeat"]
BEATS = [case(name, place) for name in FAULTS for place in PLACES if place[0] == "heartbeat"]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def deliver_after(training: Training, status: int = 0) -> None:
    """Heal the hub, and see that all arrives: with nobody's help where the hub has said when to come again."""
    training.hub.heal()
    if status not in {429, 503}:
        assert training.command("sync") == (0, "Nothing is left to deliver.\n")
    training.assert_whole()
    training.assert_calm()


@pytest.mark.parametrize(("fault", "endpoint", "moment"), MATRIX)
def test_what_a_fault_holds_up_is_delivered(
    training: Training, caplog: pytest.LogCaptureFixture, fault: Fault, endpoint: Endpoint, moment: Moment
) -> None:
    training.misbehave(partial(fault.switch, on=endpoint), moment)
    training.trainer.train()
    assert len(warnings(caplog)) <= 1
    training.hub.wait_for(lambda hub: hub.met(endpoint))
    assert training.status()["left"]
    if fault.fate == "pauses":
        training.eventually(lambda: "401" in training.status()["trouble"])
    if fault.fate == "buried":
        training.eventually(lambda: not training.has_work())
        buried = training.status()["buried"]
        assert {item["kind"] for item in buried} <= KINDS[endpoint]
        assert buried
        assert all(str(fault.status) in item["reason"] for item in buried)
    deliver_after(training, fault.status)


@pytest.mark.parametrize("moment", [
    pytest.param("start", marks=pytest.mark.chaos),
    "middle",
    pytest.param("end", marks=pytest.mark.chaos),
])  # fmt: skip
def test_what_a_dead_hub_holds_up_is_delivered(
    training: Training, caplog: pytest.LogCaptureFixture, moment: Moment
) -> None:
    training.misbehave(FaultHub.refuse, moment)
    training.trainer.train()
    assert len(warnings(caplog)) <= 1
    training.eventually(lambda: "refused" in training.status()["trouble"])
    deliver_after(training)


@pytest.mark.parametrize(("fault", "endpoint", "moment"), BEATS)
def test_heartbeats_go_on_after_a_fault(
    training: Training, caplog: pytest.LogCaptureFixture, fault: Fault, endpoint: Endpoint, moment: Moment
) -> None:
    def heal() -> None:
        training.hub.wait_for(lambda hub: hub.met(endpoint))
        before = len(training.run.heartbeats)
        training.hub.heal()
        training.hub.wait_for(lambda _: len(training.run.heartbeats) > before)

    training.misbehave(partial(fault.switch, on=endpoint), moment)
    training.at[training.moments["end"]] = heal
    training.trainer.train()
    assert warnings(caplog) == []
    training.assert_whole()
    training.assert_calm()


@pytest.mark.chaos
@pytest.mark.parametrize("name", ["black hole", "one byte a second"])
def test_courier_gives_a_request_up_by_itself(training: Training, name: str) -> None:
    training.misbehave(partial(FAULTS[name].switch, on="metrics"), "start")
    training.trainer.train()
    training.hub.wait_for(lambda hub: len(hub.met("metrics")) > 1, timeout_s=3 * READ_TIMEOUT_S)
    deliver_after(training)
