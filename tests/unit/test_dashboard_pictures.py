from __future__ import annotations

import pytest

from hub_callbacks.server.dashboard.pictures import pictures, title
from hub_callbacks.server.store.rows import Artifact


def artifact(name: str, *, width: int | None = 640) -> Artifact:
    return Artifact(
        id=name,
        model_id="m",
        name=name,
        kind="plot",
        epoch=None,
        media_type="image/png",
        width=width,
        height=width,
        size_bytes=1,
        sha256="",
        blob="",
        created_at=0.0,
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("results.png", "Losses and metrics by epoch"),
        ("PR_curve.png", "Precision over recall"),
        ("MaskPR_curve.png", "Precision over recall of masks"),
        ("BoxF1_curve.png", "F1 score over confidence of boxes"),
        ("confusion_matrix_normalized.png", "Confusion matrix, shares"),
        ("labels.jpg", "Labels of the data set: classes, places and sizes"),
        ("val_batch2_labels.jpg", "Validation batch 2: labels"),
        ("val_batch2_pred.jpg", "Validation batch 2: predictions"),
        ("val_batch0_calibrated.jpg", "Validation batch 0"),
        ("train_batch3820.jpg", "Training batch 3820"),
        ("new_plot.png", "new_plot.png"),
    ],
)
def test_title_says_what_a_picture_shows(name: str, words: str) -> None:
    assert title(name) == words


def test_pictures_come_in_an_order_that_makes_sense() -> None:
    wanted = [
        "results.png",
        "BoxPR_curve.png",
        "confusion_matrix.png",
        "labels.jpg",
        "val_batch0_labels.jpg",
        "val_batch0_pred.jpg",
        "val_batch1_labels.jpg",
        "val_batch1_pred.jpg",
        "train_batch2.jpg",
        "train_batch10.jpg",
        "a_new_plot.png",
    ]
    assert [one.name for one in pictures(artifact(name) for name in sorted(wanted))] == wanted


def test_what_is_no_picture_is_not_shown_as_one() -> None:
    assert pictures([artifact("curves.json", width=None)]) == []
