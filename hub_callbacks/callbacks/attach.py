"""Hangs our functions on every trainer, over all releases of Ultralytics.

``add_integration_callbacks``, which hangs Ultralytics' own integrations on a trainer, hangs ours on too.
``BaseTrainer.train`` tells of the end: the native ``teardown`` event is not called after an error before 8.4.180, and
never with the error. ``BaseTrainer.check_resume`` lets a model of the hub be resumed on another machine, and the model
class is wrapped by `hub_callbacks.callbacks.model`.

The functions are of the module and stateless: their identity keeps a model that is trained twice from getting them
twice, and they survive the pickling of callbacks for DDP. Imported when Ultralytics is, before any training: the
standard library only.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hub_callbacks._bootstrap import MODULES, is_disabled
from hub_callbacks.callbacks import model, tuning
from hub_callbacks.callbacks.living import ByTrainer
from hub_callbacks.callbacks.model import MARK

if TYPE_CHECKING:
    from hub_callbacks.hookspecs import TrainerView
    from hub_callbacks.plugins import Plugins

_log = logging.getLogger(__name__)

_TRAINER_BY_BASE = dict(zip(MODULES[::3], MODULES[1::3], strict=True))
_BUILT_IN = {base.removesuffix("base") + "hub" for base in _TRAINER_BY_BASE}

# Trainers with the plugins that were told of them, and not yet of their end. The parent of a DDP training also runs
# `train`, but none of its events; a mark on the trainer would be pickled into its children.
_begun: ByTrainer[Plugins] = ByTrainer()


def patch(module: ModuleType) -> None:
    """Wrap what we need of a module of `MODULES`; once, however often it is called."""
    if module.__name__.endswith(".callbacks.base"):
        _wrap_add(module)
    elif module.__name__.endswith(".trainer"):
        _wrap_train(module.BaseTrainer)
        _wrap_check_resume(module.BaseTrainer)
    else:
        model.patch(_model_class(module))


def is_patched(names: Iterable[str]) -> bool:
    """Whether all these modules are imported and wrapped."""
    return all(_is_wrapped(sys.modules.get(name)) for name in names)


def ultralytics_settings() -> Mapping[str, Any]:
    """Ultralytics' own SETTINGS, or nothing when it is not imported."""
    for name in ("ultralytics.utils", "ultralytics.yolo.utils"):
        settings = getattr(sys.modules.get(name), "SETTINGS", None)
        if isinstance(settings, Mapping):
            return settings
    return {}


def is_recording() -> bool:
    """Whether trainings are recorded: our own plugin is loaded, and its setting on."""
    from hub_callbacks.errors import SettingsError
    from hub_callbacks.settings import Settings

    plugins = _plugins()
    try:
        return plugins is not None and "hub" in plugins.names and Settings.load(ultralytics=ultralytics_settings()).hub
    except SettingsError:
        return False  # the plugin itself says so


def on_pretrain_routine_start(trainer: TrainerView) -> None:
    """Hung on every trainer: tells the plugins, after Ultralytics' own HUB callbacks were taken off."""
    if _is_reporting():
        _take_off_built_in(trainer)
    _emit("on_pretrain_routine_start", trainer)


def on_pretrain_routine_end(trainer: TrainerView) -> None:
    """Hung on every trainer: tells the plugins."""
    _emit("on_pretrain_routine_end", trainer)


def on_train_epoch_end(trainer: TrainerView) -> None:
    """Hung on every trainer: tells the plugins."""
    _emit("on_train_epoch_end", trainer)


def on_model_save(trainer: TrainerView) -> None:
    """Hung on every trainer: tells the plugins."""
    _emit("on_model_save", trainer)


def on_fit_epoch_end(trainer: TrainerView) -> None:
    """Hung on every trainer: tells the plugins."""
    _emit("on_fit_epoch_end", trainer)


def on_train_end(trainer: TrainerView) -> None:
    """Hung on every trainer: tells the plugins."""
    _emit("on_train_end", trainer)


_FUNCTIONS = (
    on_pretrain_routine_start,
    on_pretrain_routine_end,
    on_train_epoch_end,
    on_model_save,
    on_fit_epoch_end,
    on_train_end,
)


def _is_wrapped(module: ModuleType | None) -> bool:
    trained = getattr(module, "BaseTrainer", None) or _model_class(module)
    return hasattr(getattr(module, "add_integration_callbacks", getattr(trained, "train", None)), MARK)


def _model_class(module: ModuleType | None) -> Any:
    """The class that ``YOLO`` descends from; up to 8.0.142 that is ``YOLO`` itself."""
    return getattr(module, "Model", None) or getattr(module, "YOLO", None)


def _wrap_add(base: ModuleType) -> None:
    original: Callable[[Any], None] = base.add_integration_callbacks
    if hasattr(original, MARK):
        return

    @functools.wraps(original)
    def add_integration_callbacks(instance: Any) -> None:
        original(instance)
        if is_disabled():
            return
        if _is_trainer(instance, base.__name__):
            _hang_on(instance)
        elif tuning.is_tuner(instance):
            tuning.tell_trials(type(instance))

    setattr(add_integration_callbacks, MARK, True)
    name, package = "add_integration_callbacks", sys.modules[base.__name__.rpartition(".")[0]]
    for module in (base, package):  # the package has re-exported it when Ultralytics was imported before us
        if vars(module).get(name) is original:
            setattr(module, name, add_integration_callbacks)


def _wrap_train(trainer_class: type[Any]) -> None:
    original = trainer_class.train
    if hasattr(original, MARK):
        return

    @functools.wraps(original)
    def train(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            with model.told_to_children(self):
                result = original(self, *args, **kwargs)
        except BaseException as error:
            _end(self, error)
            raise
        _end(self, None)
        return result

    setattr(train, MARK, True)
    trainer_class.train = train


def _wrap_check_resume(trainer_class: type[Any]) -> None:
    original = getattr(trainer_class, "check_resume", None)
    if original is None or hasattr(original, MARK):
        return

    @functools.wraps(original)
    def check_resume(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if (start := model.current()) is not None:
            start.place(self)

    setattr(check_resume, MARK, True)
    trainer_class.check_resume = check_resume


def _is_trainer(instance: object, base_name: str) -> bool:
    """By class, not by name as Ultralytics does: ``class MyLoop(DetectionTrainer)`` is one, too."""
    trainer_class = getattr(sys.modules.get(_TRAINER_BY_BASE[base_name]), "BaseTrainer", None)
    return trainer_class is not None and isinstance(instance, trainer_class)


def _hang_on(trainer: TrainerView) -> None:
    if _plugins() is None:
        return
    for function in _FUNCTIONS:
        functions = trainer.callbacks[function.__name__]
        if function not in functions:
            # First, not last: on_pretrain_routine_start has to run before the built-in one, which opens a session.
            functions.insert(0 if function is on_pretrain_routine_start else len(functions), function)


def _take_off_built_in(trainer: TrainerView) -> None:
    """Take the HUB callbacks of Ultralytics up to 8.4.114 off, when our own plugin stands in for them.

    They stay on a model that Ultralytics itself loaded from the hub. Only now: up to 8.3 it sets ``hub_session`` after
    the trainer is made. The list that is being run through loses entries behind the present one only.
    """
    if getattr(trainer, "hub_session", None) is not None or not is_recording():
        return
    for functions in trainer.callbacks.values():
        functions[:] = [function for function in functions if getattr(function, "__module__", "") not in _BUILT_IN]


def _end(trainer: TrainerView, error: BaseException | None) -> None:
    if (plugins := _begun.pop(trainer)) is not None:
        plugins.call("teardown", trainer=trainer, error=error)


def _emit(event: str, trainer: TrainerView) -> None:
    if (plugins := _begun.get(trainer) or _begin(trainer)) is not None:
        plugins.call(event, trainer=trainer)


def _begin(trainer: TrainerView) -> Plugins | None:
    plugins = _plugins() if _is_reporting() else None
    if plugins is not None:
        _begun.put(trainer, plugins)
    return plugins


def _is_reporting() -> bool:
    """Whether this process is the one that reports: the only one, or rank 0 of a DDP training."""
    return os.environ.get("RANK", "-1") in {"-1", "0"}


def _plugins() -> Plugins | None:
    try:
        return _load_plugins()
    except Exception as error:  # noqa: BLE001 - guard: a bad setting or a broken installation never stops a training
        _log.warning("hub-callbacks is off, and training goes on without it: %s", error)
        return None


@functools.cache  # the first trainer of a process pays for it; errors are not kept
def _load_plugins() -> Plugins:
    from hub_callbacks.plugins import Plugins
    from hub_callbacks.settings import Settings

    return Plugins.load(block=Settings.load().block)
