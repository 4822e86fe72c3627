from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock, Timeout

from hub_callbacks import wire
from hub_callbacks.errors import HubCallbacksError, OutboxDamagedError
from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.records import RunStarted
from hub_callbacks.session import HUBTrainingSession
from hub_callbacks.settings import Settings

ID, WEB = "i" * 20, "https://hub.example"


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


def test_recording_goes_on_when_the_outbox_is_damaged(
    session: HUBTrainingSession, folder: OutboxFolder, caplog: pytest.LogCaptureFixture
) -> None:
    Outbox(folder).set_aside(OutboxDamagedError("malformed"))
    session.record_metrics(0, {"loss": 0.5})
    assert session.status().epochs_recorded == 1
    assert "set aside" in caplog.text


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
