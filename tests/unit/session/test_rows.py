from __future__ import annotations

import json
import math
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from hub_callbacks.errors import OutboxFullError
from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.records import Metrics
from hub_callbacks.session import HUBTrainingSession
from tests.unit.leases import due_items, only_run

if TYPE_CHECKING:
    from tests.unit.session.conftest import Clock


@contextmanager
def limited(size_bytes: int) -> Iterator[None]:
    """No file may grow beyond a size: what is written meanwhile meets what it would meet on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(("passed_s", "is_uploaded"), [(0.0, False), (2.999, False), (3.0, False), (3.001, True)])
def test_metrics_are_uploaded_when_more_than_3_s_have_passed(
    session: HUBTrainingSession, clock: Clock, due: Callable[[], list[int]], passed_s: float, is_uploaded: bool
) -> None:
    clock.now_s += passed_s
    session.record_metrics(0, {"loss": 0.5})
    assert due() == ([0] if is_uploaded else [])
    assert session.metrics_queue == ({} if is_uploaded else {0: {"loss": 0.5}})
    assert session.timers["metrics"] == (clock.now_s if is_uploaded else 1000.0)


def test_rows_that_a_script_puts_into_the_queue_are_delivered(
    session: HUBTrainingSession, outbox: Outbox, due: Callable[[], list[int]]
) -> None:
    session.metrics_queue[0] = json.dumps({"loss": 0.5, "nan": math.nan})
    session.metrics_queue[1] = {"loss": 0.25}
    for _ in range(2):
        session.upload_metrics()
    assert due() == [0, 1]
    session.metrics_queue[1] = {"loss": 0.125}
    session.upload_metrics()
    assert due() == [0, 1, 1]  # the last of an epoch holds


def test_rows_of_the_callbacks_are_not_recorded_again_by_a_script(
    session: HUBTrainingSession, due: Callable[[], list[int]]
) -> None:
    session.record_metrics(0, {"loss": 0.5})
    session.metrics_queue[1] = {"loss": 0.25}
    session.upload_metrics()
    assert due() == [0, 1]


@pytest.mark.parametrize("row", ["{", "[1]", "1", {"loss": "low"}, {"loss": None}, None])
def test_row_of_a_script_that_is_none_is_named(session: HUBTrainingSession, row: Any) -> None:
    session.metrics_queue[3] = row
    with pytest.raises(ValueError, match="The row of epoch 3 is"):
        session.upload_metrics()


def test_timers_that_were_never_started_count_from_now(session: HUBTrainingSession, clock: Clock) -> None:
    session.timers.clear()
    session.record_metrics(0, {"loss": 0.5})
    assert session.timers == {"metrics": clock.now_s}


def test_upload_takes_all_rows_since_the_last_and_the_timer_starts_anew(
    session: HUBTrainingSession, clock: Clock, due: Callable[[], list[int]]
) -> None:
    for epoch in range(5):
        clock.now_s += 1.0
        session.record_metrics(epoch, {"loss": 0.5})
    assert due() == [0, 1, 2, 3]
    assert list(session.metrics_queue) == [4]


def test_rows_that_were_never_uploaded_are_due_by_themselves(session: HUBTrainingSession, outbox: Outbox) -> None:
    session.record_metrics(0, {"loss": 0.5})
    items = due_items(outbox, now=only_run(outbox).started_at + 60.0)
    assert [item.record.kind for item in items] == ["run_started", "metrics"]


@pytest.mark.parametrize("room_bytes", [0, 10])  # for nothing, and for the beginning of a row
def test_row_that_the_disk_cannot_take_is_tried_again_with_the_next(
    session: HUBTrainingSession, folder: OutboxFolder, outbox: Outbox, room_bytes: int
) -> None:
    (journal,) = folder.journals.iterdir()
    with limited(journal.stat().st_size + room_bytes), pytest.raises(OutboxFullError, match="journals"):
        session.record_metrics(0, {"loss": math.nan})
    assert list(session.metrics_upload_failed_queue) == [0]
    session.record_metrics(1, {"loss": 0.5})
    assert session.metrics_upload_failed_queue == {}
    assert session.status().epochs_recorded == 2


def test_row_that_is_tried_again_is_the_one_that_was_given(session: HUBTrainingSession, outbox: Outbox) -> None:
    row = {"loss": 0.5}
    with limited(1), pytest.raises(OutboxFullError):
        session.record_metrics(0, row)
    row["loss"] = 0.25
    session.record_metrics(1, row)
    items = due_items(outbox)
    rows = {item.record.epoch: item.record.values for item in items if isinstance(item.record, Metrics)}
    assert rows == {0: {"loss": 0.5}, 1: {"loss": 0.25}}


def test_rows_of_a_journal_that_was_deleted_are_in_the_next(session: HUBTrainingSession, folder: OutboxFolder) -> None:
    session.record_metrics(0, {"loss": 0.5})
    (journal,) = folder.journals.iterdir()
    journal.unlink()
    session.record_metrics(1, {"loss": 0.5})
    assert session.epochs_recorded() == {0, 1}
    session.record_metrics(2, {"loss": 0.5})
    assert [path != journal for path in folder.journals.iterdir()] == [True]
    assert session.epochs_recorded() == {0, 1, 2}


def test_end_takes_all_rows_in_before_it_and_leaves_no_journal(
    session: HUBTrainingSession, folder: OutboxFolder, outbox: Outbox
) -> None:
    session.record_metrics(0, {"loss": 0.5})
    session.finish()
    assert list(folder.journals.iterdir()) == []
    items = due_items(outbox)
    assert [item.record.kind for item in items] == ["run_started", "metrics", "run_finished"]


def test_row_after_the_end_is_recorded(session: HUBTrainingSession) -> None:
    session.finish()
    session.record_metrics(0, {"loss": 0.5})
    session.upload_metrics()
    assert session.status().epochs_recorded == 1
