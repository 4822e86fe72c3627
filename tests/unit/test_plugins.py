"""Plugins: found, blocked, each loaded and called alone."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pluggy
import pytest

from hub_callbacks import hookimpl
from hub_callbacks.plugins import Plugins

if TYPE_CHECKING:
    from hub_callbacks.hookspecs import TrainerView

AddPackage = Callable[[str, str], None]


class Told:
    """A plugin that notes what it is told."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    @hookimpl
    def on_train_end(self, trainer: TrainerView) -> None:
        self.events.append(trainer)

    @hookimpl
    def teardown(self, trainer: TrainerView, error: BaseException | None) -> None:
        self.events.append(error)


class Raises:
    @hookimpl
    def on_train_end(self) -> None:
        raise OSError("no space left")

    @hookimpl
    def on_model_save(self) -> None:
        raise OSError("nor here")


@pytest.fixture
def trainer() -> TrainerView:
    return cast("TrainerView", SimpleNamespace(callbacks={}))


@pytest.fixture
def add_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AddPackage:
    """Adds a package with one plugin, as an installation would."""
    monkeypatch.syspath_prepend(tmp_path)

    def add(name: str, source: str) -> None:
        info = tmp_path / f"plugin_{name}-1.2.dist-info"
        info.mkdir()
        monkeypatch.delitem(sys.modules, f"plugin_{name}", raising=False)  # of the test before
        (tmp_path / f"plugin_{name}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[hub_callbacks]\n{name} = plugin_{name}\n")

    return add


GOOD = "from hub_callbacks import hookimpl\n@hookimpl\ndef on_train_end(trainer):\n    trainer.told.append(__name__)\n"


def test_load_finds_plugins_by_entry_point(add_package: AddPackage) -> None:
    add_package("good", GOOD)
    assert Plugins.load(block={"hub"}).names == ("good",)


def test_load_leaves_out_blocked_plugins_without_importing_them(add_package: AddPackage) -> None:
    add_package("good", GOOD)
    add_package("bad", "raise SystemExit('imported')")
    assert Plugins.load(block={"hub", "bad"}).names == ("good",)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nowhere", "No module named 'nowhere'"),
        ("1 / 0", "division by zero"),
        ("def on_train_end(trainer): pass", "it has no hook"),
        (GOOD.replace("on_train_end", "on_trian_end"), "unknown hook 'on_trian_end'"),
        (GOOD.replace("(trainer)", "(run)"), "Argument(s) {'run'}"),
    ],
)
def test_load_names_a_plugin_that_cannot_be_loaded_and_goes_on(
    add_package: AddPackage, caplog: pytest.LogCaptureFixture, source: str, reason: str
) -> None:
    add_package("bad", source)
    add_package("good", GOOD)
    plugins = Plugins.load(block={"hub"})
    assert (plugins.names, set(plugins.failures)) == (("good",), {"bad"})
    (message,) = caplog.messages
    for part in ("'bad'", "of plugin-bad 1.2", reason, "HUB_CALLBACKS_BLOCK=bad"):
        assert part in message


def test_call_tells_every_plugin(trainer: TrainerView) -> None:
    plugins, first, second = Plugins(), Told(), Told()
    plugins.add("first", first)
    plugins.add("second", second)
    error = ValueError()
    plugins.call("on_train_end", trainer=trainer)
    plugins.call("teardown", trainer=trainer, error=error)
    assert first.events == second.events == [trainer, error]


def test_call_tells_a_plugin_that_came_after_the_first_event(trainer: TrainerView) -> None:
    plugins, first, late = Plugins(), Told(), Told()
    plugins.add("first", first)
    plugins.call("on_train_end", trainer=trainer)
    plugins.add("late", late)
    plugins.call("on_train_end", trainer=trainer)
    assert (first.events, late.events) == ([trainer, trainer], [trainer])


def test_call_runs_a_wrapper_to_its_end(trainer: TrainerView) -> None:
    told: list[str] = []

    class Wrapper:
        @hookimpl(wrapper=True)
        def on_train_end(self, trainer: TrainerView) -> Iterator[None]:
            told.append("before")
            yield
            told.append("after")

    plugins = Plugins()
    plugins.add("wrapper", Wrapper())
    plugins.call("on_train_end", trainer=trainer)
    assert told == ["before", "after"]


def test_call_goes_on_and_logs_once_when_a_plugin_raises(
    trainer: TrainerView, caplog: pytest.LogCaptureFixture
) -> None:
    plugins, before, after = Plugins(), Told(), Told()
    plugins.add("before", before)
    plugins.add("bad", Raises())
    plugins.add("after", after)
    for event in ("on_train_end", "on_train_end", "on_model_save"):
        plugins.call(event, trainer=trainer)
    assert before.events == after.events == [trainer, trainer]
    (message,) = caplog.messages
    assert "'bad' failed in on_train_end: OSError('no space left')" in message
    assert isinstance(plugins.failures["bad"], OSError)


def test_call_gives_the_traceback_when_debugging(trainer: TrainerView, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="hub_callbacks.plugins")
    plugins = Plugins()
    plugins.add("bad", Raises())
    plugins.call("on_train_end", trainer=trainer)
    plugins.call("on_model_save", trainer=trainer)
    assert [record.levelname for record in caplog.records] == ["WARNING", "DEBUG"]
    assert all(record.exc_info for record in caplog.records)


def test_call_lets_a_person_stop_the_training(trainer: TrainerView) -> None:
    class Interrupted:
        @hookimpl
        def on_train_end(self) -> None:
            raise KeyboardInterrupt

    plugins = Plugins()
    plugins.add("interrupted", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        plugins.call("on_train_end", trainer=trainer)


def test_call_leaves_a_function_that_was_hung_on_by_hand_to_the_trainer() -> None:
    plugins, by_hand, other = Plugins(), Told(), Told()
    plugins.add("by_hand", by_hand)
    plugins.add("other", other)
    view = cast("TrainerView", SimpleNamespace(callbacks={"on_train_end": [by_hand.on_train_end]}))
    plugins.call("on_train_end", trainer=view)
    assert (by_hand.events, other.events) == ([], [view])


def test_call_tells_of_the_error_even_when_teardown_was_hung_on_by_hand() -> None:
    plugins, by_hand = Plugins(), Told()
    plugins.add("by_hand", by_hand)
    view = cast("TrainerView", SimpleNamespace(callbacks={"teardown": [by_hand.teardown]}))
    plugins.call("teardown", trainer=view, error=None)
    assert by_hand.events == [None]


def test_add_makes_an_object_of_a_class(trainer: TrainerView) -> None:
    told: list[TrainerView] = []

    class Plugin:
        @hookimpl
        def on_train_end(self, trainer: TrainerView) -> None:
            told.append(trainer)

    plugins = Plugins()
    plugins.add("plugin", Plugin)
    plugins.call("on_train_end", trainer=trainer)
    assert told == [trainer]


def test_add_refuses_a_name_that_is_taken(trainer: TrainerView) -> None:
    plugins, first, second = Plugins(), Told(), Told()
    plugins.add("told", first)
    with pytest.raises(ValueError, match="already a plugin of the name 'told'"):
        plugins.add("told", second)
    plugins.call("on_train_end", trainer=trainer)
    assert (first.events, second.events) == ([trainer], [])


def test_add_keeps_nothing_of_a_plugin_that_it_refuses() -> None:
    class Misspelt(Told):
        @hookimpl
        def on_trian_end(self) -> None:
            """No such hook."""

    plugins = Plugins()
    with pytest.raises(pluggy.PluginValidationError):
        plugins.add("misspelt", Misspelt())
    assert "misspelt" not in plugins.names
    plugins.add("told", Told())
    assert plugins.names == ("told",)
