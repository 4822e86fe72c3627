"""A HUB training session for every Ultralytics trainer, and the hub it talks to.

Names are imported on first use: ``import hub_callbacks`` runs at every interpreter start (see ``_bootstrap``), so it
loads nothing but this file.
"""

TYPE_CHECKING = False  # type checkers take it for True; importing typing would add milliseconds to every start

if TYPE_CHECKING:
    from hub_callbacks._bootstrap import install, load_ipython_extension
    from hub_callbacks.errors import HubCallbacksError
    from hub_callbacks.hookspecs import hookimpl, hookspec
    from hub_callbacks.runs import Runs
    from hub_callbacks.session import HUBTrainingSession
    from hub_callbacks.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "HUBTrainingSession",
    "HubCallbacksError",
    "Runs",
    "Settings",
    "hookimpl",
    "hookspec",
    "install",
    "load_ipython_extension",
]

_HOMES = {
    "HUBTrainingSession": "session",
    "HubCallbacksError": "errors",
    "Runs": "runs",
    "Settings": "settings",
    "hookimpl": "hookspecs",
    "hookspec": "hookspecs",
    "install": "_bootstrap",
    "load_ipython_extension": "_bootstrap",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
