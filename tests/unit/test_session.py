from __future__ import annotations

import json
import math
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock, Timeout

from hub_callbacks import wire
from hub_callbacks.errors import (
    DatasetNotReadyError,
    HubCallbacksError,
    HubModelError,
    IdentifierError,
    OutboxDamagedError,
    OutboxFullError,
)
from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.records import Metrics, RunStarted
from hub_callbacks.session import HUBTrainingSession
from hub_callbacks.session.identifier import Identifier, parse
from hub_callbacks.session.plan import Plan, plan
from hub_callbacks.settings import Settings

ID, KEY, WEB = "i" * 20, "k" * 42, "https://hub.example"


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(settings: Settings, clock: Clock) -> HUBTrainingSession:
    session = HUBTrainingSession("yolo11n.yaml", settings=settings, clock=clock)
    session.create_model({"epochs": 3, "data": "coco8.yaml", "name": "train"})
    session.start_timers()
    return session


@pytest.fixture
def due(outbox: Outbox) -> Callable[[], list[int]]:
    """The epochs that the hub would get now."""

    def epochs() -> list[int]:
        outbox.take_in()
        (run,) = outbox.runs.list()
        outbox.runs.set_remote_id(run.id, run.id)
        items = outbox.queue.lease(files=False, limit=100, now=run.started_at + 1.0, lease_s=60)
        outbox.queue.release()
        return [item.record.epoch for item in items if isinstance(item.record, Metrics)]

    return epochs


@contextmanager
def limited(size_bytes: int) -> Iterator[None]:
    """No file may grow beyond a size: what is written meanwhile meets what it would meet on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights" / "last.pt"
    path.parent.mkdir()
    path.write_bytes(b"PK checkpoint")
    return path


@pytest.mark.parametrize(
    ("identifier", "found"),
    [
        (f"{WEB}/models/{ID}", Identifier(model_id=ID, web_root=WEB)),
        (f"{WEB}/models/{ID}/", Identifier(model_id=ID, web_root=WEB)),
        (f"{WEB}/models/{ID}?api_key={KEY}", Identifier(api_key=KEY, model_id=ID, web_root=WEB)),
        (f"http://h:1/sub/models/{ID}", Identifier(model_id=ID, web_root="http://h:1/sub")),
        (f"{KEY}_{ID}", Identifier(api_key=KEY, model_id=ID)),
        (ID, Identifier(model_id=ID)),
        ("yolo11n.pt", Identifier(filename="yolo11n.pt")),
        ("runs/my_model.yaml", Identifier(filename="runs/my_model.yaml")),
    ],
)
def test_identifier_is_taken_in_every_form(identifier: str, found: Identifier) -> None:
    assert parse(identifier, web_root=WEB) == found


@pytest.mark.parametrize(
    "identifier",
    ["", "yolo11n", f"grpc://else.example/models/{ID}", f"k_{ID}", f"{WEB}/models/x", f"{WEB}/v2/models/x"],
)
def test_other_identifiers_are_refused_with_the_forms(identifier: str) -> None:
    with pytest.raises(IdentifierError, match="KEY_ID"):
        parse(identifier, web_root=WEB)


def test_session_has_the_names_and_limits_that_scripts_rely_on(session: HUBTrainingSession) -> None:
    assert session.rate_limits == {"metrics": 3, "ckpt": 900, "heartbeat": 300}
    assert session.timers == {"metrics": 1000.0, "ckpt": 1000.0}
    assert (session.metrics_queue, session.metrics_upload_failed_queue) == ({}, {})
    assert wire.is_id(str(session.model_id))
    assert session.model_url == f"{WEB}/models/{session.model_id}"
    assert (session.filename, session.alive, session.agent_id) == ("yolo11n.yaml", True, None)
    assert (session.model_file, session.train_args) == (None, None)


def test_create_session_creates_a_run_of_a_namespace_of_arguments(settings: Settings, outbox: Outbox) -> None:
    args = SimpleNamespace(model="yolo11n.pt", data="coco8.yaml", epochs=3, save_dir=Path("runs"), name=None)
    session = HUBTrainingSession.create_session("yolo11n.pt", args, settings=settings)
    (run,) = outbox.runs.list()
    assert (run.id, run.name, run.epochs, run.state) == (session.model_id, "yolo11n", 3, "running")


def test_session_without_a_run_says_what_to_call(settings: Settings) -> None:
    with pytest.raises(HubCallbacksError, match="create_model"):
        HUBTrainingSession("yolo11n.yaml", settings=settings).upload_metrics()


@pytest.mark.parametrize(("passed_s", "is_uploaded"), [(0.0, False), (2.999, False), (3.0, False), (3.001, True)])
def test_metrics_are_uploaded_when_more_than_3_s_have_passed(
    session: HUBTrainingSession, clock: Clock, due: Callable[[], list[int]], passed_s: float, is_uploaded: bool
) -> None:
    clock.now_s += passed_s
    session.record_metrics(0, {"loss": 0.5})
    assert due() == ([0] if is_uploaded else [])
    assert session.metrics_queue == ({} if is_uploaded else {0: {"loss": 0.5}})
    assert session.timers["metrics"] == (clock.now_s if is_uploaded else 1000.0)


def test_rows_that_a_script_puts_into_the_queue_are_delivered(
    session: HUBTrainingSession, outbox: Outbox, due: Callable[[], list[int]]
) -> None:
    session.metrics_queue[0] = json.dumps({"loss": 0.5, "nan": math.nan})
    session.metrics_queue[1] = {"loss": 0.25}
    for _ in range(2):
        session.upload_metrics()
    assert due() == [0, 1]
    session.metrics_queue[1] = {"loss": 0.125}
    session.upload_metrics()
    assert due() == [0, 1, 1]  # the last of an epoch holds


def test_rows_of_the_callbacks_are_not_recorded_again_by_a_script(
    session: HUBTrainingSession, due: Callable[[], list[int]]
) -> None:
    session.record_metrics(0, {"loss": 0.5})
    session.metrics_queue[1] = {"loss": 0.25}
    session.upload_metrics()
    assert due() == [0, 1]


@pytest.mark.parametrize("row", ["{", "[1]", "1", {"loss": "low"}, {"loss": None}, None])
def test_row_of_a_script_that_is_none_is_named(session: HUBTrainingSession, row: Any) -> None:
    session.metrics_queue[3] = row
    with pytest.raises(ValueError, match="The row of epoch 3 is"):
        session.upload_metrics()


def test_rate_limits_are_the_scripts_to_change(
    session: HUBTrainingSession, clock: Clock, weights: Path, due: Callable[[], list[int]]
) -> None:
    session.rate_limits.update(metrics=0.5, ckpt=0.5)
    clock.now_s += 1.0
    session.record_metrics(0, {"loss": 0.5})
    session.record_checkpoint(0, weights)
    assert (due(), session.status().checkpoints_pending) == ([0], 1)


def test_timers_that_were_never_started_count_from_now(session: HUBTrainingSession, clock: Clock) -> None:
    session.timers.clear()
    session.record_metrics(0, {"loss": 0.5})
    assert session.timers == {"metrics": clock.now_s}


def test_upload_takes_all_rows_since_the_last_and_the_timer_starts_anew(
    session: HUBTrainingSession, clock: Clock, due: Callable[[], list[int]]
) -> None:
    for epoch in range(5):
        clock.now_s += 1.0
        session.record_metrics(epoch, {"loss": 0.5})
    assert due() == [0, 1, 2, 3]
    assert list(session.metrics_queue) == [4]


def test_rows_that_were_never_uploaded_are_due_by_themselves(session: HUBTrainingSession, outbox: Outbox) -> None:
    session.record_metrics(0, {"loss": 0.5})
    outbox.take_in()
    (run,) = outbox.runs.list()
    outbox.runs.set_remote_id(run.id, run.id)
    items = outbox.queue.lease(files=False, limit=9, now=run.started_at + 60.0, lease_s=60)
    assert [item.record.kind for item in items] == ["run_started", "metrics"]


@pytest.mark.parametrize("room_bytes", [0, 10])  # for nothing, and for the beginning of a row
def test_row_that_the_disk_cannot_take_is_tried_again_with_the_next(
    session: HUBTrainingSession, folder: OutboxFolder, outbox: Outbox, room_bytes: int
) -> None:
    (journal,) = folder.journals.iterdir()
    with limited(journal.stat().st_size + room_bytes), pytest.raises(OutboxFullError, match="journals"):
        session.record_metrics(0, {"loss": math.nan})
    assert list(session.metrics_upload_failed_queue) == [0]
    session.record_metrics(1, {"loss": 0.5})
    assert session.metrics_upload_failed_queue == {}
    assert session.status().epochs_recorded == 2


def test_row_that_is_tried_again_is_the_one_that_was_given(session: HUBTrainingSession, outbox: Outbox) -> None:
    row = {"loss": 0.5}
    with limited(1), pytest.raises(OutboxFullError):
        session.record_metrics(0, row)
    row["loss"] = 0.25
    session.record_metrics(1, row)
    outbox.take_in()
    outbox.runs.set_remote_id(str(session.model_id), "remote")
    items = outbox.queue.lease(files=False, limit=9, now=session.status().started_at + 60.0, lease_s=60)
    rows = {item.record.epoch: item.record.values for item in items if isinstance(item.record, Metrics)}
    assert rows == {0: {"loss": 0.5}, 1: {"loss": 0.25}}


def test_rows_of_a_journal_that_was_deleted_are_in_the_next(session: HUBTrainingSession, folder: OutboxFolder) -> None:
    session.record_metrics(0, {"loss": 0.5})
    (journal,) = folder.journals.iterdir()
    journal.unlink()
    session.record_metrics(1, {"loss": 0.5})
    assert session.epochs_recorded() == {0, 1}
    session.record_metrics(2, {"loss": 0.5})
    assert [path != journal for path in folder.journals.iterdir()] == [True]
    assert session.epochs_recorded() == {0, 1, 2}


def test_end_takes_all_rows_in_before_it_and_leaves_no_journal(
    session: HUBTrainingSession, folder: OutboxFolder, outbox: Outbox
) -> None:
    session.record_metrics(0, {"loss": 0.5})
    session.finish()
    assert list(folder.journals.iterdir()) == []
    outbox.runs.set_remote_id(str(session.model_id), "remote")
    items = outbox.queue.lease(files=False, limit=9, now=session.status().started_at + 60.0, lease_s=60)
    assert [item.record.kind for item in items] == ["run_started", "metrics", "run_finished"]


def test_row_after_the_end_is_recorded(session: HUBTrainingSession) -> None:
    session.finish()
    session.record_metrics(0, {"loss": 0.5})
    session.upload_metrics()
    assert session.status().epochs_recorded == 1


@pytest.mark.parametrize(("passed_s", "is_queued"), [(0.0, False), (899.999, False), (900.0, False), (900.001, True)])
def test_periodic_checkpoint_is_queued_when_more_than_900_s_have_passed(
    session: HUBTrainingSession, clock: Clock, weights: Path, passed_s: float, is_queued: bool
) -> None:
    clock.now_s += passed_s
    session.record_checkpoint(4, weights, is_best=True)
    assert session.status().checkpoints_pending == int(is_queued)
    assert session.timers["ckpt"] == (clock.now_s if is_queued else 1000.0)


def test_final_model_is_queued_always(session: HUBTrainingSession, weights: Path, outbox: Outbox) -> None:
    session.upload_model(4, weights, map=0.5, final=True)
    outbox.runs.set_remote_id(str(session.model_id), "remote")
    (item,) = outbox.queue.lease(files=True, limit=9, now=session.status().started_at + 60.0, lease_s=60)
    assert (item.record.filename, item.record.is_final, item.record.map) == ("best.pt", True, 0.5)  # type: ignore[union-attr]
    assert (outbox.folder.spool / item.file).read_bytes() == weights.read_bytes()


def test_copy_is_not_touched_by_the_next_epoch(
    session: HUBTrainingSession, weights: Path, folder: OutboxFolder
) -> None:
    session.upload_model(4, weights)
    weights.write_bytes(b"half a checkp")
    (copy,) = folder.spool.iterdir()
    assert copy.read_bytes() == b"PK checkpoint"


def test_newer_periodic_checkpoint_replaces_the_older_one(
    session: HUBTrainingSession, weights: Path, folder: OutboxFolder
) -> None:
    session.upload_model(4, weights)
    weights.write_bytes(b"PK newer")
    session.upload_model(5, weights)
    assert [path.read_bytes() for path in folder.spool.iterdir()] == [b"PK newer"]
    assert session.status().checkpoints_pending == 1


def test_periodic_checkpoint_over_the_spools_limit_is_dropped_and_counted(
    session: HUBTrainingSession, weights: Path
) -> None:
    object.__setattr__(session.settings, "spool_mb", 0.0)
    with pytest.raises(OutboxFullError, match="spool_mb"):
        session.upload_model(4, weights)
    ((kind, reason),) = session.status().dropped
    assert kind == "checkpoint"
    assert "spool_mb" in reason


def test_final_model_is_taken_whatever_the_limit(session: HUBTrainingSession, weights: Path) -> None:
    object.__setattr__(session.settings, "spool_mb", 0.0)
    session.upload_model(4, weights, final=True)
    assert (session.status().checkpoints_pending, session.status().dropped) == (1, ())


def test_recording_goes_on_when_the_outbox_is_damaged(
    session: HUBTrainingSession, folder: OutboxFolder, caplog: pytest.LogCaptureFixture
) -> None:
    Outbox(folder).set_aside(OutboxDamagedError("malformed"))
    session.record_metrics(0, {"loss": 0.5})
    assert session.status().epochs_recorded == 1
    assert "set aside" in caplog.text


def test_last_stands_in_for_a_missing_best_with_a_warning(
    session: HUBTrainingSession, weights: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session.upload_model(4, weights.with_name("best.pt"), final=True)
    assert session.status().checkpoints_pending == 1
    assert "last.pt is uploaded in its place" in caplog.text


def test_missing_checkpoint_is_a_warning(
    session: HUBTrainingSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session.upload_model(4, tmp_path / "last.pt")
    assert session.status().checkpoints_pending == 0
    assert "no checkpoint" in caplog.text


def test_finish_makes_everything_due_and_frees_the_lock(
    session: HUBTrainingSession, due: Callable[[], list[int]], folder: OutboxFolder
) -> None:
    session.record_metrics(0, {"loss": 0.5})
    lock = FileLock(folder.run_lock(str(session.model_id)), timeout=0, is_singleton=False)
    with pytest.raises(Timeout):
        lock.acquire()
    session.finish()
    with lock:
        assert due() == [0]
    assert (session.alive, session.status().state) == (False, "finished")


def test_wait_ends_with_its_time(session: HUBTrainingSession) -> None:
    session.finish()
    assert all(status.pending for status in session.wait(0.1))


def test_given_id_continues_that_run(settings: Settings, outbox: Outbox) -> None:
    for _ in range(2):
        session = HUBTrainingSession(settings=settings)
        session.start(RunStarted(name="train", epochs=3, started_at=0.0), run_id=ID)
        session.finish()
    assert [run.id for run in outbox.runs.list()] == [ID]


BASE = {"data": "d.zip", "train_args": {"batch": 8, "epochs": 2.0, "device": None, "cache": False, "data": "d.zip"}}
ARGUMENTS = {"batch": 8, "epochs": 2, "cache": False, "data": "d.zip"}


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"status": "trained", "weights": "b.pt"}, Plan("trained", "b.pt", None)),
        (
            {"has_last_weights": True, "resume": "l.pt", "data": "d.zip"},
            Plan("resumable", "l.pt", {"data": "d.zip", "resume": True}),
        ),
        ({**BASE, "is_pretrained": True, "weights": "w.pt", "cfg": "n.yaml"}, Plan("new", "w.pt", ARGUMENTS)),
        ({**BASE, "cfg": "n.yaml"}, Plan("new", "n.yaml", ARGUMENTS)),
        (
            {"cfg": "n.yaml", "data": "d.zip", "batch_size": 4, "imgsz": 320, "owner": "x"},
            Plan("new", "n.yaml", {"batch": 4, "imgsz": 320, "data": "d.zip"}),
        ),
    ],
)
def test_plan_follows_the_models_state(data: dict[str, Any], found: Plan) -> None:
    assert plan(data, page=WEB) == found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("yolov5n.pt", "yolov5nu.pt"),
        ("yolov5x6.pt", "yolov5x6u.pt"),
        ("yolov3-tiny.pt", "yolov3-tinyu.pt"),
        ("yolov5nu.pt", "yolov5nu.pt"),
        ("yolov8n.pt", "yolov8n.pt"),
        ("my/yolov3.pt", "my/yolov3u.pt"),
    ],
)
def test_yolov5_weights_have_their_newer_name(old: str, new: str) -> None:
    assert plan({**BASE, "is_pretrained": True, "weights": old}, page=WEB).model_file == new


def test_plan_refuses_a_model_whose_data_set_is_not_ready() -> None:
    with pytest.raises(DatasetNotReadyError, match="Try again in a minute"):
        plan({"cfg": "n.yaml", "train_args": {}}, page=WEB)


def test_plan_refuses_a_model_with_nothing_to_start_from() -> None:
    with pytest.raises(HubModelError, match="nothing to start"):
        plan(BASE, page=WEB)
