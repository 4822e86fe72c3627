"""The built-in plugin ``hub``: a training's events become a session's records.

Found through the entry-point group ``hub_callbacks``, like any plugin. The same functions stand in `callbacks`, in the
shape of Ultralytics' own integration modules, so that they can also be attached by hand::

    for event, function in hub_callbacks.callbacks.hub.callbacks.items():
        model.add_callback(event, function)

The functions are stateless and picklable; what is known of a trainer is held weakly, and only on rank 0.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakSet

from hub_callbacks.callbacks import model, run_file
from hub_callbacks.callbacks import trainer as view
from hub_callbacks.callbacks.attach import ultralytics_settings
from hub_callbacks.callbacks.living import ByTrainer
from hub_callbacks.callbacks.pictures import put_artifacts
from hub_callbacks.callbacks.receipt import show_delivery
from hub_callbacks.courier.local_hub import START_TIMEOUT_S
from hub_callbacks.hookspecs import TrainerView, hookimpl
from hub_callbacks.session import HUBTrainingSession
from hub_callbacks.settings import Settings

logger = logging.getLogger("ultralytics")  # where a person looks during a training


@dataclass(slots=True)
class _Run:
    session: HUBTrainingSession
    is_in_epoch: bool = False  # between an epoch's last batch and the end of its validation
    epochs: int = 0  # planned, as the hub was told
    metrics_before: tuple[Any, dict[str, Any]] = (None, {})  # the trainer's before the validation, and what they were
    began_at: float = field(default_factory=time.monotonic)
    page: str = ""  # as it was shown
    is_page_known: bool = False

    def show_page(self) -> None:
        """Say where the run can be seen; again when the local hub turns out to have found its port in use."""
        if self.is_page_known:
            return
        self.is_page_known = time.monotonic() - self.began_at > START_TIMEOUT_S
        page = str(self.session.model_url)
        if page != self.page:
            self.page = page
            logger.info("HUB: View this run at %s%s", page, _how_to_sign_in(self.session.settings))

    def note_epoch(self, trainer: TrainerView) -> None:
        """Note that an epoch's batches are through."""
        self.is_in_epoch = True
        self.metrics_before = trainer.metrics, dict(trainer.metrics or {})

    def is_validated(self, trainer: TrainerView) -> bool:
        """Whether the trainer's metrics are of this epoch: with ``val=False`` they stay as they were."""
        before, were = self.metrics_before
        return trainer.metrics is not before or trainer.metrics != were

    def follow_plan(self, epochs: int) -> None:
        """Tell the hub of a new number of planned epochs: with ``time=`` it follows from how long they take."""
        if epochs != self.epochs:
            self.epochs = epochs
            self.session.plan_epochs(epochs)


_runs: ByTrainer[_Run] = ByTrainer()  # the functions are shared by all trainers
_warned: WeakSet[Any] = WeakSet()  # trainers, also those whose run has ended


def _guarded(function: Callable[..., None]) -> Callable[..., None]:
    """Keep everything that goes wrong here from the training; say so once."""

    @functools.wraps(function)
    def guarded(trainer: TrainerView, **kwargs: Any) -> None:
        try:
            function(trainer, **kwargs)
        except Exception as error:  # noqa: BLE001 - guard: a training never fails because of us
            _warn_once(trainer, function.__name__, error)

    return guarded


@hookimpl
@_guarded
def on_pretrain_routine_end(trainer: TrainerView) -> None:
    """Begin the run, and let the rate limits count; other ranks than 0 have none."""
    if os.environ.get("RANK", "-1") not in {"-1", "0"}:
        return
    settings = Settings.load(ultralytics=ultralytics_settings())
    if not settings.hub or _runs.get(trainer):
        return
    if getattr(trainer, "hub_session", None) is not None:
        logger.info("HUB: Ultralytics' own HUB session is active; hub-callbacks stands aside.")
        return
    start = model.current()
    session = HUBTrainingSession(settings=start.settings if start else settings)
    run_id, after = (start.run_id, start.attempt) if start else (run_file.resumed_id(trainer), 0.0)
    session.start(view.run_started(trainer), run_id=run_id, after=after)
    session.start_timers()
    run = _Run(session, epochs=int(trainer.epochs))
    _runs.put(trainer, run)
    run_file.write(Path(trainer.save_dir), str(session.model_id))
    if start:
        start.put_best(trainer)
    run.show_page()


@hookimpl
@_guarded
def on_train_epoch_end(trainer: TrainerView) -> None:
    """Note that an epoch is under way: the last `on_fit_epoch_end` comes without one."""
    if run := _runs.get(trainer):
        run.note_epoch(trainer)
        run.show_page()


@hookimpl
@_guarded
def on_fit_epoch_end(trainer: TrainerView) -> None:
    """Record the epoch's row, or after the last epoch what the best checkpoint scored."""
    if (run := _runs.get(trainer)) is None:
        return
    if not run.is_in_epoch:
        run.session.record_summary(view.plain(trainer.metrics or {}))
        return
    run.is_in_epoch = False
    row = view.epoch_row(trainer, is_validated=run.is_validated(trainer))
    if trainer.epoch == 0:
        row |= _model_info(trainer)
    run.session.record_metrics(trainer.epoch, row)
    run.follow_plan(int(trainer.epochs))
    if reason := run.session.stop_reason():
        trainer.stop = True
        logger.info("HUB: Stopping after this epoch: %s", reason)


@hookimpl
@_guarded
def on_model_save(trainer: TrainerView) -> None:
    """Queue last.pt, when the rate limit allows it."""
    if run := _runs.get(trainer):
        run.session.record_checkpoint(trainer.epoch, trainer.last, is_best=view.is_best(trainer))


@hookimpl
@_guarded
def on_train_end(trainer: TrainerView) -> None:
    """Queue the final model and what was drawn, record the end, and wait a while for the receipt."""
    if run := _runs.pop(trainer):
        try:
            _fill_gaps(trainer, run.session)
            if getattr(trainer.args, "time", None):  # it was the time that ended it
                run.follow_plan(max(run.session.epochs_recorded(), default=-1) + 1)
            run.session.upload_model(trainer.epoch, trainer.best, map=view.final_map(trainer), final=True)
            _put_artifacts(trainer, run.session)
        finally:
            reason = run.session.stop_reason()
            run.session.finish("stopped" if reason else "finished", reason)
        show_delivery(run.session, wait_s=run.session.settings.wait_s)


@hookimpl
@_guarded
def teardown(trainer: TrainerView, error: BaseException | None) -> None:
    """Record the end of a training that did not come to its own: what stopped it, or what it failed with."""
    if run := _runs.pop(trainer):
        if error is None or isinstance(error, (KeyboardInterrupt, SystemExit)):
            run.session.finish("stopped", "Interrupted." if error else "The training ended early.")
        else:
            run.session.finish("failed", traceback.format_exception_only(error)[-1].strip())
        show_delivery(run.session, wait_s=0.0)


def native_teardown(trainer: TrainerView) -> None:
    """Take Ultralytics' own ``teardown`` (8.4.180 and later), which comes from a ``finally`` and without the error."""
    teardown(trainer, error=sys.exc_info()[1])


callbacks: dict[str, Callable[..., None]] = {
    "on_pretrain_routine_end": on_pretrain_routine_end,
    "on_train_epoch_end": on_train_epoch_end,
    "on_fit_epoch_end": on_fit_epoch_end,
    "on_model_save": on_model_save,
    "on_train_end": on_train_end,
    "teardown": native_teardown,
}


def _fill_gaps(trainer: TrainerView, session: HUBTrainingSession) -> None:
    """Record the epochs that results.csv has and we have not: of a damaged outbox, or from before we were there."""
    noted = view.results(trainer)
    left = noted.keys() - session.epochs_recorded()
    for epoch in sorted(left & set(range(trainer.epoch + 1))):  # later ones are of before a resumption
        session.record_metrics(epoch, noted[epoch])


def _put_artifacts(trainer: TrainerView, session: HUBTrainingSession) -> None:
    try:
        put_artifacts(trainer, session)
    except Exception as error:  # noqa: BLE001 - guard: a picture must not cost the receipt
        _warn_once(trainer, "pictures", error)


def _model_info(trainer: TrainerView) -> dict[str, float]:
    try:
        return view.model_info(trainer)
    except Exception as error:  # noqa: BLE001 - guard: Ultralytics' profiling must not cost the row
        logger.debug("HUB: no model info: %r", error)
        return {}


def _how_to_sign_in(settings: Settings) -> str:
    return " (signed in: hub-callbacks open)" if settings.is_local else ""


def _warn_once(trainer: TrainerView, event: str, error: Exception) -> None:
    if trainer not in _warned:
        logger.warning("HUB: %s: %s Training goes on.", event, error)
    _warned.add(trainer)
