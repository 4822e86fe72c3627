"""What the pages show of a run, computed from the store's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PureWindowsPath

from hub_callbacks import wire
from hub_callbacks.server.dashboard.charts import is_curve
from hub_callbacks.server.standing import Standing
from hub_callbacks.server.store.rows import Checkpoint, Model
from hub_callbacks.server.store.runs import SCORES

_SCORES = tuple(zip(SCORES, ("mAP50-95", "mask mAP50-95", "pose mAP50-95", "top-1 accuracy"), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The number by which runs are judged, and its name."""

    label: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One metric's row in the table of numbers; None where there is no value."""

    metric: str
    last: float | None
    best: float | None
    summary: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run, as the list and its page show it.

    Attributes:
        epoch: Epochs done: the last one with a row, counted from 1 as Ultralytics prints it.
        left_s: Until the last epoch at the pace of the last ones; None where nobody trains, or knows.
        duration_s: From the start to the end, to now, or to the last sign of life; None before the start.
        trained_from: The weights or the architecture that training started from.
    """

    id: str
    url: str
    name: str
    state: Standing
    epoch: int
    epochs: int | None
    score: Score | None
    trained_from: str
    dataset: str
    task: str
    project: str
    started_at: float
    age_s: float
    left_s: float | None
    duration_s: float | None


def run_view(model: Model, state: Standing, *, now: float) -> RunView:
    """The run as it stands at ``now`` (Unix time, seconds)."""
    started_at = model.started_at or model.created_at
    return RunView(
        id=model.id,
        url=wire.page(model.id),
        name=model.name or model.id,
        state=state,
        epoch=_epochs_done(model),
        epochs=model.epochs,
        score=score(model),
        trained_from=model.parent or model.architecture,
        dataset=_short(model.dataset),
        task=model.task,
        project=model.project,
        started_at=started_at,
        age_s=now - started_at,
        left_s=_left_s(model, state, now=now),
        duration_s=_duration_s(model, state, now=now),
    )


def score(model: Model) -> Score | None:
    """The best value of the first known score that the run has."""
    for metric, label in _SCORES:
        if metric in model.best:
            return Score(label=label, value=model.best[metric])
    return None


def numbers(model: Model) -> list[Number]:
    """One row per metric: last, best, and what the best checkpoint scored at the end."""
    names = sorted({*model.last, *model.best, *model.summary})
    return [
        Number(metric=name, last=model.last.get(name), best=model.best.get(name), summary=model.summary.get(name))
        for name in names
        if is_curve(name)
    ]


def receipt(model: Model, received: int, checkpoints: Sequence[Checkpoint], artifacts: int) -> str:
    """What the hub has of the run, as the trainer prints it: ``300/300 epochs, best.pt, 15 artifacts acknowledged``.

    Args:
        model: The run.
        received: Number of its rows.
        checkpoints: Its checkpoints, newest first.
        artifacts: Number of its artifacts.
    """
    done = _epochs_done(model)
    parts = [_count(done, "epoch", of=min(received, done))]
    final = next((one for one in checkpoints if one.is_final), None)
    if final:
        parts.append(final.filename)
    elif checkpoints:
        parts.append(f"{checkpoints[0].filename} of epoch {checkpoints[0].epoch + 1}")
    if artifacts:
        parts.append(_count(artifacts, "artifact"))
    return ", ".join(parts) + (" acknowledged" if parts[1:] else "")


def facts(model: Model, first: Mapping[str, float]) -> Sequence[tuple[str, object]]:
    """What the run ran on, and what Ultralytics says about its network in the first epoch's row."""
    network = [
        (name.removeprefix("model/"), f"{value:,.10g}") for name, value in sorted(first.items()) if not is_curve(name)
    ]
    return [*sorted(model.environment.items()), *network]


def _count(number: int, word: str, *, of: int | None = None) -> str:
    """``1 artifact``, ``15 artifacts``; with a part of them ``3/15 artifacts``."""
    return f"{'' if of is None else f'{of}/'}{number} {word}{'' if number == 1 else 's'}"


def _epochs_done(model: Model) -> int:
    done = 0 if model.last_epoch is None else model.last_epoch + 1
    # ultralytics >= 8.4.100 reports its last validation, `final_eval`, as one epoch more
    return min(done, model.epochs) if model.epochs else done


def _left_s(model: Model, state: Standing, *, now: float) -> float | None:
    if state.word != "running" or model.epoch_s is None or model.epochs is None:
        return None
    begun_s = min(now - model.last_row_at, model.epoch_s) if model.last_row_at else 0.0
    return max(0.0, (model.epochs - _epochs_done(model)) * model.epoch_s - begun_s)


def _duration_s(model: Model, state: Standing, *, now: float) -> float | None:
    if model.started_at is None:
        return None
    end = now if state.word in {"running", "stalled"} else model.finished_at or model.last_seen_at
    return None if end is None else max(0.0, end - model.started_at)


def _short(dataset: str) -> str:
    """A path's last part, with slashes of either kind: what people call the data set."""
    return PureWindowsPath(dataset).name if "://" not in dataset else dataset
