from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hub_callbacks.callbacks import hub
from hub_callbacks.callbacks.pictures import confusion_matrix, curves, pictures
from hub_callbacks.outbox import Item, Outbox
from hub_callbacks.records import Artifact, Checkpoint
from hub_callbacks.testing import StubTrainer
from hub_callbacks.testing.pictures import IMAGES, PLOTS, picture, validator
from tests.unit.leases import due_items, only_run

DATA = ("confusion_matrix.json", "curves.json")


@pytest.fixture(autouse=True)
def _settings(courier_at_work: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_API_URL", "https://hub.example")
    monkeypatch.setenv("HUB_CALLBACKS_WAIT_S", "0")


@pytest.fixture
def trainer(tmp_path: Path) -> StubTrainer:
    return StubTrainer(tmp_path / "runs" / "train7", callbacks=hub.callbacks, plots=True)


def artifacts(outbox: Outbox) -> dict[str, Item]:
    return {item.record.name: item for item in due_items(outbox, files=True) if isinstance(item.record, Artifact)}


def kinds(trainer: Any) -> dict[str, str]:
    return {path.name: kind for path, kind in pictures(trainer)}


def test_everything_that_was_drawn_is_copied_with_its_kind(trainer: StubTrainer, outbox: Outbox) -> None:
    trainer.train()
    found = artifacts(outbox)
    assert found.keys() == {*PLOTS, *IMAGES, *DATA}
    for name, item in found.items():
        assert isinstance(item.record, Artifact)
        assert item.record.artifact_kind == ("plot" if name in PLOTS else "image" if name in IMAGES else "data")
        if name not in DATA:
            assert (outbox.folder.spool / item.file).read_bytes() == picture(name)


def test_artifacts_go_behind_the_final_model(trainer: StubTrainer, outbox: Outbox) -> None:
    trainer.train()
    assert [type(item.record) for item in due_items(outbox, files=True)] == [
        Checkpoint,
        *[Artifact] * len((*PLOTS, *IMAGES, *DATA)),
    ]


def test_training_that_draws_nothing_has_no_artifacts(tmp_path: Path, outbox: Outbox) -> None:
    StubTrainer(tmp_path / "train", callbacks=hub.callbacks, plots=False).train()
    assert artifacts(outbox) == {}


@pytest.mark.parametrize(
    ("setting", "kept"),
    [("upload_images", IMAGES), ("upload_plots", (*PLOTS, *DATA))],
)
def test_kind_that_is_to_stay_here_is_not_even_copied(
    trainer: StubTrainer, outbox: Outbox, monkeypatch: pytest.MonkeyPatch, setting: str, kept: tuple[str, ...]
) -> None:
    monkeypatch.setenv(f"HUB_CALLBACKS_{setting.upper()}", "false")
    trainer.train()
    assert artifacts(outbox).keys() == {*PLOTS, *IMAGES, *DATA} - set(kept)
    spooled = [path.read_bytes() for path in outbox.folder.spool.iterdir()]
    assert not [name for name in kept if name not in DATA and picture(name) in spooled]
    run = only_run(outbox)
    assert run.receipt().endswith(f"; kept here: {len(kept)} artifacts ({setting})")
    assert run.dropped == ()


def test_weights_that_are_to_stay_here_are_neither_copied_nor_waited_for(
    trainer: StubTrainer, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_UPLOAD_WEIGHTS", "false")
    monkeypatch.setenv("HUB_CALLBACKS_CKPT_S", "0")
    trainer.train()
    assert not [item for item in due_items(outbox, files=True) if isinstance(item.record, Checkpoint)]
    assert not list(outbox.folder.spool.glob("*.pt"))
    run = only_run(outbox)
    assert (run.checkpoints_pending, run.receipt()) == (
        0,
        "0/3 epochs acknowledged; kept here: 1 checkpoint (upload_weights)",
    )


def test_artifact_for_which_there_is_no_room_is_counted_and_nothing_else_is_lost(
    trainer: StubTrainer, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_SPOOL_MB", "0.0015")
    trainer.train()
    run = only_run(outbox)
    assert run.epochs_recorded == 3
    assert run.checkpoints_pending == 1
    assert {kind for kind, _ in run.dropped} == {"artifact"}
    assert all("spool_mb" in reason for _, reason in run.dropped)
    assert len(run.dropped) + run.artifacts_pending == len((*PLOTS, *IMAGES, *DATA))


def test_artifact_that_is_too_large_for_any_hub_is_not_read(trainer: StubTrainer, outbox: Outbox) -> None:
    def grow(_: Any) -> None:
        os.truncate(trainer.save_dir / "results.png", 1 << 30)

    trainer.callbacks["on_train_end"].insert(0, grow)
    trainer.train()
    assert "results.png" not in artifacts(outbox)
    assert only_run(outbox).dropped == (("artifact", "results.png is larger than 16 MiB"),)


def test_picture_that_cannot_be_read_costs_neither_end_nor_receipt(
    trainer: StubTrainer, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ultralytics")

    def break_it(_: Any) -> None:
        trainer.validator = SimpleNamespace(metrics=SimpleNamespace(curves_results=3))

    trainer.callbacks["on_train_end"].insert(0, break_it)
    trainer.train()
    assert only_run(outbox).state == "finished"
    assert "pictures" in caplog.text
    assert caplog.messages[-1].startswith("HUB: Look")


def test_picture_is_taken_when_its_thread_has_drawn_it(trainer: StubTrainer, outbox: Outbox) -> None:
    may_draw, name = threading.Event(), "val_batch2_pred.jpg"

    def plot_images() -> None:
        may_draw.wait()
        (trainer.save_dir / name).write_bytes(picture(name))

    def begin(_: Any) -> None:
        threading.Thread(target=plot_images).start()
        threading.Timer(0.2, may_draw.set).start()

    trainer.callbacks["on_train_end"].insert(0, begin)
    trainer.train()
    assert name in artifacts(outbox)


def test_pictures_are_found_by_name_where_a_release_notes_none(trainer: StubTrainer) -> None:
    del trainer.plots
    trainer.train()
    (trainer.save_dir / "labels_correlogram.jpg").write_bytes(b"")
    (trainer.save_dir / "my-own.png").write_bytes(b"")
    assert kinds(trainer) == {
        **dict.fromkeys((*PLOTS, "labels_correlogram.jpg"), "plot"),
        **dict.fromkeys(IMAGES, "image"),
    }


def test_picture_of_an_unknown_name_that_was_noted_may_show_training_data(trainer: StubTrainer, tmp_path: Path) -> None:
    trainer.train()
    for path in (trainer.save_dir / "new_plot.png", tmp_path / "elsewhere.png", trainer.save_dir / "notes.txt"):
        path.write_bytes(b"")
        trainer.plots[path] = {}
    trainer.plots[trainer.save_dir / "never_drawn.png"] = {}
    assert kinds(trainer)["new_plot.png"] == "image"
    assert kinds(trainer).keys() - {*PLOTS, *IMAGES} == {"new_plot.png"}


def test_pictures_of_an_earlier_training_in_the_folder_are_not_this_ones(trainer: StubTrainer) -> None:
    trainer.train()
    arguments, old = trainer.save_dir / "args.yaml", trainer.save_dir / "train_batch0.jpg"
    arguments.write_text("plots: true")
    os.utime(arguments, (1000.0, 1000.0))
    os.utime(old, (999.0, 999.0))
    assert old.name not in kinds(trainer)
    trainer.start_epoch = 2
    assert old.name in kinds(trainer), "a training that was resumed has drawn it before"


def test_curves_have_a_mean_and_a_line_for_each_class() -> None:
    drawn = curves(validator())
    assert drawn is not None
    precision, _ = drawn["curves"]
    assert (precision["title"], precision["x"], precision["y"]) == ("Precision-Recall(B)", "Recall", "Precision")
    assert [line["name"] for line in precision["lines"]] == ["all classes", "disc", "square"]
    assert len(precision["at"]) == len(precision["lines"][0]["values"]) == 201
    assert (precision["at"][0], precision["at"][-1]) == (0.0, 1.0)
    assert set(precision["lines"][0]["values"]) == {0.5}
    assert precision["lines"][1]["values"][0] == 1.0


def test_curves_of_many_classes_have_the_mean_alone() -> None:
    seen = validator()
    seen.names = {number: str(number) for number in range(80)}
    seen.metrics.ap_class_index = list(range(80))
    seen.metrics.curves_results = [[[0.0, 1.0], [[1.0, 0.0]] * 80, "Recall", "Precision"]]
    drawn = curves(seen)
    assert drawn is not None
    assert drawn["curves"][0]["lines"] == [{"name": "all classes", "values": [1.0, 0.0]}]


def test_curve_that_is_not_finite_has_a_gap() -> None:
    seen = validator()
    seen.metrics.curves_results = [[[0.0, 1.0], [[float("nan"), 0.0]] * 2, "Recall", "Precision"]]
    drawn = curves(seen)
    assert drawn is not None
    assert drawn["curves"][0]["lines"][0]["values"] == [None, 0.0]
    json.dumps(drawn, allow_nan=False)


@pytest.mark.parametrize("seen", [None, SimpleNamespace(), SimpleNamespace(metrics=SimpleNamespace(curves=["PR"]))])
def test_release_without_curves_has_none(seen: Any) -> None:
    assert curves(seen) is None
    assert confusion_matrix(seen) is None


def test_matrix_names_its_classes_and_the_background() -> None:
    assert confusion_matrix(validator()) == {
        "names": ["disc", "square", "background"],
        "counts": [[5, 1, 2], [0, 7, 1], [3, 0, 0]],
        "classes": 3,
    }


def test_matrix_of_a_classification_has_no_background() -> None:
    seen = validator()
    seen.confusion_matrix.matrix = [[5.0, 1.0], [0.0, 7.0]]
    drawn = confusion_matrix(seen)
    assert drawn is not None
    assert drawn["names"] == ["disc", "square"]


def test_matrix_in_which_nothing_was_counted_is_none() -> None:
    seen = validator()
    seen.confusion_matrix.matrix = [[0, 0], [0, 0]]
    assert confusion_matrix(seen) is None


def test_matrix_of_many_classes_is_bounded_to_those_with_most_instances() -> None:
    seen, size = validator(), 1000
    seen.names = {number: f"class {number}" for number in range(size)}
    seen.confusion_matrix.matrix = [[column if row == column else 0 for column in range(size)] for row in range(size)]
    drawn = confusion_matrix(seen)
    assert drawn is not None
    assert (len(drawn["names"]), len(drawn["counts"]), drawn["classes"]) == (200, 200, 1000)
    assert drawn["names"][0] == "class 800"
    assert drawn["counts"][199][199] == 999
