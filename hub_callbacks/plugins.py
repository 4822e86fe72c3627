"""The plugins: found by entry point, each loaded and called alone.

pluggy's own loader stops at the first plugin that cannot be imported, and its calls at the first that raises; a
training must not be touched by either, hence the loops here.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Collection, Iterator
from importlib.metadata import EntryPoint, entry_points

import pluggy

from hub_callbacks.hookspecs import PROJECT, TrainerHooks, TrainerView

_log = logging.getLogger(__name__)


class Plugins:
    """The plugins of a process, in the order in which they are called: the last one found first.

    Attributes:
        failures: Name of each plugin that could not be loaded or that raised, to its first error.
    """

    def __init__(self) -> None:
        self.failures: dict[str, Exception] = {}
        self._told: dict[str, list[tuple[pluggy.HookImpl, Callable[..., object]]]] = {}
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(TrainerHooks)

    @classmethod
    def load(cls, *, block: Collection[str] = ()) -> Plugins:
        """The plugins of the entry-point group ``hub_callbacks``, but for those named in ``block``.

        One that cannot be loaded is logged and left out.
        """
        plugins = cls()
        for entry in entry_points(group=PROJECT):
            if entry.name not in block:
                plugins._load(entry)
        return plugins

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the plugins that are loaded, sorted."""
        return tuple(sorted(name for name, _ in self._manager.list_name_plugin()))

    def add(self, name: str, plugin: object) -> None:
        """Take in a module, an object, or a class (of which an object is made).

        Raises:
            ValueError: The name or the plugin is already there, or the plugin has no hook.
            pluggy.PluginValidationError: A function is marked as a hook but is none, or takes other arguments.
        """
        plugin = plugin() if inspect.isclass(plugin) else plugin
        if self._manager.has_plugin(name):
            raise ValueError(f"there is already a plugin of the name {name!r}")
        try:
            self._register(name, plugin)
        except Exception:
            if self._manager.has_plugin(name):  # pluggy before 1.7 keeps the hooks that it took before the bad one
                self._manager.unregister(name=name)
            raise

    def call(self, event: str, *, trainer: TrainerView, **kwargs: object) -> None:
        """Call every plugin's ``event``. One that raises is logged the first time, and the others are called.

        A plugin whose function the user hung on the trainer by hand is left to the trainer. Not so ``teardown``,
        which the trainer calls in some releases only, and without the error.
        """
        by_hand = () if kwargs else trainer.callbacks.get(event, ())
        if event not in self._told:  # kept, for an event comes in every epoch
            heard = reversed(getattr(self._manager.hook, event).get_hookimpls())
            self._told[event] = [(implementation, self._only(event, implementation)) for implementation in heard]
        for implementation, tell in self._told[event]:
            if implementation.function in by_hand:
                continue
            try:
                tell(trainer=trainer, **kwargs)
            except Exception as error:  # noqa: BLE001 - guard: training never notices a plugin
                self._note(implementation.plugin_name, event, error)

    def _register(self, name: str, plugin: object) -> None:
        self._told.clear()
        self._manager.register(plugin, name)
        self._manager.check_pending()
        if not self._manager.get_hookcallers(plugin):
            raise ValueError("it has no hook: mark its functions with hub_callbacks.hookimpl")

    def _load(self, entry: EntryPoint) -> None:
        try:
            self.add(entry.name, entry.load())
        except Exception as error:  # noqa: BLE001 - guard: one plugin never costs another
            self.failures[entry.name] = error
            _log.warning(
                "Plugin %r (%s) could not be loaded: %r. Training goes on without it. Upgrade or uninstall it, or set"
                " HUB_CALLBACKS_BLOCK=%s.",
                entry.name,
                " ".join(_origin(entry)),
                error,
                entry.name,
            )

    def _only(self, event: str, implementation: pluggy.HookImpl) -> Callable[..., object]:
        """What calls one plugin alone: its own function where pluggy would do no more than call it, for that costs."""
        spec = getattr(self._manager.hook, event).spec
        if not (implementation.wrapper or implementation.hookwrapper) and implementation.argnames == spec.argnames:
            return implementation.function
        others = (other for other in self._manager.get_plugins() if other is not implementation.plugin)
        return self._manager.subset_hook_caller(event, others)

    def _note(self, name: str, event: str, error: Exception) -> None:
        if name in self.failures:
            _log.debug("Plugin %r failed again in %s.", name, event, exc_info=error)
            return
        self.failures[name] = error
        _log.warning(
            "Plugin %r failed in %s: %r. Training goes on. Upgrade it, or set HUB_CALLBACKS_BLOCK=%s. It is told of"
            " later events, but its errors are not shown again.",
            name,
            event,
            error,
            name,
            exc_info=error if _log.isEnabledFor(logging.DEBUG) else None,
        )


def _origin(entry: EntryPoint) -> Iterator[str]:
    yield entry.value
    if entry.dist is not None:
        yield f"of {entry.dist.name} {entry.dist.version}"
