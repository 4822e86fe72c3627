"""Trainings that are not as most are: without validation or checkpoints, stopped early, with a new plan, with NaN."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from hub_callbacks.callbacks import hub, tuning
from hub_callbacks.callbacks import trainer as view
from hub_callbacks.outbox import Outbox, RunStatus
from hub_callbacks.records import Checkpoint, EpochsPlanned, Metrics, RunFinished, Summary
from hub_callbacks.testing import StubTrainer
from hub_callbacks.testing.trainer import METRICS
from tests.unit.leases import due_items

R = TypeVar("R")

MAP = "metrics/mAP50-95(B)"


@pytest.fixture(autouse=True)
def _settings(courier_at_work: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_CALLBACKS_API_URL", "https://hub.example")
    monkeypatch.setenv("HUB_CALLBACKS_WAIT_S", "0")
    monkeypatch.setenv("HUB_CALLBACKS_CKPT_S", "0")


@pytest.fixture
def create(tmp_path: Path) -> Callable[..., StubTrainer]:
    return lambda **args: StubTrainer(tmp_path / "runs" / "train", callbacks=hub.callbacks, **args)


@pytest.fixture
def said(outbox: Outbox) -> Callable[[type[R]], list[R]]:
    """What of a kind was recorded, in the order in which it is delivered."""

    def said(kind: type[R]) -> list[R]:
        items = [*due_items(outbox), *due_items(outbox, files=True)]
        return [item.record for item in items if isinstance(item.record, kind)]

    return said


@pytest.fixture
def run(outbox: Outbox) -> Callable[[], RunStatus]:
    return lambda: outbox.runs.list()[0]


def test_rows_without_a_validation_carry_no_metrics(create: Callable[..., StubTrainer], said: Any) -> None:
    create(val=False).train()
    rows = [row.values for row in said(Metrics)]
    assert [MAP in row for row in rows] == [False, False, True]  # the last epoch is always validated
    assert all({"train/box_loss", "lr/pg0"} <= row.keys() for row in rows)
    assert not {"val/box_loss", *METRICS} & {*rows[0], *rows[1]}


def test_metrics_that_ultralytics_changes_in_place_before_the_validation_are_none(
    create: Callable[..., StubTrainer], said: Any
) -> None:
    trainer = create(val=False)
    trainer.on_epoch = lambda trainer: (trainer.metrics or {}).update({"val/box_loss": 0.0})  # 8.4.190, first batch
    trainer.train()
    assert "val/box_loss" not in said(Metrics)[0].values


def test_metrics_that_a_trainer_changes_in_place_in_the_validation_are_its_own(
    create: Callable[..., StubTrainer], said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = create()
    monkeypatch.setattr(trainer, "validate", lambda progress: (trainer.metrics or {}).update({MAP: progress}))
    trainer.train()
    assert [row.values[MAP] for row in said(Metrics)] == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_training_that_saves_nothing_ends_with_its_model(create: Callable[..., StubTrainer], said: Any) -> None:
    create(save=False).train()
    assert [(one.epoch, one.is_final) for one in said(Checkpoint)] == [(2, False), (2, True)]
    assert len(said(Metrics)) == 3


def test_early_stop_is_a_finish_with_the_rows_that_there_were(
    create: Callable[..., StubTrainer], said: Any, run: Callable[[], RunStatus]
) -> None:
    trainer = create(epochs=100)
    trainer.on_epoch = lambda trainer: setattr(trainer, "stop", trainer.epoch == 4)
    trainer.train()
    assert [row.epoch for row in said(Metrics)] == [0, 1, 2, 3, 4]
    assert [end.state for end in said(RunFinished)] == ["finished"]
    assert (run().epochs, run().receipt()) == (100, "0/5 epochs acknowledged")
    assert said(EpochsPlanned) == []


def test_plan_that_changes_with_the_time_is_followed(
    create: Callable[..., StubTrainer], said: Any, run: Callable[[], RunStatus]
) -> None:
    trainer = create(epochs=100, time=0.01)
    plans = iter([40, 7, 7, 8, 8, 8])

    def estimate(trainer: StubTrainer) -> None:
        trainer.epochs = next(plans)
        trainer.stop = trainer.epoch == 5  # the time is over, two epochs before the plan

    trainer.on_epoch = estimate
    trainer.train()
    assert [record.epochs for record in said(EpochsPlanned)] == [40, 7, 8, 6]
    assert (run().epochs, run().epochs_recorded) == (6, 6)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_loss_that_is_no_number_is_recorded_as_it_is(
    create: Callable[..., StubTrainer], said: Any, number: float
) -> None:
    trainer = create(epochs=1)
    trainer.on_epoch = lambda trainer: setattr(trainer, "tloss", {"box_loss": number})
    trainer.train()
    (row,) = said(Metrics)
    assert row.values["train/box_loss"] == pytest.approx(number, nan_ok=True)
    assert row.values[MAP] == pytest.approx(0.9)


def test_epoch_that_is_done_again_after_a_nan_has_one_row(
    create: Callable[..., StubTrainer], said: Any, run: Callable[[], RunStatus]
) -> None:
    trainer = create()
    trainer.begin()
    trainer.run_epoch(0)
    trainer.tloss = {"box_loss": math.nan}
    trainer.epoch = 1
    trainer.run_callbacks("on_train_epoch_end")  # 8.4.190 then goes back to last.pt, and no other event comes
    trainer.run_epoch(1)
    trainer.run_epoch(2)
    trainer.end()
    assert [row.epoch for row in said(Metrics)] == [0, 1, 2]
    assert not any(math.isnan(row.values["train/box_loss"]) for row in said(Metrics))


def test_training_that_goes_back_to_an_earlier_epoch_ends_with_the_newer_rows(
    create: Callable[..., StubTrainer], said: Any, run: Callable[[], RunStatus]
) -> None:
    trainer = create()
    trainer.begin()
    for epoch in (0, 1, 0, 1, 2):
        trainer.on_epoch = lambda trainer: trainer.lr.update(done=len(said(Metrics)))
        trainer.run_epoch(epoch)
    trainer.end()
    last = {row.epoch: row.values["done"] for row in said(Metrics)}  # the last of an epoch holds on the hub
    assert last == {0: 2.0, 1: 3.0, 2: 4.0}
    assert run().epochs_recorded == 3


def test_trainings_one_after_another_are_runs_of_their_own(
    create: Callable[..., StubTrainer], said: Any, outbox: Outbox
) -> None:
    for _ in range(2):
        create().train()
    assert [run.epochs_recorded for run in outbox.runs.list()] == [3, 3]
    assert len(said(Summary)) == len(said(RunFinished)) == 2


class Tuner:
    """As Ultralytics' own, whose trials are processes."""

    __module__ = "ultralytics.engine.tuner"

    def __init__(self, tune_dir: Path) -> None:
        self.tune_dir = tune_dir

    def __call__(self, trainer: Any) -> tuple[str, str]:
        if trainer is None:
            raise KeyboardInterrupt
        started = view.run_started(trainer)
        return started.name, started.project


class RayContext:
    """What ``ray.tune.get_context()`` gives in a worker (Ray 2.41 and later); no trial outside of one."""

    def __init__(self, experiment: str, trial: str | None) -> None:
        self.get_experiment_name, self.get_trial_id = (lambda: experiment), (lambda: trial)


@pytest.mark.parametrize("module", ["ray.tune", "ray.train"])
@pytest.mark.parametrize(
    ("name", "named"), [("tune_00003", "tune_00003"), ("train", "train_00003")], ids=["8.4 names it", "8.3"]
)
def test_trials_of_a_tune_by_ray_are_in_its_project(
    create: Callable[..., StubTrainer], monkeypatch: pytest.MonkeyPatch, module: str, name: str, named: str
) -> None:
    context = RayContext("tune3", "d620c_00003")
    monkeypatch.setitem(sys.modules, module, SimpleNamespace(get_context=lambda: context))
    trainer: Any = create(project="runs/mine")
    trainer.save_dir = trainer.save_dir.with_name(name)
    started = view.run_started(trainer)
    assert (started.name, started.project) == (named, "tune3")


@pytest.mark.parametrize("context", [RayContext("none", None), None], ids=["no trial", "an error"])
def test_training_beside_ray_is_no_trial(
    create: Callable[..., StubTrainer], monkeypatch: pytest.MonkeyPatch, context: RayContext | None
) -> None:
    def get_context() -> RayContext:
        if context is None:
            raise RuntimeError("no session")
        return context

    monkeypatch.setitem(sys.modules, "ray.tune", SimpleNamespace(get_context=get_context))
    trainer: Any = create(project="runs/mine")
    started = view.run_started(trainer)
    assert (started.name, started.project) == ("train", "mine")


def test_trials_of_a_tune_are_in_its_project(create: Callable[..., StubTrainer], tmp_path: Path) -> None:
    trainer: Any = create(project="runs/multitrain2")
    tune = Tuner(tmp_path / "runs" / "tune3")
    assert tuning.is_tuner(tune)
    assert not tuning.is_tuner(trainer)
    for _ in range(2):
        tuning.tell_trials(type(tune))
    assert tune(trainer) == ("multitrain2-train", "tune3")
    with pytest.raises(KeyboardInterrupt):
        tune(None)
    started = view.run_started(trainer)
    assert (started.name, started.project) == ("train", "multitrain2")
