"""A run's id, kept in its folder for the day that it is resumed: not in the checkpoint, whose keys are Ultralytics'."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hub_callbacks.hookspecs import TrainerView
from hub_callbacks.wire import ID_LENGTH, is_id

RUN_FILE = "hub_callbacks.json"
_DOWNLOAD = re.compile(rf"^([A-Za-z0-9]{{{ID_LENGTH}}})-last-\d+$")  # as the hub names a checkpoint that is downloaded


def write(folder: Path, run_id: str) -> None:
    """Note the id of the run that writes into a folder."""
    (folder / RUN_FILE).write_text(json.dumps({"id": run_id}), encoding="utf-8")


def id_in(folder: Path) -> str | None:
    """The id of the run that a folder belongs to; None when it is not known."""
    try:
        run_id = str(json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))["id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return run_id if is_id(run_id) else None


def resumed_id(trainer: TrainerView) -> str | None:
    """The id of the run that a training resumes; None for a new one, and where nothing tells.

    The run's folder tells, or the one that the checkpoint lies in, when a run was copied; or the checkpoint's name,
    when it was downloaded from the hub.
    """
    resume = getattr(trainer, "resume", False)
    if not resume:
        return None
    last = Path(str(getattr(trainer.args, "resume", "") or getattr(trainer.args, "model", "") or ""))
    named = _DOWNLOAD.match(last.stem)
    places = (Path(trainer.save_dir), last.parent.parent, last.parent)
    return next(filter(None, map(id_in, places)), named[1] if named else None)
