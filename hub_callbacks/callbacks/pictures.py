"""What Ultralytics has drawn at the end of a training: which files, of which kind, and the numbers behind them.

Ultralytics (8.0.100 to 8.4.190, as run) writes them into the run's folder when ``plots`` is true. It notes most of them
in ``trainer.plots`` and ``validator.plots``, but not ``labels_correlogram.jpg`` (up to 8.3), and nothing in 8.0.100; so
both the names and the notes are asked. Train and val batches are drawn by threads that may still be at work.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hub_callbacks.hookspecs import TrainerView
from hub_callbacks.records import ArtifactKind
from hub_callbacks.session import HUBTrainingSession

CURVES, MATRIX = "curves.json", "confusion_matrix.json"
_DRAWN = re.compile(
    r"(results|labels_correlogram|labels|iou_bar_chart|confusion_matrix(_normalized)?|\w*(PR|P|R|F1)_curve)\.(png|jpg)"
)
_SHOWS_IMAGES = re.compile(r"(train|val)_batch\d+\w*\.jpg")
_THREADS_S: Final = 10.0  # a thread draws 16 images in a tenth of a second
_MOST_CLASSES: Final = 20  # with a curve of their own; Ultralytics' own plots name as many
_POINTS: Final = 200  # of a curve of 1000: what a screen shows
_MOST_ROWS: Final = 200  # of a matrix: what a screen shows, and 100 kB


def put_artifacts(trainer: TrainerView, session: HUBTrainingSession) -> None:
    """Queue everything that was drawn, and its numbers; nothing where the training was told to draw nothing.

    Raises:
        OSError: A picture cannot be read.
        OutboxError: It cannot be queued.
    """
    if not getattr(trainer.args, "plots", False):
        return
    validator = getattr(trainer, "validator", None)
    for name, value in ((CURVES, curves(validator)), (MATRIX, confusion_matrix(validator))):
        if value:
            session.artifacts.put_data(name, value)
    _wait_for_threads()
    for path, kind in pictures(trainer):
        session.artifacts.put_file(path, kind)


def pictures(trainer: TrainerView) -> list[tuple[Path, ArtifactKind]]:
    """The pictures of this training, by name; one that is not known by its name may show training data."""
    validator = getattr(trainer, "validator", None)
    noted = {Path(path) for one in (trainer, validator) for path in getattr(one, "plots", None) or {}}
    folder = Path(trainer.save_dir)
    paths = {path for path in folder.iterdir() if _DRAWN.fullmatch(path.name) or _SHOWS_IMAGES.fullmatch(path.name)}
    paths |= {path for path in noted if path.parent == folder and path.suffix in {".png", ".jpg"}}
    since = _begun_at(trainer)
    found = sorted(path for path in paths if path.is_file() and path.stat().st_mtime >= since)
    return [(path, "plot" if _DRAWN.fullmatch(path.name) else "image") for path in found]


def curves(validator: Any) -> dict[str, Any] | None:
    """The curves of the last validation, such as precision over recall; None where the release or the task has none.

    ``{"curves": [{"title", "x", "y", "at": [...], "lines": [{"name", "values": [...]}]}]}``; the first line is the mean
    of all classes, and each class has one where there are 20 at most.
    """
    metrics = getattr(validator, "metrics", None)
    results = getattr(metrics, "curves_results", None) or []
    names = [str(validator.names[index]) for index in getattr(metrics, "ap_class_index", ())]
    drawn = [
        {"title": str(title), "x": str(x), "y": str(y), "at": _thinned(at), "lines": _lines(rows, names)}
        for title, (at, rows, x, y) in zip(getattr(metrics, "curves", ()), results, strict=False)
        if len(at) and len(rows)
    ]
    return {"curves": drawn} if drawn else None


def confusion_matrix(validator: Any) -> dict[str, Any] | None:
    """The last validation's confusion matrix; None where nothing was counted.

    ``{"names": [...], "counts": [[...]], "classes": n}``: a row for each predicted class, a column for each true one.
    Of more than 200 classes it has the 200 with the most instances; ``classes`` counts all.
    """
    matrix = getattr(getattr(validator, "confusion_matrix", None), "matrix", None)
    counts = [] if matrix is None else [[int(count) for count in row] for row in matrix]
    if not any(any(row) for row in counts):
        return None
    names = [str(name) for name in _values(validator.names)]
    names += ["background"] * (len(counts) - len(names))
    instances = [sum(row[column] for row in counts) for column in range(len(counts))]
    most = sorted(range(len(counts)), key=lambda index: -instances[index])[:_MOST_ROWS]
    kept = sorted(most)
    return {
        "names": [names[index] for index in kept],
        "counts": [[counts[row][column] for column in kept] for row in kept],
        "classes": len(counts),
    }


def _lines(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    columns = zip(*(_thinned(row) for row in rows), strict=True)
    mean = [None if None in column else round(sum(column) / len(column), 4) for column in columns]
    own = zip(names, rows, strict=False) if len(rows) <= _MOST_CLASSES else ()
    lines: list[dict[str, Any]] = [{"name": "all classes", "values": mean}]
    return [*lines, *({"name": name, "values": _thinned(row)} for name, row in own)]


def _thinned(row: Sequence[Any]) -> list[Any]:
    """So many points of the row, its ends among them; None where a value is not finite."""
    last = len(row) - 1
    count = min(_POINTS, last)
    picked = (float(row[index * last // max(count, 1)]) for index in range(count + 1))
    return [round(value, 4) if math.isfinite(value) else None for value in picked]


def _values(names: Mapping[Any, Any] | Sequence[Any]) -> Iterable[Any]:
    return names.values() if isinstance(names, Mapping) else names


def _begun_at(trainer: TrainerView) -> float:
    """Since when pictures in the folder are this training's: another one may have used it before (``exist_ok``)."""
    arguments = Path(trainer.save_dir) / "args.yaml"  # the first file that a trainer writes
    is_resumed = getattr(trainer, "start_epoch", 0) > 0
    return arguments.stat().st_mtime if arguments.exists() and not is_resumed else 0.0


def _wait_for_threads() -> None:
    """Let the threads end that draw (``ultralytics.utils.threaded``); they are named after their function."""
    give_up_at = time.monotonic() + _THREADS_S
    for thread in _drawing():
        thread.join(max(0.0, give_up_at - time.monotonic()))


def _drawing() -> Iterator[threading.Thread]:
    return (thread for thread in threading.enumerate() if thread.name.endswith("(plot_images)"))
