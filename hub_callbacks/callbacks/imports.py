"""Attaches to Ultralytics when it is imported: what `hub_callbacks._bootstrap` leaves for that moment."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, cast

from hub_callbacks._bootstrap import MODULES, Finder
from hub_callbacks.callbacks.attach import is_patched, patch

_log = logging.getLogger(__name__)


def find_spec(fullname: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
    """The spec that the other finders have for a module of `MODULES`, with a loader that attaches to it."""
    for finder in sys.meta_path:
        spec = None if isinstance(finder, Finder) else finder.find_spec(fullname, path, target)
        if spec is not None:
            if hasattr(spec.loader, "exec_module"):  # else a loader of before PEP 451
                spec.loader = cast("Loader", _AttachingLoader(cast("Loader", spec.loader)))
            return spec
    return None


def catch_up() -> None:
    """Attach to the modules of `MODULES` that are imported already, and wait for the others."""
    for name in MODULES:
        if name in sys.modules:
            _attach(sys.modules[name])


class _AttachingLoader:
    """Runs a module by its own loader, then attaches to it; leaves no trace in the module."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)  # get_source, get_code: for those who only look

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _attach(module)


def _attach(module: ModuleType) -> None:
    try:
        patch(module)
    except Exception as error:  # noqa: BLE001 - guard: it must never stop Ultralytics from being imported
        _log.warning("hub-callbacks could not attach to %s, and trainings go on without it: %r", module.__name__, error)
    if is_patched(MODULES[:3]) or is_patched(MODULES[3:]):
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Finder)]
