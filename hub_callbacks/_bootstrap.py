"""Arms the plugin at interpreter start: waits for Ultralytics to be imported, then attaches to its trainers.

Every Python process of an environment runs this file, most of them without ever training, and each pays for its size:
it needs the standard library only, imports nothing that the interpreter has not loaded, runs on Python 3.8 (torch
calls it there too), and never raises. The rest is in callbacks/imports.py, imported when Ultralytics is.
"""

import os
import sys

TYPE_CHECKING = False  # type checkers take it for True; importing typing would add milliseconds to every start

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

# `callbacks.base` hangs callbacks on a trainer, `engine.trainer` runs them, `engine.model` loads what is trained;
# `ultralytics.yolo` up to 8.0.135.
MODULES = (
    "ultralytics.utils.callbacks.base",
    "ultralytics.engine.trainer",
    "ultralytics.engine.model",
    "ultralytics.yolo.utils.callbacks.base",
    "ultralytics.yolo.engine.trainer",
    "ultralytics.yolo.engine.model",
)
DISABLE = "HUB_CALLBACKS_DISABLE"


class Finder:
    """Stands on `sys.meta_path` until the `MODULES` of one layout are attached.

    Attributes:
        trigger: Who put it there.
    """

    def __init__(self, trigger: str) -> None:
        self.trigger = trigger

    def find_spec(
        self, fullname: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """A spec that attaches to the module after its import, for one of `MODULES`; else None."""
        if fullname not in MODULES:
            return None
        try:
            from hub_callbacks.callbacks.imports import find_spec
        except Exception as error:  # noqa: BLE001 - guard: it must never stop Ultralytics from being imported
            sys.meta_path.remove(self)
            _warn(error)
            return None
        return find_spec(fullname, path, target)


def install(trigger: str = "manual") -> None:
    """Attach to Ultralytics: now where it is already imported, else as soon as it is. Never raises, can be repeated.

    Called at interpreter start (``hub_callbacks.pth``, ``hub_callbacks.start``), by torch through the entry-point
    group ``torch.backends``, and by hand in a notebook that was running before the installation. Does nothing when
    the environment variable ``HUB_CALLBACKS_DISABLE`` is 1, true, yes or on.

    Args:
        trigger: Who calls; kept for `armed_by`.
    """
    try:
        if is_disabled() or armed_by():
            return
        sys.meta_path.insert(0, Finder(trigger))
        if "ultralytics" in sys.modules:
            from hub_callbacks.callbacks.imports import catch_up

            catch_up()
    except Exception as error:  # noqa: BLE001 - guard: it must never stop an interpreter from starting
        _warn(error)


def load_ipython_extension(ipython: object) -> None:  # noqa: ARG001 - IPython's signature
    """Attach to Ultralytics in a notebook: ``%load_ext hub_callbacks``."""
    install("ipython")


def is_disabled() -> bool:
    """Whether ``HUB_CALLBACKS_DISABLE`` is set to 1, true, yes or on."""
    return os.environ.get(DISABLE, "").strip().lower() in ("1", "true", "yes", "on")


def armed_by() -> "str | None":
    """The trigger that armed this process, while it waits for Ultralytics; None when it is not waiting."""
    for finder in sys.meta_path:
        if isinstance(finder, Finder):
            return finder.trigger
    return None


def _warn(error: Exception) -> None:
    import logging

    logging.getLogger(__name__).warning("hub-callbacks is off, and trainings go on without it: %r", error)
