"""Arms the plugin at interpreter start: waits for Ultralytics to be imported, then attaches to its trainers.

Every Python process of an environment runs this file, most of them without ever training: it needs the standard
library only, imports nothing that the interpreter has not loaded, runs on Python 3.8 (torch calls it there too), and
never raises. Why these triggers and this place to attach: docs/explanation/discovery.md.
"""

import os
import sys

TYPE_CHECKING = False  # type checkers take it for True; importing typing would add milliseconds to every start

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

# By layout: `ultralytics.yolo` up to 8.0.135. `callbacks.base` hangs callbacks on a trainer, `trainer` runs them.
LAYOUTS = (
    ("ultralytics.utils.callbacks.base", "ultralytics.engine.trainer"),
    ("ultralytics.yolo.utils.callbacks.base", "ultralytics.yolo.engine.trainer"),
)
DISABLE = "HUB_CALLBACKS_DISABLE"


def install(trigger: str = "manual") -> None:
    """Attach to Ultralytics: now where it is already imported, else as soon as it is. Never raises, can be repeated.

    Called at interpreter start (``hub_callbacks.pth``, ``hub_callbacks.start``), by torch through the entry-point
    group ``torch.backends``, and by hand in a notebook that was running before the installation. Does nothing when
    the environment variable ``HUB_CALLBACKS_DISABLE`` is 1, true, yes or on.

    Args:
        trigger: Who called; kept for `armed_by`.
    """
    try:
        if is_disabled():
            return
        finder = _find() or _Finder(trigger)
        for name in [name for layout in LAYOUTS for name in layout if name in sys.modules]:
            finder.attach(sys.modules[name])
        if not finder.is_done() and _find() is None:
            sys.meta_path.insert(0, finder)
    except Exception as error:  # noqa: BLE001 - guard: it must never stop an interpreter from starting
        _warn("hub-callbacks could not be armed: %r. Trainings go on without it.", error)


def load_ipython_extension(ipython: "Any") -> None:  # noqa: ARG001 - IPython's signature
    """Attach to Ultralytics in a notebook: ``%load_ext hub_callbacks``."""
    install("ipython")


def is_disabled() -> bool:
    """Whether ``HUB_CALLBACKS_DISABLE`` is set to 1, true, yes or on."""
    return os.environ.get(DISABLE, "").strip().lower() in ("1", "true", "yes", "on")


def armed_by() -> "str | None":
    """The trigger that armed this process, while it waits for Ultralytics; None when it is not waiting."""
    finder = _find()
    return finder.trigger if finder else None


class _Finder:
    """Waits on `sys.meta_path` for the modules of `LAYOUTS`, and leaves when those of one layout are attached."""

    def __init__(self, trigger: str) -> None:
        self.trigger = trigger
        self._attached = set()  # type: set[str]

    def find_spec(
        self, fullname: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if not any(fullname in layout for layout in LAYOUTS):
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):  # else a namespace package, or a loader of before PEP 451
                    spec.loader = _Loader(spec.loader, self)  # type: ignore[assignment, arg-type]  # duck-typed
                return spec
        return None

    def attach(self, module: "ModuleType") -> None:
        from hub_callbacks.callbacks.attach import patch

        patch(module)
        self._attached.add(module.__name__)
        if self.is_done() and self in sys.meta_path:
            sys.meta_path.remove(self)

    def is_done(self) -> bool:
        return any(self._attached.issuperset(layout) for layout in LAYOUTS)


class _Loader:
    """Runs a module by its own loader, then attaches to it; leaves no trace in the module."""

    def __init__(self, loader: "Loader", finder: _Finder) -> None:
        self._loader = loader
        self._finder = finder

    def __getattr__(self, name: str) -> "Any":
        return getattr(self._loader, name)  # get_source, get_code: for those who only look

    def create_module(self, spec: "ModuleSpec") -> "ModuleType | None":
        return self._loader.create_module(spec)

    def exec_module(self, module: "ModuleType") -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        try:
            self._finder.attach(module)
        except Exception as error:  # noqa: BLE001 - guard: it must never stop Ultralytics from being imported
            _warn("hub-callbacks could not attach to %s: %r. Trainings go on without it.", module.__name__, error)


def _find() -> "_Finder | None":
    return next((finder for finder in sys.meta_path if isinstance(finder, _Finder)), None)


def _warn(message: str, *args: object) -> None:
    import logging

    logging.getLogger(__name__).warning(message, *args)
