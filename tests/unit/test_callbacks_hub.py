from __future__ import annotations

import json
import pickle
import re
import signal
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hub_callbacks.callbacks import hub
from hub_callbacks.callbacks import trainer as view
from hub_callbacks.callbacks.run_file import RUN_FILE
from hub_callbacks.outbox import Item, Outbox, OutboxFolder, RunStatus
from hub_callbacks.records import Metrics, RunFinished, RunStarted, Summary
from hub_callbacks.settings import Settings
from hub_callbacks.testing import StubTrainer
from hub_callbacks.wire import LocalHub


@pytest.fixture(autouse=True)
def _settings(courier_at_work: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_API_URL", "https://hub.example")
    monkeypatch.setenv("HUB_CALLBACKS_WAIT_S", "0")


@pytest.fixture
def trainer(tmp_path: Path) -> StubTrainer:
    return StubTrainer(tmp_path / "runs" / "train7", callbacks=hub.callbacks)


def only_run(outbox: Outbox) -> RunStatus:
    (run,) = outbox.runs.list()
    return run


def recorded(outbox: Outbox, *, files: bool = False) -> list[Item]:
    outbox.take_in()
    run = only_run(outbox)
    outbox.runs.set_remote_id(run.id, run.id)
    items = outbox.queue.lease(files=files, limit=100, now=run.started_at + 60.0, lease_s=60)
    outbox.queue.release()
    return items


def records(outbox: Outbox, kind: type[Any]) -> list[Any]:
    return [item.record for item in recorded(outbox) if isinstance(item.record, kind)]


def test_whole_training_is_recorded(trainer: StubTrainer, outbox: Outbox) -> None:
    trainer.train()
    (started,) = records(outbox, RunStarted)
    assert (started.name, started.model, started.dataset, started.epochs) == ("train7", "yolo11n.yaml", "coco8.yaml", 3)
    assert started.args["save_dir"] == str(trainer.save_dir)
    rows = records(outbox, Metrics)
    assert [row.epoch for row in rows] == [0, 1, 2]
    assert rows[1].values["train/box_loss"] == pytest.approx(2 - 2 / 3, abs=1e-5)
    assert rows[1].values["metrics/mAP50-95(B)"] == pytest.approx(0.6)
    assert {"val/box_loss", "lr/pg0"} <= rows[1].values.keys()
    (finished,) = records(outbox, RunFinished)
    assert finished.state == "finished"
    (final,) = recorded(outbox, files=True)
    assert (outbox.folder.spool / final.file).read_bytes() == trainer.best.read_bytes()
    assert final.record.map == pytest.approx(0.91)  # type: ignore[union-attr]


def test_training_sets_no_signal_handler_and_starts_no_thread(trainer: StubTrainer) -> None:
    handlers, threads = [signal.getsignal(number) for number in signal.valid_signals()], threading.enumerate()
    trainer.train()
    assert [signal.getsignal(number) for number in signal.valid_signals()] == handlers
    assert threading.enumerate() == threads


def test_run_begins_at_the_end_of_the_pretraining_routine(trainer: StubTrainer, folder: OutboxFolder) -> None:
    trainer.run_callbacks("on_pretrain_routine_start")
    assert not folder.database.exists()


def test_last_validation_is_the_summary_and_no_row(trainer: StubTrainer, outbox: Outbox) -> None:
    trainer.train()
    (summary,) = records(outbox, Summary)
    assert summary.values["metrics/mAP50-95(B)"] == pytest.approx(0.91)


def test_last_validation_under_the_last_epochs_number_leaves_its_row_alone(
    trainer: StubTrainer, outbox: Outbox
) -> None:
    trainer.begin()
    for epoch in range(3):
        trainer.run_epoch(epoch)
    trainer.metrics = {"metrics/mAP50-95(B)": 0.99}
    trainer.run_callbacks("on_fit_epoch_end")  # ultralytics up to 8.4.0 repeats the epoch's number
    assert [row.values["metrics/mAP50-95(B)"] for row in records(outbox, Metrics)][-1] == pytest.approx(0.9)


def test_values_become_plain_floats(trainer: StubTrainer, outbox: Outbox) -> None:
    class Scalar:
        def __float__(self) -> float:
            return 0.25

    class Tensor:
        def __float__(self) -> float:
            raise RuntimeError("a Tensor with 2 elements cannot be converted to Scalar")

    trainer.begin()
    trainer.on_epoch = lambda trainer: trainer.lr.update({"lr/a": Scalar(), "lr/b": Tensor(), "lr/c": None})  # type: ignore[dict-item]
    trainer.run_epoch(0)
    (row,) = records(outbox, Metrics)
    assert row.values["lr/a"] == 0.25
    assert not {"lr/b", "lr/c"} & row.values.keys()


def test_nan_is_recorded(trainer: StubTrainer, outbox: Outbox) -> None:
    trainer.begin()
    trainer.on_epoch = lambda trainer: setattr(trainer, "tloss", {"box_loss": float("nan")})
    trainer.run_epoch(0)
    (row,) = records(outbox, Metrics)
    assert row.values["train/box_loss"] != row.values["train/box_loss"]


def test_flag_off_leaves_no_trace(
    trainer: StubTrainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_HUB", "0")
    monkeypatch.setenv("HUB_CALLBACKS_DATA_DIR", str(tmp_path / "other"))
    trainer.train()
    assert not (tmp_path / "other").exists()
    assert not (trainer.save_dir / RUN_FILE).exists()
    assert caplog.text == ""


@pytest.mark.parametrize(("rank", "runs"), [("-1", 1), ("0", 1), ("1", 0)])
def test_only_rank_0_reports(
    trainer: StubTrainer, outbox: Outbox, monkeypatch: pytest.MonkeyPatch, rank: str, runs: int
) -> None:
    monkeypatch.setenv("RANK", rank)
    trainer.train()
    assert len(outbox.runs.list()) == runs


def test_active_session_of_ultralytics_is_left_alone(trainer: StubTrainer, folder: OutboxFolder) -> None:
    trainer.hub_session = SimpleNamespace()  # type: ignore[attr-defined]
    trainer.train()
    assert not folder.database.exists()


def test_bad_setting_is_one_warning_and_training_goes_on(
    trainer: StubTrainer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_METRICS_S", "soon")
    trainer.train()
    (record,) = caplog.records
    assert "'metrics_s' has the value 'soon'" in record.getMessage()
    assert "Training goes on." in record.getMessage()


def test_lost_outbox_is_one_warning_and_training_goes_on(
    trainer: StubTrainer, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    trainer.begin()
    outbox._database.execute("DROP TABLE items")
    for epoch in range(3):
        trainer.run_epoch(epoch)
    trainer.end()
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1


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
    (finished,) = records(outbox, RunFinished)
    assert (finished.state, finished.reason) == (state, reason)
    assert [row.epoch for row in records(outbox, Metrics)] == [0]


def test_native_teardown_of_a_hand_attached_plugin_finds_the_error(trainer: StubTrainer, outbox: Outbox) -> None:
    def fail(trainer: StubTrainer) -> None:
        try:
            raise ValueError("no such class")
        finally:
            trainer.run_callbacks("teardown")  # ultralytics 8.4.180 and later

    trainer.begin()
    with pytest.raises(ValueError, match="no such class"):
        fail(trainer)
    (finished,) = records(outbox, RunFinished)
    assert (finished.state, finished.reason) == ("failed", "ValueError: no such class")


def test_teardown_after_the_end_changes_nothing(trainer: StubTrainer, outbox: Outbox) -> None:
    trainer.train()
    hub.teardown(trainer, error=RuntimeError())
    assert only_run(outbox).state == "finished"


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


def test_periodic_checkpoint_goes_by_its_timer(
    trainer: StubTrainer, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_CKPT_S", "0")
    trainer.begin()
    trainer.run_epoch(0)
    (item,) = recorded(outbox, files=True)
    assert (item.record.epoch, item.record.is_best, item.record.is_final) == (0, True, False)  # type: ignore[union-attr]
    assert (outbox.folder.spool / item.file).read_bytes() == trainer.last.read_bytes()


def test_receipt_and_address_are_said(trainer: StubTrainer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="ultralytics")
    trainer.train()
    first, *_, last = [record.getMessage() for record in caplog.records]
    assert first.startswith("HUB: View this run at https://hub.example/models/")
    assert "0/3 epochs acknowledged. Left: 3 epochs, 1 checkpoint (0.0 MB). Delivery goes on" in caplog.text
    assert "hub-callbacks sync" in last


def test_address_is_said_again_when_the_local_hub_found_its_port_in_use(
    trainer: StubTrainer, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HUB_CALLBACKS_API_URL")
    caplog.set_level("INFO", logger="ultralytics")

    def come_up(trainer: StubTrainer) -> None:
        LocalHub(url="http://127.0.0.1:50123", key="k" * 42, pid=1).write(Settings.load().data_dir)

    trainer.on_epoch = come_up
    trainer.train()
    pages = re.findall(r"View this run at (http://\S+)", caplog.text)
    assert [page.partition("/models/")[0] for page in pages] == ["http://127.0.0.1:8420", "http://127.0.0.1:50123"]
    assert pages[1] in caplog.records[-1].getMessage()


def test_epochs_that_are_missing_at_the_end_are_taken_from_results_csv(trainer: StubTrainer, outbox: Outbox) -> None:
    trainer.begin()
    for epoch in range(3):
        trainer.run_epoch(epoch)
    outbox._database.execute("DELETE FROM items WHERE epoch = 1")
    trainer.end()
    rows = {row.epoch: row.values for row in records(outbox, Metrics)}
    assert sorted(rows) == [0, 1, 2]
    assert rows[1]["metrics/mAP50-95(B)"] == pytest.approx(0.6, abs=1e-6)
    assert rows[1].keys() == rows[2].keys()


@pytest.mark.parametrize("text", ["", "epoch\n", "      epoch,  train/box_loss\n"])
def test_results_csv_without_rows_fills_nothing(trainer: Any, text: str) -> None:
    trainer.csv.write_text(text)
    assert view.results(trainer) == {}


def test_results_csv_of_old_releases_has_padded_names(trainer: Any) -> None:
    trainer.csv.write_text("          epoch,     train/box_loss\n              1,               0.25\n")
    assert view.results(trainer) == {0: {"train/box_loss": 0.25}}


@pytest.mark.parametrize("first", [0, 1])
def test_results_csv_counts_from_0_in_8_0_150(trainer: Any, first: int) -> None:
    trainer.csv.write_text("epoch,loss\n" + "".join(f"{epoch + first},{epoch}.5\n" for epoch in (3, 4, 5)))
    trainer.epoch = 5
    assert view.results(trainer) == {epoch: {"loss": epoch + 0.5} for epoch in (3, 4, 5)}


def test_training_stops_after_its_epoch_when_the_hub_asks(
    trainer: StubTrainer, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="ultralytics")
    trainer.on_epoch = lambda trainer: (
        outbox.runs.ask_to_stop(only_run(outbox).id, "Stopped by Ada.") if trainer.epoch == 1 else None
    )
    trainer.train()
    assert [row.epoch for row in records(outbox, Metrics)] == [0, 1]
    (finished,) = records(outbox, RunFinished)
    assert (finished.state, finished.reason) == ("stopped", "Stopped by Ada.")
    assert "HUB: Stopping after this epoch: Stopped by Ada." in caplog.text


def test_callbacks_dictionary_has_ultralytics_event_names() -> None:
    assert set(hub.callbacks) == {
        "on_pretrain_routine_end",
        "on_train_epoch_end",
        "on_fit_epoch_end",
        "on_model_save",
        "on_train_end",
        "teardown",
    }


@pytest.mark.parametrize("function", hub.callbacks.values(), ids=lambda function: function.__name__)
def test_callbacks_can_be_pickled(function: Any) -> None:
    assert pickle.loads(pickle.dumps(function)) is function


def test_state_of_a_trainer_is_held_weakly(tmp_path: Path) -> None:
    trainer = StubTrainer(tmp_path / "train", callbacks=hub.callbacks)
    trainer.begin()
    assert len(hub._runs) >= 1
    before = len(hub._runs)
    del trainer
    assert len(hub._runs) == before - 1


def test_settings_of_ultralytics_are_asked(trainer: StubTrainer, mocker: Any) -> None:
    load = mocker.spy(Settings, "load")
    trainer.begin()
    assert load.call_args.kwargs == {"ultralytics": {}}
