"""What hangs on a trainer, over two generations of Ultralytics: once, on rank 0, with its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.conftest import Finished, Interpreter

PRELUDE = "import hub_callbacks._bootstrap as b; b.install()\nfrom ultralytics import YOLO\n"
RELEASES = pytest.mark.parametrize("release", ["8_4_190", "8_0_100"])
HUB_CALLS = "\nfrom ultralytics.yolo.utils.callbacks import hub; print(hub.calls)"
FAKE_HUB = "from hub_callbacks import hookimpl\n@hookimpl\ndef on_train_end(trainer): print('hub plugin')\n"


def ends(done: Finished) -> list[str | None]:
    return [line["error"] for line in done.told if line["event"] == "teardown"]


@RELEASES
def test_model_trained_twice_tells_each_event_once(interpreter: Interpreter, release: str) -> None:
    done = interpreter.run(PRELUDE + "m = YOLO(); m.train(epochs=1); m.train(epochs=1)", ultralytics=release)
    half = len(done.events) // 2
    assert done.events[:half] == done.events[half:]
    assert [done.events.count(event) for event in ("on_pretrain_routine_start", "on_model_save", "teardown")] == [2] * 3


@RELEASES
@pytest.mark.parametrize("error", ["KeyboardInterrupt()", "RuntimeError('out of memory')", "SystemExit(3)"])
def test_teardown_comes_once_with_the_error(interpreter: Interpreter, release: str, error: str) -> None:
    code = f"def fail(trainer): raise {error}\nm = YOLO(); m.add_callback('on_train_batch_end', fail)\nm.train()"
    done = interpreter.run(PRELUDE + code, ultralytics=release)
    assert done.returncode != 0
    assert done.events == ["on_pretrain_routine_start", "on_pretrain_routine_end", "teardown"]
    assert ends(done) == [error]


@RELEASES
def test_error_reaches_the_user_unchanged(interpreter: Interpreter, release: str) -> None:
    code = "def fail(trainer): raise RuntimeError('out of memory')\nm = YOLO(); m.add_callback('on_model_save', fail)\n"
    code += "try: m.train()\nexcept RuntimeError as e: print(e, e.__cause__, e.__context__)"
    done = interpreter.run(PRELUDE + code, ultralytics=release)
    assert (done.stdout, done.stderr) == ("out of memory None None\n", "")


def test_wrong_data_set_tells_the_start_only(interpreter: Interpreter) -> None:
    done = interpreter.run(PRELUDE + "YOLO().train(data='missing.yaml')")
    assert done.events == ["on_pretrain_routine_start"]  # there is no training yet that could end
    assert "FileNotFoundError" in done.stderr


def test_wrong_data_set_tells_start_and_end_up_to_8_2(interpreter: Interpreter) -> None:
    done = interpreter.run(PRELUDE + "YOLO().train(data='missing.yaml')", ultralytics="8_0_100")
    assert done.events == ["on_pretrain_routine_start", "teardown"]
    assert ends(done) == ["FileNotFoundError(\"Dataset 'missing.yaml' images not found\")"]


@RELEASES
def test_only_rank_0_tells(interpreter: Interpreter, release: str) -> None:
    told = {
        rank: len(interpreter.run(PRELUDE + "YOLO().train()", ultralytics=release, env={"RANK": rank}).told)
        for rank in ("-1", "0", "1")
    }
    assert (told["-1"], told["0"], told["1"]) == (11, 11, 0)


def test_callbacks_carried_to_another_rank_tell_nothing(interpreter: Interpreter) -> None:
    """Ultralytics 8.4.140 and later pickle a trainer's callbacks for its DDP children."""
    code = "import os, pickle; m = YOLO(); m.train(epochs=1); os.environ['RANK'] = '1'\n"
    code += "functions = [f for fs in m.trainer.callbacks.values() for f in fs if f.__module__.startswith('hub_')]\n"
    code += "assert pickle.loads(pickle.dumps(functions)) == functions\n"
    code += "for f in functions: f(m.trainer)\nprint(len(functions))"
    done = interpreter.run(PRELUDE + code)
    assert (done.stdout, done.stderr, len(done.told)) == ("6\n", "", 8)


@RELEASES
def test_parent_of_a_ddp_training_tells_nothing(interpreter: Interpreter, release: str) -> None:
    code = "YOLO().train(device='0,1')"
    assert interpreter.run(PRELUDE + code, ultralytics=release).events == []


def test_trainer_without_trainer_in_its_name_is_one(interpreter: Interpreter) -> None:
    code = "from ultralytics.engine.model import DetectionTrainer\nclass MyLoop(DetectionTrainer): pass\n"
    done = interpreter.run(PRELUDE + code + "YOLO().train(trainer=MyLoop)")
    assert {line["trainer"] for line in done.told} == {"MyLoop"}
    assert len(done.told) == 11


def test_trainer_that_overrides_train_ends_once(interpreter: Interpreter) -> None:
    code = "from ultralytics.engine.model import DetectionTrainer\n"
    code += "class Mine(DetectionTrainer):\n  def train(self): return super().train()\n"
    assert ends(interpreter.run(PRELUDE + code + "YOLO().train(trainer=Mine)")) == [None]


def test_predictor_gets_nothing_and_loads_nothing(interpreter: Interpreter) -> None:
    code = "import sys; m = YOLO(); m.predict(); print(dict(m.predictor.callbacks).keys(), 'pluggy' in sys.modules)"
    assert interpreter.run(PRELUDE + code).stdout == "dict_keys(['on_pretrain_routine_start']) False\n"


def test_training_in_a_thread_tells_in_that_thread(interpreter: Interpreter) -> None:
    code = "import threading; t = threading.Thread(target=YOLO().train, name='worker'); t.start(); t.join()"
    done = interpreter.run(PRELUDE + code)
    assert ({line["thread"] for line in done.told}, len(done.told)) == ({"worker"}, 11)


@RELEASES
def test_plugin_that_raises_everywhere_is_logged_once(interpreter: Interpreter, release: str) -> None:
    done = interpreter.run(
        PRELUDE + "m = YOLO(); m.train(); m.train(); print('trained')", ultralytics=release, env={"SPY_RAISES": "1"}
    )
    assert (done.returncode, done.stdout, len(done.told)) == (0, "trained\n", 22)
    (line,) = done.stderr.splitlines()
    for part in ("'spy'", "on_pretrain_routine_start", "the spy was caught", "HUB_CALLBACKS_BLOCK=spy"):
        assert part in line


def test_blocked_plugin_is_not_told(interpreter: Interpreter) -> None:
    done = interpreter.run(PRELUDE + "YOLO().train()", env={"HUB_CALLBACKS_BLOCK": "hub, spy"})
    assert (done.returncode, done.stderr, done.told) == (0, "", [])


def test_bad_setting_is_a_warning_and_training_goes_on(interpreter: Interpreter) -> None:
    done = interpreter.run(PRELUDE + "YOLO().train(); print('trained')", env={"HUB_CALLBACKS_PORT": "eighty"})
    assert (done.returncode, done.stdout, done.told) == (0, "trained\n", [])
    (line,) = done.stderr.splitlines()
    for part in ("training goes on", "'port'", "'eighty'", "a port from 0 to 65535"):
        assert part in line


def test_training_works_when_pluggy_is_missing(interpreter: Interpreter) -> None:
    code = "import sys; sys.modules['pluggy'] = None\n" + PRELUDE + "YOLO().train(); print('trained')"
    done = interpreter.run(code)
    assert (done.returncode, done.stdout) == (0, "trained\n")
    assert "training goes on without it" in done.stderr


def test_function_hung_on_by_hand_is_told_once(interpreter: Interpreter) -> None:
    code = "import hub_callbacks_spy as spy; m = YOLO()\n"
    code += "m.add_callback('on_fit_epoch_end', spy.on_fit_epoch_end); m.train(epochs=1)"
    done = interpreter.run(PRELUDE + code)
    assert (done.events.count("on_fit_epoch_end"), done.events.count("on_train_end")) == (2, 1)


@pytest.mark.parametrize(
    ("env", "session", "built_in"),
    [
        ({}, None, 0),
        ({"HUB_CALLBACKS_HUB": "0"}, None, 4),  # off: they are Ultralytics' and the user's business again
        ({"STUB_SETTINGS_HUB": "False"}, None, 4),
        ({"HUB_CALLBACKS_BLOCK": "hub"}, None, 4),
        ({}, "a session of Ultralytics' own", 4),
    ],
)
def test_built_in_hub_callbacks_stand_aside_when_our_plugin_records(
    interpreter: Interpreter, env: dict[str, str], session: str | None, built_in: int
) -> None:
    interpreter.folder.joinpath("fake_hub.py").write_text(FAKE_HUB)
    interpreter.add_plugin("hub", "fake_hub")  # comes first on the path: stands in for ours
    code = f"YOLO(session={session!r}).train()" + HUB_CALLS
    done = interpreter.run(PRELUDE + code, ultralytics="8_0_100", env={"HUB_CALLBACKS_BLOCK": ""} | env)
    calls = done.stdout.splitlines()[-1]
    assert (calls.count("on_"), len(done.told)) == (built_in, 11)


def test_built_in_hub_callbacks_stand_aside_in_every_training_of_a_model(interpreter: Interpreter) -> None:
    interpreter.folder.joinpath("fake_hub.py").write_text(FAKE_HUB)
    interpreter.add_plugin("hub", "fake_hub")
    code = "m = YOLO(); m.train(); m.train()" + HUB_CALLS
    done = interpreter.run(PRELUDE + code, ultralytics="8_0_100", env={"HUB_CALLBACKS_BLOCK": ""})
    assert (done.stdout.splitlines()[-1], len(done.told)) == ("[]", 22)
