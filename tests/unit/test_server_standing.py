"""How a run stands, judged by what was reported and by how long nothing came."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub_callbacks.server.standing import (
    FIRST_EPOCH_S,
    OLD_CLIENT_SILENT_S,
    SILENT_BEATS,
    STALLED_EPOCHS,
    STALLED_S,
    Standing,
    judge,
)
from hub_callbacks.server.store import Store, open_store
from hub_callbacks.server.store.rows import Model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEARTBEAT_S = 30.0
START = 1_800_000_000.0


class Hub:
    """A store with a clock that the test turns."""

    def __init__(self, store: Store, clock: list[float]) -> None:
        self.store, self._clock = store, clock
        owner = store.create_user("admin", "admin").user_id
        self.model_id = store.create_model({"run": {"startedAt": START, "epochs": 100}}, owner=owner).id

    def later(self, seconds: float) -> None:
        self._clock[0] += seconds

    def beat(self) -> None:
        self.store.touch(self.model_id)

    def row(self, epoch: int) -> None:
        self.store.put_metrics(self.model_id, {epoch: {"train/loss": 1.0}})

    @property
    def model(self) -> Model:
        model = self.store.get_model(self.model_id)
        assert model is not None
        return model

    def stands(self) -> Standing:
        return judge(self.model, now=self._clock[0], heartbeat_s=HEARTBEAT_S)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    clock = [START]
    store = open_store(tmp_path / "hub.db", clock=lambda: clock[0])
    yield Hub(store, clock)
    store.close()


def test_run_is_running_while_it_is_heard(hub: Hub) -> None:
    hub.later(SILENT_BEATS * HEARTBEAT_S)
    assert (hub.stands().word, hub.stands().since) == ("running", START)


def test_run_is_silent_when_it_is_not_heard_and_running_when_it_is(hub: Hub) -> None:
    hub.later(SILENT_BEATS * HEARTBEAT_S + 1)
    assert hub.stands() == Standing(
        word="silent", reason="Nothing heard from the trainer for 1 min 31 s.", since=START, is_live=True
    )
    hub.row(0)
    assert hub.stands().word == "running"


def test_client_of_hub_v1_may_be_silent_for_two_of_its_own_heartbeats(hub: Hub) -> None:
    model = replace(hub.model, state=None, state_at=None, last_epoch=3)
    words = [judge(model, now=START + OLD_CLIENT_SILENT_S + more, heartbeat_s=HEARTBEAT_S).word for more in (0, 1)]
    assert words == ["running", "silent"]


def test_run_is_stalled_when_it_beats_and_no_epoch_comes(hub: Hub) -> None:
    for epoch in range(3):
        hub.later(10)
        hub.row(epoch)
    hub.later(STALLED_S)
    hub.beat()
    assert hub.stands().word == "running"
    hub.later(1)
    assert hub.stands() == Standing(
        word="stalled",
        reason="The trainer is heard, but no epoch has come for 10 min 1 s.",
        since=START + 30,
        is_live=True,
    )
    hub.row(3)
    assert hub.stands().word == "running"


def test_long_epochs_are_given_ten_times_their_median(hub: Hub) -> None:
    for epoch, took_s in enumerate([1000, 1000, 9000, 1000]):
        hub.later(took_s)
        hub.row(epoch)
    hub.later(STALLED_EPOCHS * 1000)
    hub.beat()
    assert hub.stands().word == "running"
    hub.later(1)
    assert hub.stands().word == "stalled"


def test_row_that_comes_again_is_no_new_epoch(hub: Hub) -> None:
    hub.later(10)
    hub.row(0)
    hub.later(STALLED_S + 1)
    hub.row(0)
    assert hub.stands().word == "stalled"


def test_rows_that_waited_and_come_together_share_the_time(hub: Hub) -> None:
    hub.later(50)
    hub.store.put_metrics(hub.model_id, {epoch: {} for epoch in range(5)})
    assert hub.model.epoch_s == 10


@pytest.mark.parametrize(("more", "word"), [(0, "running"), (1, "stalled")])
def test_first_epoch_is_given_a_day(hub: Hub, more: float, word: str) -> None:
    hub.later(FIRST_EPOCH_S + more)
    hub.beat()
    assert hub.stands().word == word


def test_first_epoch_after_a_restart_is_given_a_day(hub: Hub) -> None:
    hub.later(10)
    hub.row(0)
    hub.later(100)
    hub.store.create_model({"id": hub.model_id, "run": {"startedAt": START + 110}}, owner=hub.model.owner)
    hub.later(FIRST_EPOCH_S - 1)
    hub.beat()
    assert hub.stands().word == "running"


def test_run_with_its_last_epoch_is_not_stalled_by_what_follows(hub: Hub) -> None:
    hub.later(10)
    hub.row(99)
    hub.later(2 * STALLED_S)
    hub.beat()
    assert hub.stands().word == "running"


@pytest.mark.parametrize("word", ["finished", "stopped", "failed", "crashed"])
def test_end_stays_however_long_ago(hub: Hub, word: str) -> None:
    hub.store.set_state(hub.model_id, word, reason="Why.", at=START + 5)  # type: ignore[arg-type]  # parametrized
    hub.later(10 * FIRST_EPOCH_S)
    assert hub.stands() == Standing(word=word, reason="Why.", since=START + 5, is_live=False)  # type: ignore[arg-type]


def test_reported_silence_ends_when_the_run_is_heard(hub: Hub) -> None:
    hub.store.set_state(hub.model_id, "silent", at=START + 5)
    hub.later(20)
    hub.row(0)
    assert hub.stands().word == "running"


@pytest.mark.parametrize(
    ("status", "last_epoch", "last_seen_at", "word"),
    [
        ("trained", 9, START, "finished"),
        ("new", None, None, "new"),
        ("new", None, START, "running"),
        ("training", 3, START - 5000, "silent"),
    ],
)
def test_state_of_a_client_of_hub_v1_follows_from_what_it_did(
    hub: Hub, status: str, last_epoch: int | None, last_seen_at: float | None, word: str
) -> None:
    model = replace(hub.model, state=None, status=status, last_epoch=last_epoch, last_seen_at=last_seen_at)  # type: ignore[arg-type]  # parametrized
    assert judge(model, now=START, heartbeat_s=HEARTBEAT_S).word == word
