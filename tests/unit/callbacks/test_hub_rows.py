from __future__ import annotations

from typing import Any

import pytest

from hub_callbacks.callbacks import trainer as view
from hub_callbacks.outbox import Outbox
from hub_callbacks.records import Metrics, Summary
from hub_callbacks.testing import StubTrainer
from tests.unit.leases import due_records


def test_last_validation_is_the_summary_and_no_row(trainer: StubTrainer, outbox: Outbox) -> None:
    trainer.train()
    (summary,) = due_records(outbox, Summary)
    assert summary.values["metrics/mAP50-95(B)"] == pytest.approx(0.91)


def test_last_validation_under_the_last_epochs_number_leaves_its_row_alone(
    trainer: StubTrainer, outbox: Outbox
) -> None:
    trainer.begin()
    for epoch in range(3):
        trainer.run_epoch(epoch)
    trainer.metrics = {"metrics/mAP50-95(B)": 0.99}
    trainer.run_callbacks("on_fit_epoch_end")  # ultralytics up to 8.4.0 repeats the epoch's number
    assert [row.values["metrics/mAP50-95(B)"] for row in due_records(outbox, Metrics)][-1] == pytest.approx(0.9)


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
    (row,) = due_records(outbox, Metrics)
    assert row.values["lr/a"] == 0.25
    assert not {"lr/b", "lr/c"} & row.values.keys()


def test_nan_is_recorded(trainer: StubTrainer, outbox: Outbox) -> None:
    trainer.begin()
    trainer.on_epoch = lambda trainer: setattr(trainer, "tloss", {"box_loss": float("nan")})
    trainer.run_epoch(0)
    (row,) = due_records(outbox, Metrics)
    assert row.values["train/box_loss"] != row.values["train/box_loss"]


def test_epochs_that_are_missing_at_the_end_are_taken_from_results_csv(trainer: StubTrainer, outbox: Outbox) -> None:
    trainer.begin()
    for epoch in range(3):
        trainer.run_epoch(epoch)
    outbox._database.execute("DELETE FROM items WHERE epoch = 1")
    trainer.end()
    rows = {row.epoch: row.values for row in due_records(outbox, Metrics)}
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
