from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub_callbacks.errors import OutboxFullError
from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.session import HUBTrainingSession
from tests.unit.leases import due_items

if TYPE_CHECKING:
    from tests.unit.session.conftest import Clock


def test_rate_limits_are_the_scripts_to_change(
    session: HUBTrainingSession, clock: Clock, weights: Path, due: Callable[[], list[int]]
) -> None:
    session.rate_limits.update(metrics=0.5, ckpt=0.5)
    clock.now_s += 1.0
    session.record_metrics(0, {"loss": 0.5})
    session.record_checkpoint(0, weights)
    assert (due(), session.status().checkpoints_pending) == ([0], 1)


@pytest.mark.parametrize(("passed_s", "is_queued"), [(0.0, False), (899.999, False), (900.0, False), (900.001, True)])
def test_periodic_checkpoint_is_queued_when_more_than_900_s_have_passed(
    session: HUBTrainingSession, clock: Clock, weights: Path, passed_s: float, is_queued: bool
) -> None:
    clock.now_s += passed_s
    session.record_checkpoint(4, weights, is_best=True)
    assert session.status().checkpoints_pending == int(is_queued)
    assert session.timers["ckpt"] == (clock.now_s if is_queued else 1000.0)


def test_final_model_is_queued_always(session: HUBTrainingSession, weights: Path, outbox: Outbox) -> None:
    session.upload_model(4, weights, map=0.5, final=True)
    (item,) = due_items(outbox, files=True)
    assert (item.record.filename, item.record.is_final, item.record.map) == ("best.pt", True, 0.5)  # type: ignore[union-attr]
    assert (outbox.folder.spool / item.file).read_bytes() == weights.read_bytes()


def test_copy_is_not_touched_by_the_next_epoch(
    session: HUBTrainingSession, weights: Path, folder: OutboxFolder
) -> None:
    session.upload_model(4, weights)
    weights.write_bytes(b"half a checkp")
    (copy,) = folder.spool.iterdir()
    assert copy.read_bytes() == b"PK checkpoint"


def test_newer_periodic_checkpoint_replaces_the_older_one(
    session: HUBTrainingSession, weights: Path, folder: OutboxFolder
) -> None:
    session.upload_model(4, weights)
    weights.write_bytes(b"PK newer")
    session.upload_model(5, weights)
    assert [path.read_bytes() for path in folder.spool.iterdir()] == [b"PK newer"]
    assert session.status().checkpoints_pending == 1


def test_periodic_checkpoint_over_the_spools_limit_is_dropped_and_counted(
    session: HUBTrainingSession, weights: Path
) -> None:
    object.__setattr__(session.settings, "spool_mb", 0.0)
    with pytest.raises(OutboxFullError, match="spool_mb"):
        session.upload_model(4, weights)
    ((kind, reason),) = session.status().dropped
    assert kind == "checkpoint"
    assert "spool_mb" in reason


def test_final_model_is_taken_whatever_the_limit(session: HUBTrainingSession, weights: Path) -> None:
    object.__setattr__(session.settings, "spool_mb", 0.0)
    session.upload_model(4, weights, final=True)
    assert (session.status().checkpoints_pending, session.status().dropped) == (1, ())


def test_last_stands_in_for_a_missing_best_with_a_warning(
    session: HUBTrainingSession, weights: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session.upload_model(4, weights.with_name("best.pt"), final=True)
    assert session.status().checkpoints_pending == 1
    assert "last.pt is uploaded in its place" in caplog.text


def test_missing_checkpoint_is_a_warning(
    session: HUBTrainingSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session.upload_model(4, tmp_path / "last.pt")
    assert session.status().checkpoints_pending == 0
    assert "no checkpoint" in caplog.text
