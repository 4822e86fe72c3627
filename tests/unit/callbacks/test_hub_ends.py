from __future__ import annotations

import json

import pytest

from hub_callbacks.callbacks import hub
from hub_callbacks.callbacks.run_file import RUN_FILE
from hub_callbacks.outbox import Outbox
from hub_callbacks.records import Metrics, RunFinished
from hub_callbacks.testing import StubTrainer
from tests.unit.leases import due_records, only_run


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (RuntimeError("CUDA out of memory"), "failed", "RuntimeError: CUDA out of memory"),
        (KeyboardInterrupt(), "stopped", "Interrupted."),
        (None, "stopped", "The training ended early."),
    ],
)
def test_teardown_records_what_happened(
    trainer: StubTrainer, outbox: Outbox, error: BaseException | None, state: str, reason: str
) -> None:
    trainer.begin()
    trainer.run_epoch(0)
    hub.teardown(trainer, error=error)
    (finished,) = due_records(outbox, RunFinished)
    assert (finished.state, finished.reason) == (state, reason)
    assert [row.epoch for row in due_records(outbox, Metrics)] == [0]


def test_native_teardown_of_a_hand_attached_plugin_finds_the_error(trainer: StubTrainer, outbox: Outbox) -> None:
    def fail(trainer: StubTrainer) -> None:
        try:
            raise ValueError("no such class")
        finally:
            trainer.run_callbacks("teardown")  # ultralytics 8.4.180 and later

    trainer.begin()
    with pytest.raises(ValueError, match="no such class"):
        fail(trainer)
    (finished,) = due_records(outbox, RunFinished)
    assert (finished.state, finished.reason) == ("failed", "ValueError: no such class")


def test_teardown_after_the_end_changes_nothing(trainer: StubTrainer, outbox: Outbox) -> None:
    trainer.train()
    hub.teardown(trainer, error=RuntimeError())
    assert only_run(outbox).state == "finished"


def test_training_stops_after_its_epoch_when_the_hub_asks(
    trainer: StubTrainer, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="ultralytics")
    trainer.on_epoch = lambda trainer: (
        outbox.runs.ask_to_stop(only_run(outbox).id, "Stopped by Ada.") if trainer.epoch == 1 else None
    )
    trainer.train()
    assert [row.epoch for row in due_records(outbox, Metrics)] == [0, 1]
    (finished,) = due_records(outbox, RunFinished)
    assert (finished.state, finished.reason) == ("stopped", "Stopped by Ada.")
    assert "HUB: Stopping after this epoch: Stopped by Ada." in caplog.text


def test_resumed_training_continues_its_run(trainer: StubTrainer, outbox: Outbox) -> None:
    trainer.begin()
    trainer.run_epoch(0)
    hub.teardown(trainer, error=KeyboardInterrupt())
    resumed = StubTrainer(trainer.save_dir, callbacks=hub.callbacks)
    resumed.resume, resumed.start_epoch = True, 1
    resumed.train()
    run = only_run(outbox)
    assert (run.state, run.epochs_recorded) == ("finished", 3)


def test_training_in_the_same_folder_without_resume_is_another_run(trainer: StubTrainer, outbox: Outbox) -> None:
    trainer.train()
    StubTrainer(trainer.save_dir, callbacks=hub.callbacks).train()
    assert len(outbox.runs.list()) == 2


@pytest.mark.parametrize("text", ["", "{}", '{"id": "short"}', "[1]"])
def test_broken_run_file_begins_a_new_run(trainer: StubTrainer, outbox: Outbox, text: str) -> None:
    (trainer.save_dir / RUN_FILE).write_text(text)
    trainer.resume = True
    trainer.train()
    assert json.loads((trainer.save_dir / RUN_FILE).read_text())["id"] == only_run(outbox).id
