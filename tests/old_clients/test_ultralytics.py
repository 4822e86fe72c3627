"""Releases of Ultralytics that still had HUB, unmodified and without our plugin, train on a hub of ours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.hubs import HubServer
    from tests.old_clients.conftest import OldClient, Tap

HUB_SDKS = {"8.0.100": "", "8.1.0": "0.0.12", "8.2.77": "0.0.25", "8.3.0": "0.0.12", "8.4.114": "0.0.25"}
EPOCHS = 5
KILLED_IN = 3
# What scripts could always do: hasten what else is sent every 3 s.
HASTEN = """
import time
def hasten(trainer):
    trainer.hub_session.rate_limits["metrics"] = 0
def tell(trainer):
    print("EPOCH", trainer.epoch, flush=True)
model.add_callback("on_pretrain_routine_end", hasten)
model.add_callback("on_train_epoch_start", tell)
"""
# And every 15 minutes; not in the local training, which 8.1.0 breaks off with an error of its own at the first.
HASTEN_CHECKPOINTS = "model.session.rate_limits['ckpt'] = 0"
TAKE_LONG = f"""
def take_long(trainer):
    if trainer.epoch == {KILLED_IN}:
        time.sleep(600)
model.add_callback("on_train_epoch_start", take_long)
"""


@dataclass(kw_only=True)
class Story:
    """What a release did, one thing after the other, each in a process of its own; and what it printed.

    Attributes:
        made_on_hub: The model that was made on the hub, started, killed and resumed.
        made_by_client: The model that a local training made; empty where the release makes none.
        trained: Each model, as the hub shows it when it is trained.
    """

    release: str
    client: OldClient
    hub: HubServer
    data: Path
    made_on_hub: str = ""
    made_by_client: str = ""
    resumed: str = ""
    trained: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def tap(self) -> Tap:
        return self.client.tap

    @property
    def is_first_era(self) -> bool:
        return self.release == "8.0.100"

    @property
    def loads_trained_models(self) -> bool:
        return self.release not in ("8.0.100", "8.1.0")

    @property
    def page(self) -> str:
        """The model that was made on the hub; 8.0.100 knows HUB's own address only."""
        root = "https://hub.ultralytics.com" if self.is_first_era else self.tap.url
        return root + wire.page(self.made_on_hub)

    def training(self, model: str, *lines: str, **arguments: Any) -> list[str]:
        """A script that trains."""
        place = {"project": str(self.client.folder / "runs"), "workers": 0, "plots": False}
        load = ["from ultralytics import YOLO", f"model = YOLO({model!r})", f"model.overrides.update({place!r})"]
        return [*load, HASTEN, *lines, f"model.train(**{arguments!r})"]

    def tell(self) -> None:
        self.client.run("from ultralytics import hub", f"hub.login({self.client.key!r})")
        if not self.is_first_era:
            self.train_locally()
        self.train_from_hub()
        for model_id in filter(None, (self.made_by_client, self.made_on_hub)):
            self.trained[model_id] = self.hub.ask("GET", wire.model(model_id))

    def train_locally(self) -> None:
        known = {"data": str(self.data), "epochs": 2, "imgsz": 64, "batch": 8, "device": "cpu"}
        self.client.run(*self.training("yolov8n.yaml", **known))
        (creation,) = self.tap.find("POST", wire.MODELS)
        self.made_by_client = creation.received["data"]["id"]

    def train_from_hub(self) -> None:
        body = {
            "meta": {"name": "made on the hub"},
            "config": {"epochs": EPOCHS, "batchSize": 8, "imageSize": 64, "device": "cpu"},
            "dataset": {"name": str(self.data)},
            "lineage": {"architecture": {"name": "yolov8n"}},
        }
        self.made_on_hub = self.hub.ask("POST", wire.MODELS, json=body)["id"]
        until_killed = self.training(self.page, HASTEN_CHECKPOINTS, TAKE_LONG, epochs=9)
        self.client.kill(*until_killed, when=self.is_far_enough)
        self.resumed = self.client.run(*self.training(self.page, HASTEN_CHECKPOINTS))

    def is_far_enough(self) -> bool:
        """Whether all of the epochs before the one to be killed in has come."""
        epochs = {one.epoch for one in self.tap.checkpoints(self.made_on_hub)}
        return epochs == set(self.tap.rows(self.made_on_hub)) == set(range(KILLED_IN))


@pytest.fixture(scope="module", params=HUB_SDKS, ids="Ultralytics {}".format)
def story(
    request: pytest.FixtureRequest, hub: HubServer, data: Path, make_client: Callable[[str, str], OldClient]
) -> Story:
    """The whole story of one release."""
    client = make_client(request.param, HUB_SDKS[request.param])
    story = Story(release=request.param, client=client, hub=hub, data=data)
    client.tap.exchanges.clear()
    story.tell()
    return story


def test_login_is_taken(story: Story) -> None:
    first, *_ = story.tap.find("POST", wire.AUTH)
    assert (first.status, first.received["success"]) == (200, True)


def test_create_makes_a_model_of_a_local_training(story: Story) -> None:
    if story.is_first_era:
        pytest.skip("8.0.100 makes no models")
    model = story.trained[story.made_by_client]
    assert (model["status"], model["run"]["state"]) == ("trained", "finished")
    assert (model["meta"]["name"], model["epochs"], model["imgsz"]) == ("yolov8n.yaml", 2, 64)


def test_start_trains_with_the_arguments_of_the_hub(story: Story) -> None:
    model = story.trained[story.made_on_hub]
    assert (model["status"], model["run"]["state"]) == ("trained", "finished")
    final = story.tap.checkpoints(story.made_on_hub)[-1]
    assert (final.is_final, final.epoch) == (True, EPOCHS - 1)  # not the script's 9


def test_resume_continues_behind_the_last_checkpoint(story: Story) -> None:
    epochs = re.findall(r"^EPOCH (\d+)$", story.resumed, re.MULTILINE)
    assert list(map(int, epochs)) == list(range(KILLED_IN, EPOCHS)), story.resumed


def test_trained_model_is_used_or_refused(story: Story) -> None:
    image = next(story.data.parent.glob("images/val/*.png"))
    lines = ["from ultralytics import YOLO", f"print('FOUND', len(YOLO({story.page!r}).predict({str(image)!r})))"]
    output = story.client.run(*lines, returncode=0 if story.loads_trained_models else 1)
    assert ("FOUND 1" if story.loads_trained_models else "ValueError: Model is already trained") in output


def test_metrics_are_those_that_were_sent(story: Story) -> None:
    for model_id in story.trained:
        sent = story.tap.rows(model_id)
        curves = story.hub.ask("GET", wire.metrics(model_id))
        there = {
            epoch: {c["meta"]["name"]: c["data"][str(epoch)] for c in curves if str(epoch) in c["data"]}
            for epoch in sent
        }
        assert there == sent
        assert {int(epoch) for curve in curves for epoch in curve["data"]} == set(sent)


def test_checkpoint_that_was_sent_is_there(story: Story) -> None:
    on_disk = {hashlib.sha256(file.read_bytes()).hexdigest() for file in story.client.folder.rglob("best.pt")}
    for model_id in story.trained:
        sent = {one.sha256 for one in story.tap.checkpoints(model_id) if one.is_final}
        there = {one["sha256"] for one in story.hub.ask("GET", wire.checkpoints(model_id)) if one["isFinal"]}
        assert there == sent
        assert sent <= on_disk
        assert len(sent) == 1


def test_heartbeat_gets_its_agent_id(story: Story) -> None:
    for model_id in story.trained:
        beats = story.tap.find("POST", wire.heartbeat(model_id))
        assert beats
        assert all(len(beat.received["data"]["agentId"]) == wire.ID_LENGTH for beat in beats)


def test_nothing_is_refused(story: Story) -> None:
    assert [one for one in story.tap.exchanges if one.status >= 400] == []


def test_reset_makes_a_trained_model_new(story: Story) -> None:
    if story.is_first_era:
        pytest.skip("8.0.100 asks HUB's own address")
    story.client.run("from ultralytics import hub", f"hub.reset_model({story.made_by_client!r})")
    assert story.hub.ask("GET", wire.model(story.made_by_client))["status"] == "new"
