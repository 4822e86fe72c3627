from __future__ import annotations

import json
import math

import pytest

from hub_callbacks.errors import RecordError
from hub_callbacks.records import (
    Artifact,
    Checkpoint,
    EpochsPlanned,
    Metrics,
    Record,
    RunFinished,
    RunStarted,
    Summary,
    finite,
    from_json,
    to_json,
)

RECORDS: list[Record] = [
    RunStarted(
        name="train", epochs=3, args={"lr0": 0.01, "classes": [1, 2]}, environment={"torch": "2"}, started_at=1.5
    ),
    Metrics(epoch=2, values={"loss": 0.5, "inf": math.inf}, recorded_at=2.5),
    Summary(values={"metrics/mAP50-95(B)": 0.5}, recorded_at=3.5),
    EpochsPlanned(epochs=4, recorded_at=3.75),
    Checkpoint(epoch=2, filename="best.pt", size_bytes=7, is_final=True, map=0.5, recorded_at=4.5),
    Artifact(name="results.png", artifact_kind="plot", size_bytes=7, sha256="0" * 64, recorded_at=4.5),
    Artifact(name="val_batch0_pred.jpg", artifact_kind="image", size_bytes=7, epoch=3, recorded_at=4.5),
    RunFinished(state="failed", reason="RuntimeError: no", finished_at=5.5),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.kind)
def test_record_comes_back_from_its_json(record: Record) -> None:
    assert from_json(record.kind, to_json(record)) == record


def test_nan_comes_back() -> None:
    record = from_json("metrics", to_json(Metrics(epoch=0, values={"loss": math.nan}, recorded_at=0)))
    assert isinstance(record, Metrics)
    assert math.isnan(record.values["loss"])


@pytest.mark.parametrize(
    ("kind", "text"), [("metrics", "{"), ("metrics", '{"epoch": 1}'), ("other", "{}"), ("summary", "1")]
)
def test_what_is_no_record_is_refused(kind: str, text: str) -> None:
    with pytest.raises(RecordError, match=kind):
        from_json(kind, text)


def test_finite_spells_what_json_has_no_number_for() -> None:
    words = finite({"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1.5})
    assert words == {"a": "NaN", "b": "Infinity", "c": "-Infinity", "d": 1.5}
    json.dumps(words, allow_nan=False)
