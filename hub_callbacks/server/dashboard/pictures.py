"""What the page of a run shows of its artifacts: pictures in an order that makes sense, and what is drawn from data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub_callbacks import wire
from hub_callbacks.server.store.rows import Artifact

CURVES, MATRIX = "curves.json", "confusion_matrix.json"  # as `hub_callbacks.callbacks.pictures` names them
_OF: Final = {"Box": " of boxes", "Mask": " of masks", "Pose": " of poses", "": ""}
_PART = "(?P<part>Box|Mask|Pose|)"
_TITLES: Final = tuple(
    (re.compile(rf"{pattern}\.(png|jpe?g)"), title)
    for pattern, title in (  # in the order in which they are shown
        ("results", "Losses and metrics by epoch"),
        (f"{_PART}PR_curve", "Precision over recall{of}"),
        (f"{_PART}F1_curve", "F1 score over confidence{of}"),
        (f"{_PART}P_curve", "Precision over confidence{of}"),
        (f"{_PART}R_curve", "Recall over confidence{of}"),
        ("confusion_matrix_normalized", "Confusion matrix, shares"),
        ("confusion_matrix", "Confusion matrix, counts"),
        ("iou_bar_chart", "IoU by class"),
        ("labels", "Labels of the data set: classes, places and sizes"),
        ("labels_correlogram", "Labels of the data set: how places and sizes go together"),
        (r"val_batch(?P<number>\d+)_(labels|pred)", "Validation batch {number}: {what}"),
        (r"val_batch(?P<number>\d+)_\w+", "Validation batch {number}"),
        (r"train_batch(?P<number>\d+)", "Training batch {number}"),
    )
)
_BATCHES: Final = {"labels": "labels", "pred": "predictions"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture, as the page shows it; width and height are in pixels."""

    name: str
    title: str
    url: str
    width: int
    height: int


def pictures_part(artifacts: Sequence[Artifact]) -> dict[str, Any]:
    """Values of ``run_pictures.html``, from a run's artifacts."""
    urls = {artifact.name: wire.artifact(artifact.model_id, artifact.id) for artifact in artifacts}
    return {"pictures": pictures(artifacts), "curves_url": urls.get(CURVES, ""), "matrix_url": urls.get(MATRIX, "")}


def pictures(artifacts: Iterable[Artifact]) -> list[Picture]:
    """The pictures among the artifacts: those of known names first, in their order, then the others by name."""
    shown = [
        Picture(
            name=artifact.name,
            title=title(artifact.name),
            url=wire.artifact(artifact.model_id, artifact.id),
            width=artifact.width,
            height=artifact.height,
        )
        for artifact in artifacts
        if artifact.width and artifact.height
    ]
    return sorted(shown, key=lambda picture: _order(picture.name))


def title(name: str) -> str:
    """What a picture of that name shows, in words; the name where nobody knows."""
    for pattern, words in _TITLES:
        if found := pattern.fullmatch(name):
            said = found.groupdict()
            what = next((word for end, word in _BATCHES.items() if name.rpartition(".")[0].endswith(f"_{end}")), "")
            return words.format(of=_OF[said.get("part") or ""], number=said.get("number"), what=what)
    return name


def _order(name: str) -> tuple[int, int, str]:
    """A picture's place: by kind, and batches by their number, labels before predictions."""
    for place, (pattern, _) in enumerate(_TITLES):
        if found := pattern.fullmatch(name):
            return place, int(found.groupdict().get("number") or 0), name
    return len(_TITLES), 0, name
