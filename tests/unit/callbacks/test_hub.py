from __future__ import annotations

import pickle
import re
import signal
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hub_callbacks.callbacks import hub
from hub_callbacks.callbacks.run_file import RUN_FILE
from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.records import Metrics, RunFinished, RunStarted
from hub_callbacks.settings import Settings
from hub_callbacks.testing import StubTrainer
from hub_callbacks.wire import LocalHub
from tests.unit.leases import due_items, due_records


def test_whole_training_is_recorded(trainer: StubTrainer, outbox: Outbox) -> None:
    trainer.train()
    (started,) = due_records(outbox, RunStarted)
    assert (started.name, started.model, started.dataset, started.epochs) == ("train7", "yolo11n.yaml", "coco8.yaml", 3)
    assert started.args["save_dir"] == str(trainer.save_dir)
    rows = due_records(outbox, Metrics)
    assert [row.epoch for row in rows] == [0, 1, 2]
    assert rows[1].values["train/box_loss"] == pytest.approx(2 - 2 / 3, abs=1e-5)
    assert rows[1].values["metrics/mAP50-95(B)"] == pytest.approx(0.6)
    assert {"val/box_loss", "lr/pg0"} <= rows[1].values.keys()
    (finished,) = due_records(outbox, RunFinished)
    assert finished.state == "finished"
    (final,) = due_items(outbox, files=True)
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


def test_periodic_checkpoint_goes_by_its_timer(
    trainer: StubTrainer, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_CKPT_S", "0")
    trainer.begin()
    trainer.run_epoch(0)
    (item,) = due_items(outbox, files=True)
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
        LocalHub(url="http://127.0.0.1:50123", key="k" * 42, seal="s", pid=1).write(Settings.load().data_dir)

    trainer.on_epoch = come_up
    trainer.train()
    pages = re.findall(r"View this run at (http://\S+)", caplog.text)
    assert [page.partition("/models/")[0] for page in pages] == ["http://127.0.0.1:8420", "http://127.0.0.1:50123"]
    assert pages[1] in caplog.records[-1].getMessage()


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
