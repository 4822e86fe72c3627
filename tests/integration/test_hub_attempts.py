"""A run that is trained again from an epoch on: what was said of it before no longer holds, however late it comes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from hub_callbacks import wire
from hub_callbacks.courier.connections import Connections
from hub_callbacks.courier.deliver import Delivery
from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.records import RunStarted
from hub_callbacks.session import HUBTrainingSession
from hub_callbacks.settings import Settings
from tests.integration.trainings import FIRST, SECOND, Training, begin, checkpoint, curve, model

if TYPE_CHECKING:
    from tests.hubs import HubServer


@pytest.fixture
def first(hub: HubServer) -> Training:
    """A training that came to its fourth epoch, with checkpoints of the third and the fourth."""
    first = begin(hub, FIRST)
    assert first.rows(0, 1, 2, loss=0.5) == first.rows(3, loss=0.1) == 200
    assert first.upload(2, b"2") == first.upload(3, b"3") == 200
    return first


def test_epochs_from_the_resumed_one_on_no_longer_hold(hub: HubServer, first: Training) -> None:
    begin(hub, SECOND, start_epoch=3, model_id=first.model_id)
    assert curve(hub, first.model_id) == {0: 0.5, 1: 0.5, 2: 0.5}
    found = model(hub, first.model_id)
    assert (found["run"]["lastEpoch"], found["run"]["best"], found["run"]["attempt"]) == (2, {"loss": 0.5}, SECOND)
    assert [one["epoch"] for one in hub.ask("GET", wire.checkpoints(first.model_id))] == [2]
    assert f"{first.model_id}-last-2.pt" in found["resume"]


def test_run_that_begins_anew_has_nothing_of_before(hub: HubServer, first: Training) -> None:
    begin(hub, SECOND, model_id=first.model_id)
    found = model(hub, first.model_id)
    assert hub.ask("GET", wire.metrics(first.model_id)) == []
    assert (found["status"], found["has_last_weights"], found["run"]["lastEpoch"]) == ("new", False, None)


def test_name_and_project_stay_those_of_before(hub: HubServer) -> None:
    """The trainer's are those of its folder, on the machine that goes on; on the hub a person may have changed them."""
    first = begin(hub, FIRST, name="train3", project="parts")
    hub.ask("PATCH", wire.model(first.model_id), json={"meta": {"name": "Crack detector"}})
    begin(hub, SECOND, start_epoch=3, model_id=first.model_id)
    found = model(hub, first.model_id)
    assert (found["meta"]["name"], found["run"]["project"]) == ("Crack detector", "parts")


def test_data_set_of_the_hub_keeps_its_name(hub: HubServer) -> None:
    """The trainer's is a file below its own data folder."""
    dataset_id = hub.ask("POST", wire.DATASETS, json={"meta": {"name": "cracks"}})["id"]
    planned = {"datasetId": dataset_id, "dataset": {"name": "cracks"}}
    model_id = hub.ask("POST", wire.MODELS, json=planned)["id"]
    started = {"id": model_id, "dataset": {"name": "/data/datasets/1f/hub_callbacks.yaml"}, "run": {"startedAt": FIRST}}
    hub.ask("POST", wire.MODELS, json=started)
    assert model(hub, model_id)["dataset"]["name"] == "cracks"


def test_late_rows_do_not_come_back_over_new_ones(hub: HubServer, first: Training) -> None:
    second = begin(hub, SECOND, start_epoch=3, model_id=first.model_id)
    assert second.rows(3, loss=0.3) == 200
    assert first.rows(3, loss=0.1) == first.rows(4, loss=0.1) == first.rows(2, 3, loss=0.1) == 409
    assert first.rows(2, loss=0.2) == 200  # of an epoch that both have in common
    assert curve(hub, first.model_id) == {0: 0.5, 1: 0.5, 2: 0.2, 3: 0.3}


def test_refusal_says_why(hub: HubServer, first: Training) -> None:
    begin(hub, SECOND, start_epoch=3, model_id=first.model_id)
    body = {"type": "metrics", "metrics": {"3": "{}"}}
    message = first.send("POST", wire.model(first.model_id), json=body).json()["message"]
    assert message == f"A later training of {first.model_id!r} began at epoch 4: its epochs hold."


def test_document_names_the_refusal_wherever_it_is_made(hub: HubServer) -> None:
    paths = hub.send("GET", "/openapi.json").json()["paths"]
    refusing = {
        (path, method) for path, item in paths.items() for method, one in item.items() if "409" in one["responses"]
    }
    model_id = "{model_id}"
    assert refusing >= {
        (wire.model(model_id), "patch"),
        (wire.model(model_id), "post"),
        (wire.upload(model_id), "post"),
        (wire.uploads(model_id), "post"),
        (wire.artifacts(model_id), "post"),
    }


def test_late_checkpoint_is_refused_in_either_way(hub: HubServer, first: Training) -> None:
    begun = first.begin_upload(5)
    second = begin(hub, SECOND, start_epoch=3, model_id=first.model_id)
    assert first.upload(4, b"4") == first.begin_upload(4).status_code == 409
    headers = {wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION}
    assert first.send("HEAD", begun.headers["location"], headers=headers).status_code in {404, 410}
    assert second.upload(3, b"new 3") == 200
    assert second.begin_upload(4).status_code == 201
    assert [one["epoch"] for one in hub.ask("GET", wire.checkpoints(first.model_id))] == [3, 2]


def test_model_that_an_earlier_training_ended_with_is_not_the_runs(hub: HubServer, first: Training) -> None:
    begin(hub, SECOND, start_epoch=3, model_id=first.model_id)
    assert first.upload(2, b"final", "final") == first.begin_upload(2, "final").status_code == 409
    assert model(hub, first.model_id)["status"] == "training"


def test_late_end_and_summary_are_not_those_of_the_new_training(hub: HubServer, first: Training) -> None:
    begin(hub, SECOND, start_epoch=3, model_id=first.model_id)
    crash = {"state": "crashed", "reason": "gone", "at": SECOND + 50}
    assert first.send("POST", wire.state(first.model_id), json=crash).ok
    assert first.send("PATCH", wire.model(first.model_id), json={"summary": {"mAP": 0.5}}).status_code == 409
    run = model(hub, first.model_id)["run"]
    assert (run["state"], run["reason"], run["summary"]) == ("running", "", {})


def test_trainer_that_another_took_over_from_is_told_to_stop(hub: HubServer, first: Training) -> None:
    second = begin(hub, SECOND, start_epoch=3, model_id=first.model_id)
    beat = {"agent": "python", "agentId": None}
    commands = {
        training: training.send("POST", wire.heartbeat(first.model_id), json=beat).json()["data"]["commands"]
        for training in (first, second)
    }
    assert commands == {first: [{"command": "stop", "reason": "The run is trained elsewhere by now."}], second: []}


def test_creation_that_comes_late_changes_nothing(hub: HubServer, first: Training) -> None:
    second = begin(hub, SECOND, start_epoch=3, model_id=first.model_id)
    assert second.rows(3, loss=0.3) == 200
    for began_at in (FIRST, SECOND):
        begin(hub, began_at, model_id=first.model_id)
    assert curve(hub, first.model_id)[3] == 0.3


def test_end_holds_whatever_the_clock_of_the_new_machine_says(hub: HubServer, first: Training) -> None:
    second = begin(hub, SECOND, start_epoch=3, model_id=first.model_id)
    end = {"state": "finished", "at": FIRST - 500}
    assert second.send("POST", wire.state(first.model_id), json=end).ok
    assert model(hub, first.model_id)["run"]["state"] == "finished"


def test_client_of_hub_v1_says_nothing_of_this_and_is_taken(hub: HubServer, first: Training) -> None:
    begin(hub, SECOND, start_epoch=3, model_id=first.model_id)
    old = Training(hub, first.model_id, None)
    assert old.rows(3, 4, loss=0.4) == old.upload(4, b"4") == 200
    assert curve(hub, first.model_id)[4] == 0.4


@pytest.mark.parametrize("value", ["soon", "nan", "-1", "inf"])
def test_attempt_that_is_no_time_is_refused(hub: HubServer, first: Training, value: str) -> None:
    first.headers = {wire.ATTEMPT_HEADER: value}
    assert first.rows(0, loss=0.5) == 422


class Machine:
    """A data folder, and in place of its courier one that works when it is told to."""

    def __init__(self, hub: HubServer, data_dir: Path) -> None:
        self.folder = OutboxFolder.under(data_dir)
        self.folder.path.mkdir(parents=True)
        self.lock = FileLock(self.folder.courier_lock)
        self.lock.acquire()
        self.folder.courier_pid.write_text(str(os.getpid()), encoding="ascii")
        environ = {"HUB_CALLBACKS_DATA_DIR": str(data_dir), "HUB_CALLBACKS_CKPT_S": "0"}
        self.settings = replace(Settings.load(environ), api_url=hub.url, web_url=hub.url, api_key=hub.key)

    def train(self, run_id: str, epochs: range, *, loss: float, clock: float, after: float = 0.0) -> HUBTrainingSession:
        session = HUBTrainingSession(settings=self.settings)
        record = RunStarted(name="train", epochs=6, start_epoch=epochs.start, started_at=clock)
        session.start(record, run_id=run_id, after=after)
        for epoch in epochs:
            session.record_metrics(epoch, {"loss": loss})
            weights = self.folder.path / "last.pt"
            weights.write_bytes(checkpoint(f"{loss} {epoch}".encode()))
            session.upload_model(epoch, weights)
        return session

    def deliver(self) -> None:
        outbox = Outbox(self.folder)
        delivery = Delivery(outbox, Connections(lambda: pytest.fail("this is not about the local hub")))
        outbox.queue.revive(4e9)
        for files in (False, False, False, True):  # a beginning, what follows it until the next one, and the rest
            delivery.deliver(outbox.queue.lease(files=files, limit=100, now=4e9, lease_s=60))
        outbox.close()


@pytest.fixture
def machines(hub: HubServer, tmp_path: Path) -> Iterator[list[Machine]]:
    machines = [Machine(hub, tmp_path / name) for name in "ab"]
    yield machines
    for machine in machines:
        machine.lock.release()


def test_run_goes_on_elsewhere_while_its_rows_wait_on_the_first_machine(
    hub: HubServer, machines: list[Machine]
) -> None:
    (a, b), run_id = machines, wire.new_id()
    first = a.train(run_id, range(2), loss=0.5, clock=FIRST)
    a.deliver()
    first.record_metrics(2, {"loss": 0.1})  # and then it is cut off, and dies
    first.record_metrics(3, {"loss": 0.1})
    first.finish("crashed")

    attempt = model(hub, run_id)["run"]["attempt"]
    second = b.train(run_id, range(2, 6), loss=0.3, clock=FIRST - 3600.0, after=attempt)  # its clock is an hour behind
    second.finish()
    b.deliver()
    a.deliver()  # back again
    assert curve(hub, run_id) == {0: 0.5, 1: 0.5, **dict.fromkeys(range(2, 6), 0.3)}
    found = model(hub, run_id)
    assert (found["run"]["state"], found["run"]["lastEpoch"]) == ("finished", 5)
    assert f"{run_id}-last-5.pt" in found["resume"]
    assert second.status().receipt() == "4/4 epochs acknowledged"
    (reason,) = {reason for kind, reason in first.status().buried if kind == "metrics"}
    assert "began at epoch 3" in reason


def test_run_that_is_resumed_on_its_own_machine_drops_what_it_had_of_those_epochs(
    hub: HubServer, machines: list[Machine]
) -> None:
    (a, _), run_id = machines, wire.new_id()
    a.train(run_id, range(2), loss=0.5, clock=SECOND)
    a.deliver()
    first = a.train(run_id, range(2, 4), loss=0.1, clock=SECOND + 1)
    first.finish("crashed")
    second = a.train(run_id, range(3, 5), loss=0.3, clock=FIRST)  # the clock was set back
    assert second.epochs_recorded() == {0, 1, 2, 3, 4}
    second.finish()
    a.deliver()
    assert curve(hub, run_id) == {0: 0.5, 1: 0.5, 2: 0.1, 3: 0.3, 4: 0.3}
    assert second.status().receipt() == "5/5 epochs acknowledged"
    assert second.status().buried == ()
