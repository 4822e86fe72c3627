"""Models of a real hub as a session loads them, and every way in which that can fail: before any training time."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from hub_callbacks import HUBTrainingSession, wire
from hub_callbacks.errors import (
    DatasetNotReadyError,
    ForbiddenError,
    IdentifierError,
    ModelNotFoundError,
    TransportError,
    UnauthorizedError,
    UnreachableError,
)
from hub_callbacks.server.folder import open_folder
from hub_callbacks.session.datasets import unpacked
from hub_callbacks.settings import Settings
from hub_callbacks.testing import FaultHub

if TYPE_CHECKING:
    from tests.hubs import HubServer

DATA = "coco8.yaml"


class Team(NamedTuple):
    hub: HubServer
    other_key: str  # of a trainer whom none of the models belongs to


@pytest.fixture(scope="module")
def team(start_hub: Callable[[Path], HubServer], tmp_path_factory: pytest.TempPathFactory) -> Team:
    data_dir = tmp_path_factory.mktemp("team")
    with open_folder(data_dir) as folder:
        key = folder.store.create_key(folder.store.create_user("bob", "trainer").user_id)
    return Team(start_hub(data_dir), key)


@pytest.fixture
def settings(team: Team, tmp_path: Path) -> Settings:
    environ = {"HUB_CALLBACKS_DATA_DIR": str(tmp_path / "data")}
    return replace(Settings.load(environ), api_url=team.hub.url, web_url=team.hub.url, api_key=team.hub.key)


def create(hub: HubServer, **body: Any) -> str:
    given = {
        "meta": {"name": "made on the hub"},
        "config": {"epochs": 3, "batchSize": 8, "imageSize": 64, "patience": 5, "device": "cpu", "cache": "ram"},
        "dataset": {"name": DATA},
        "lineage": {"architecture": {"name": "yolo11n"}},
    }
    return str(hub.ask("POST", wire.MODELS, json=given | body)["id"])


def checkpoint(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    return file.getvalue()


def upload(hub: HubServer, model_id: str, content: bytes, **fields: Any) -> None:
    name = "best.pt" if fields["type"] == "final" else "last.pt"
    hub.ask("POST", wire.upload(model_id), data=fields, files={name: content})


def page(hub: HubServer, model_id: str) -> str:
    return hub.url + wire.page(model_id)


def test_new_model_has_the_hubs_arguments(team: Team, settings: Settings) -> None:
    model_id = create(team.hub)
    session = HUBTrainingSession(page(team.hub, model_id), settings=settings)
    assert (session.state, session.model_id, session.model_url) == ("new", model_id, page(team.hub, model_id))
    assert (session.model_file, session.fetch_weights()) == ("yolo11n.yaml", "yolo11n.yaml")
    assert session.train_args == {
        "batch": 8, "epochs": 3, "imgsz": 64, "patience": 5, "device": "cpu", "cache": "ram", "data": DATA,
    }  # fmt: skip
    assert session.fetch_data() == DATA


def test_new_model_starts_from_the_newer_name_of_yolov5_weights(team: Team, settings: Settings) -> None:
    model_id = create(team.hub, lineage={"architecture": {"name": "yolov5n"}, "parent": {"name": "yolov5n.pt"}})
    assert HUBTrainingSession(model_id, settings=settings).model_file == "yolov5nu.pt"


def test_resumable_model_is_fetched_and_verified(team: Team, settings: Settings) -> None:
    model_id, content = create(team.hub), checkpoint(b"epoch 1")
    upload(team.hub, model_id, content, epoch=1, type="epoch", isBest="True")
    session = HUBTrainingSession(f"{team.hub.key}_{model_id}", settings=replace(settings, api_key=""))
    assert (session.state, session.train_args) == ("resumable", {"data": DATA, "resume": True})
    path = Path(session.fetch_weights())
    assert (path.read_bytes(), path.stem) == (content, hashlib.sha256(content).hexdigest())
    assert session.fetch_best() == path  # that very epoch


def test_trained_model_is_its_best_checkpoint_and_has_nothing_to_train(team: Team, settings: Settings) -> None:
    model_id, content = create(team.hub), checkpoint(b"best")
    upload(team.hub, model_id, content, epoch=2, type="final", map="0.5")
    session = HUBTrainingSession(f"{page(team.hub, model_id)}/", settings=settings)
    assert (session.state, session.train_args) == ("trained", None)
    assert Path(session.fetch_weights()).read_bytes() == content


def test_key_of_the_identifier_goes_before_that_of_the_settings(team: Team, settings: Settings) -> None:
    model_id = create(team.hub)
    session = HUBTrainingSession(
        f"{page(team.hub, model_id)}?api_key={team.hub.key}", settings=replace(settings, api_key="k" * 42)
    )
    assert session.auth_header == {wire.API_KEY_HEADER: team.hub.key}
    assert session.api_url == team.hub.url + wire.model(model_id)


def test_public_model_is_loaded_without_a_key(team: Team, settings: Settings) -> None:
    model_id = create(team.hub, isPublic=True)
    session = HUBTrainingSession(page(team.hub, model_id), settings=replace(settings, api_key=""))
    assert (session.state, session.model_file, session.auth_header) == ("new", "yolo11n.yaml", {})


def test_client_and_model_are_hub_sdks(team: Team, tmp_path: Path) -> None:
    code = "; ".join(
        [
            "from hub_callbacks import HUBTrainingSession",
            f"session = HUBTrainingSession({create(team.hub)!r})",
            "print(session.client.authenticated, session.model.id == session.model_id, session.model.is_trained())",
        ]
    )
    env = {"DATA_DIR": str(tmp_path), "API_URL": team.hub.url, "API_KEY": team.hub.key}
    done = subprocess.run(  # hub-sdk reads its addresses once in a process
        [sys.executable, "-c", code],
        env=os.environ | {f"HUB_CALLBACKS_{name}": value for name, value in env.items()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "True True False\n", done.stderr


def test_unknown_id_is_named_with_where_to_look(team: Team, settings: Settings) -> None:
    unknown = page(team.hub, "x" * 20)
    with pytest.raises(ModelNotFoundError, match=f"no model {unknown}.*hub-callbacks open"):
        HUBTrainingSession(unknown, settings=settings)


def test_missing_key_is_named_with_how_to_give_one(team: Team, settings: Settings) -> None:
    model_id = create(team.hub)
    with pytest.raises(UnauthorizedError, match=r"wants an API key.*settings api_key=KEY.*\?api_key=KEY"):
        HUBTrainingSession(model_id, settings=replace(settings, api_key=""))


def test_wrong_key_is_named_and_not_shown(team: Team, settings: Settings) -> None:
    key = "k" * 42
    with pytest.raises(UnauthorizedError, match=r"does not know the API key.*settings api_key=KEY") as caught:
        HUBTrainingSession(f"{key}_{create(team.hub)}", settings=settings)
    assert key not in str(caught.value)


def test_model_of_somebody_else_is_not_trained(team: Team, settings: Settings) -> None:
    others = replace(settings, api_key=team.other_key)
    with pytest.raises((ForbiddenError, ModelNotFoundError), match=r"[Yy]our key may not"):  # a hub may hide it
        HUBTrainingSession(create(team.hub), settings=others).check_own()


def test_data_set_that_is_still_processed_is_waited_for_by_the_person(team: Team, settings: Settings) -> None:
    with pytest.raises(DatasetNotReadyError, match=r"still be processing it. Try again in a minute"):
        HUBTrainingSession(create(team.hub, dataset={}), settings=settings)


def create_dataset(hub: HubServer, members: dict[str, bytes] | None = None) -> str:
    dataset_id = str(hub.ask("POST", wire.DATASETS, json={"meta": {"name": "drawn"}})["id"])
    if members:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        hub.ask("POST", f"{wire.dataset(dataset_id)}/upload", files={"drawn.zip": ("drawn.zip", file.getvalue())})
    return dataset_id


def test_data_set_of_the_hub_is_unpacked_once_and_its_archive_deleted(team: Team, settings: Settings) -> None:
    text = b"path: /elsewhere\ntrain: images/train\nval: images/train\nnames: {0: cat}\n"
    dataset_id = create_dataset(team.hub, {"drawn/data.yaml": text, "drawn/images/train/1.png": b"1"})
    model_id = create(team.hub, dataset={}, datasetId=dataset_id)
    found = [Path(HUBTrainingSession(model_id, settings=settings).fetch_data()) for _ in range(2)]
    assert found[0] == found[1]
    said = yaml.safe_load(found[0].read_text(encoding="utf-8"))
    assert (Path(said["path"]) / said["train"] / "1.png").read_bytes() == b"1"
    assert [path for path in settings.data_dir.rglob("*.zip*") if path.suffix != ".lock"] == []
    assert [(one.name, one.folder) for one in unpacked(found[0].parents[1])] == [("drawn", found[0].parent)]


def test_data_set_that_has_changed_on_the_hub_is_another_here(team: Team, settings: Settings) -> None:
    found = []
    for name in (b"cat", b"dog"):
        text = b"train: images/train\nval: images/train\nnames: {0: %s}\n" % name
        dataset_id = create_dataset(team.hub, {"data.yaml": text, "images/train/1.png": b"1"})
        session = HUBTrainingSession(create(team.hub, dataset={}, datasetId=dataset_id), settings=settings)
        found.append(yaml.safe_load(Path(session.fetch_data()).read_text(encoding="utf-8"))["names"][0])
    assert found == ["cat", "dog"]


def test_data_set_without_an_archive_is_not_ready(team: Team, settings: Settings) -> None:
    model_id = create(team.hub, dataset={}, datasetId=create_dataset(team.hub))
    with pytest.raises(DatasetNotReadyError, match=r"still be processing it\. Try again in a minute"):
        HUBTrainingSession(model_id, settings=settings)


def test_hub_that_is_down_is_named_with_how_to_look(settings: Settings) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(UnreachableError, match=r"hub is not there.*hub-callbacks doctor.*local file needs no hub"):
            HUBTrainingSession("x" * 20, settings=replace(settings, api_url=url, web_url=url))


def test_what_is_no_hub_is_told_from_one_that_has_no_such_model(settings: Settings) -> None:
    with FaultHub() as hub:
        hub.capture()
        with pytest.raises(TransportError, match=r"not as a hub does. Is something in between"):
            HUBTrainingSession("x" * 20, settings=replace(settings, api_url=hub.url, web_url=hub.url))


def test_model_of_another_hub_is_asked_for_there_and_without_our_key(team: Team, settings: Settings) -> None:
    with FaultHub() as other:
        other.answer(401)
        with pytest.raises(UnauthorizedError, match=f"wants an API key for {other.url}"):
            HUBTrainingSession(other.url + wire.page("x" * 20), settings=settings)
        assert [request.path for request in other.requests] == [wire.model("x" * 20)]


def test_page_of_the_hub_that_was_shut_down_is_looked_for_on_ours(team: Team, settings: Settings) -> None:
    model_id = create(team.hub)
    session = HUBTrainingSession(f"https://hub.ultralytics.com/models/{model_id}", settings=settings)
    assert session.model_url == page(team.hub, model_id)


def test_name_that_is_none_is_refused_with_the_forms(settings: Settings) -> None:
    with pytest.raises(IdentifierError, match="KEY_ID, ID,"):
        HUBTrainingSession("yolo11n", settings=settings)


@pytest.mark.parametrize("identifier", ["yolo11n.pt", "yolo11n.yaml"])
def test_file_is_no_reason_to_ask_a_hub(settings: Settings, identifier: str) -> None:
    with FaultHub() as hub:
        away = replace(settings, api_url=hub.url, web_url=hub.url)
        assert HUBTrainingSession(identifier, settings=away).filename == identifier
        assert hub.requests == []
