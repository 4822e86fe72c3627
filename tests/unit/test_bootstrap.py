"""Arming: when Ultralytics is imported, before or after, and never with harm."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import hub_callbacks._bootstrap

if TYPE_CHECKING:
    from tests.unit.conftest import Interpreter

INSTALL = "import hub_callbacks._bootstrap as b; b.install('pth')\n"
TRAIN = "from ultralytics import YOLO; YOLO().train()\n"
LATE = "import os; del os.environ['HUB_CALLBACKS_DISABLE']; import hub_callbacks; hub_callbacks.install()\n"
RELEASES = pytest.mark.parametrize("release", ["8_4_190", "8_0_100"])
FINDERS = "print([f for f in sys.meta_path if 'hub_callbacks' in type(f).__module__])"

EPOCH = ["on_train_epoch_end", "on_model_save", "on_fit_epoch_end"]
WHOLE = [
    "on_pretrain_routine_start",
    "on_pretrain_routine_end",
    *EPOCH,
    *EPOCH,
    "on_fit_epoch_end",
    "on_train_end",
    "teardown",
]


@RELEASES
def test_install_tells_plugins_every_event_of_a_training(interpreter: Interpreter, release: str) -> None:
    done = interpreter.run(INSTALL + TRAIN, ultralytics=release)
    assert (done.returncode, done.stderr, done.events) == (0, "", WHOLE)


@RELEASES
def test_install_attaches_at_once_when_ultralytics_is_already_imported(interpreter: Interpreter, release: str) -> None:
    code = "import ultralytics\n" + LATE + TRAIN
    done = interpreter.run(code, ultralytics=release, env={"HUB_CALLBACKS_DISABLE": "1"})
    assert (done.returncode, done.stderr, done.events) == (0, "", WHOLE)


def test_install_can_be_repeated_before_and_after_the_import(interpreter: Interpreter) -> None:
    done = interpreter.run(INSTALL * 3 + "import ultralytics\n" + INSTALL * 2 + TRAIN)
    assert (done.returncode, done.stderr, done.events) == (0, "", WHOLE)


def test_install_does_nothing_when_disabled(interpreter: Interpreter) -> None:
    for word in ("1", "true", "YES", " on "):
        done = interpreter.run(INSTALL + TRAIN + f"import sys; {FINDERS}", env={"HUB_CALLBACKS_DISABLE": word})
        assert (done.stdout, done.stderr, done.events) == ("[]\n", "", []), word


@pytest.mark.parametrize("word", ["", "0", "false", "no", "off"])
def test_install_works_when_the_kill_switch_says_no(interpreter: Interpreter, word: str) -> None:
    assert interpreter.run(INSTALL + TRAIN, env={"HUB_CALLBACKS_DISABLE": word}).events == WHOLE


def test_disabled_while_it_runs_ends_the_telling_with_the_next_trainer(interpreter: Interpreter) -> None:
    code = INSTALL + TRAIN + "import os; os.environ['HUB_CALLBACKS_DISABLE'] = '1'\n" + TRAIN
    assert interpreter.run(code).events == WHOLE


def test_finder_leaves_no_trace_when_both_modules_are_attached(interpreter: Interpreter) -> None:
    code = INSTALL + "import sys; print(b.armed_by()); import ultralytics.engine.trainer as t; print(b.armed_by())\n"
    code += f"{FINDERS}; print(type(t.__loader__).__name__, t.__spec__.loader is t.__loader__)"
    assert interpreter.run(code).stdout.splitlines() == ["pth", "None", "[]", "SourceFileLoader True"]


def test_finder_lets_others_look_at_the_source_without_importing(interpreter: Interpreter) -> None:
    name = "ultralytics.engine.trainer"
    code = f"from importlib.util import find_spec; source = find_spec('{name}').loader.get_source('{name}')\n"
    done = interpreter.run(INSTALL + code + "print('class BaseTrainer' in source)")
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_finder_waits_on_when_an_import_fails_at_first(interpreter: Interpreter) -> None:
    code = "import sys; sys.modules['ultralytics.utils'] = None\n"
    code += "try: import ultralytics\nexcept ImportError: print('failed')\n"
    done = interpreter.run(INSTALL + code + "del sys.modules['ultralytics.utils']\n" + TRAIN)
    assert (done.stdout, done.events) == ("failed\n", WHOLE)


BROKEN = "import sys, types; sys.modules['hub_callbacks.callbacks.attach'] = types.ModuleType('broken')\n"


def test_ultralytics_works_when_attaching_fails(interpreter: Interpreter) -> None:
    done = interpreter.run(BROKEN + INSTALL + TRAIN + "print('trained')")
    assert (done.returncode, done.stdout, done.events) == (0, "trained\n", [])
    assert done.stderr.count("trainings go on without it") == 1


def test_ultralytics_works_when_attaching_later_fails(interpreter: Interpreter) -> None:
    done = interpreter.run(BROKEN + TRAIN + LATE + "print('trained')", env={"HUB_CALLBACKS_DISABLE": "1"})
    assert (done.returncode, done.stdout, done.events) == (0, "trained\n", [])
    assert done.stderr.count("trainings go on without it") == 1


def test_load_ext_attaches_in_a_notebook(interpreter: Interpreter) -> None:
    code = "import os; del os.environ['HUB_CALLBACKS_DISABLE']\n"
    code += "import hub_callbacks; hub_callbacks.load_ipython_extension(None)\n" + TRAIN
    assert interpreter.run(code, env={"HUB_CALLBACKS_DISABLE": "1"}).events == WHOLE


def test_arming_loads_our_two_files_and_no_other_module(interpreter: Interpreter) -> None:
    home = str(Path(hub_callbacks.__path__[0]).parent)
    code = f"import os, sys; before = set(sys.modules); sys.path.insert(0, {home!r})\n" + INSTALL
    done = interpreter.run(code + "print(*sorted(set(sys.modules) - before))", "-S", "-I")  # site loads more
    assert (done.stdout, done.stderr) == ("hub_callbacks hub_callbacks._bootstrap\n", "")


def test_bootstrap_imports_the_standard_library_only_and_runs_on_python_3_8() -> None:
    for module in (hub_callbacks, hub_callbacks._bootstrap):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"), feature_version=(3, 8))
        tops = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
        assert {name.name for node in tops for name in node.names} <= {"os", "sys"}
