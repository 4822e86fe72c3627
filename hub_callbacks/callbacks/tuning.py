"""The trials of ``model.tune``: trainings in processes of their own, and what they belong to.

Ultralytics trains each trial by its command, in a folder that does not name the tune (8.4), or beside all other
trainings (8.0 to 8.3): the environment tells it. With ``use_ray=True``, Ray trains each in a worker of its own, and
names the tune there: by its folder (``RunConfig(name=...)`` in ultralytics/utils/tuner.py, 8.4), else by the time.
Standard library only: it is imported when Ultralytics is.
"""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import Any

TUNE = "HUB_CALLBACKS_TUNE"  # the tune's name
_MARK = "__hub_callbacks__"


def is_tuner(instance: object) -> bool:
    """Whether this is Ultralytics' tuner; up to 8.0.168 there is none."""
    kind = type(instance)
    return kind.__name__ == "Tuner" and kind.__module__.endswith("engine.tuner")


def tell_trials(tuner_class: type[Any]) -> None:
    """Have a tune tell its trials to which tune they belong; once, however often this is called."""
    original = tuner_class.__call__
    if hasattr(original, _MARK):
        return

    @functools.wraps(original)
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 - it stands in for the class's own
        before = os.environ.get(TUNE)
        os.environ[TUNE] = Path(self.tune_dir).name
        try:
            return original(self, *args, **kwargs)
        finally:
            os.environ.pop(TUNE)
            os.environ.update({} if before is None else {TUNE: before})

    setattr(__call__, _MARK, True)
    tuner_class.__call__ = __call__


def place(name: str, project: str) -> tuple[str, str]:
    """The name and the project of a training; a trial's project is its tune, and its own becomes part of its name.

    That of a trial of Ray is the user's, of all trials: their names differ by the trial's number.
    """
    if tune := os.environ.get(TUNE, ""):
        return (f"{project}-{name}" if project else name), tune
    tune, trial = _ray_trial()
    if not tune:
        return name, project
    return (name if name.endswith(trial) else f"{name}_{trial}"), tune


def _ray_trial() -> tuple[str, str]:
    """The tune and the number of the trial that Ray runs in this process; nothing in any other."""
    for name in ("ray.tune", "ray.train"):  # the former since Ray 2.41
        get_context = getattr(sys.modules.get(name), "get_context", None)
        try:
            context = get_context() if get_context else None
            if context and (trial := context.get_trial_id()):
                return str(context.get_experiment_name()), str(trial).rpartition("_")[2]
        except Exception:  # noqa: BLE001, S112 - guard: what Ray makes of its own must not cost the run
            continue
    return "", ""
