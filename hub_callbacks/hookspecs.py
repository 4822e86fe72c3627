"""The hooks: what a plugin can be told about a training.

A plugin is a module, an object or a class with functions named as here and marked with `hookimpl`, and an entry point
in the group ``hub_callbacks``::

    from hub_callbacks import hookimpl

    @hookimpl
    def on_fit_epoch_end(trainer):
        print(trainer.epoch, trainer.metrics)

Every hook is called in the training process, in the thread that trains, on the process that reports (rank 0). A hook
that raises is logged once; neither the training nor another plugin notices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import pluggy

PROJECT = "hub_callbacks"  # pluggy's project name and the entry-point group

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class TrainerView(Protocol):
    """What a hook can rely on in Ultralytics' ``BaseTrainer``, over releases 8.0.100 to 8.4.190 as run.

    An attribute is there from the event named on, and may be missing or None before: read those with ``getattr(...,
    None)``. Without a name: from ``on_pretrain_routine_start`` on.

    Attributes:
        args: The training arguments.
        callbacks: Event name to the functions that Ultralytics calls.
        epochs: Number of epochs planned; changes while training when ``time=`` is given.
        start_epoch: First epoch, 0-based. From ``on_pretrain_routine_end``: above 0 when resumed.
        save_dir: The run's folder.
        wdir: The folder of its checkpoints.
        last: The latest checkpoint, rewritten in place in every epoch.
        best: The best checkpoint, rewritten in place.
        device: The torch device.
        plots: Plot file to its data and time (not in 8.0.100).
        validator: Has ``metrics``, ``confusion_matrix``, ``names`` and ``plots`` of the last validation. From
            ``on_pretrain_routine_end``.
        model: The network. From ``on_pretrain_routine_end``.
        data: The data set, as its YAML file says. From ``on_pretrain_routine_end``.
        csv: ``results.csv``. From ``on_pretrain_routine_end``.
        stop: Set it in ``on_fit_epoch_end`` to end the training after this epoch. From ``on_pretrain_routine_end``.
        best_fitness: Highest fitness so far. From ``on_pretrain_routine_end``.
        epoch: 0-based. From ``on_train_epoch_end``; in the last ``on_fit_epoch_end`` one more than the last epoch,
            or the same again (up to 8.3).
        tloss: Running mean of the losses: a tensor, or a dictionary since 8.4.114; see ``label_loss_items``. From
            ``on_train_epoch_end``.
        lr: Learning rate by parameter group. From ``on_train_epoch_end``.
        metrics: Validation metrics. From ``on_model_save``; in the last ``on_fit_epoch_end`` those of the best
            checkpoint, without losses.
        fitness: Fitness of this epoch. From ``on_model_save``; stale in the last ``on_fit_epoch_end``.
        epoch_time: Seconds that this epoch took. From ``on_fit_epoch_end``.
        label_loss_items: Names the losses: ``label_loss_items(trainer.tloss, prefix="train")``.
    """

    args: SimpleNamespace
    callbacks: Mapping[str, list[Callable[..., Any]]]
    epochs: int
    start_epoch: int
    save_dir: Path
    wdir: Path
    last: Path
    best: Path
    device: Any
    plots: Mapping[Any, Any]
    validator: Any
    model: Any
    data: Mapping[str, Any] | None
    csv: Path
    stop: bool
    best_fitness: float | None
    epoch: int
    tloss: Any
    lr: Mapping[str, float]
    metrics: Mapping[str, Any] | None
    fitness: float | None
    epoch_time: float | None
    label_loss_items: Callable[..., Any]


class TrainerHooks:
    """Every hook, in the order of a training."""

    @hookspec
    def on_pretrain_routine_start(self, trainer: TrainerView) -> None:
        """A trainer was made; its data set may still turn out to be wrong, and nothing else be called."""

    @hookspec
    def on_pretrain_routine_end(self, trainer: TrainerView) -> None:
        """Model, data and optimizer are ready: the first epoch is about to begin."""

    @hookspec
    def on_train_epoch_end(self, trainer: TrainerView) -> None:
        """An epoch's batches are through; it is not validated yet."""

    @hookspec
    def on_model_save(self, trainer: TrainerView) -> None:
        """``trainer.last`` (and ``trainer.best``) were written; copy them now or not at all: both are rewritten."""

    @hookspec
    def on_fit_epoch_end(self, trainer: TrainerView) -> None:
        """An epoch is trained and validated; once more after the last one, with the metrics of the best checkpoint."""

    @hookspec
    def on_train_end(self, trainer: TrainerView) -> None:
        """The training came to its own end, and its checkpoints are final."""

    @hookspec
    def teardown(self, trainer: TrainerView, error: BaseException | None) -> None:
        """The training is over, and this was its error: also ``KeyboardInterrupt``, or None; called exactly once."""
