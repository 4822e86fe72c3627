"""``hub-callbacks datasets`` and ``runs create|change``: what is to be trained, said before anybody trains it."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from hub_callbacks import wire
from tests.integration.conftest import told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from tests.hubs import HubServer

    Command = Callable[..., Result]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A data set's archive."""
    path = tmp_path / "cracks.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("cracks/data.yaml", "train: images\nval: images\nnames: [crack]\n")
    return path


def plan(hub: HubServer, run_id: str) -> Any:
    """What a trainer is told of the model."""
    return hub.ask("GET", wire.model(run_id))


def test_data_set_is_uploaded_listed_and_deleted(hub: HubServer, command: Command, archive: Path) -> None:
    made = told(command("datasets", "upload", str(archive), "--json"))
    found = hub.ask("GET", wire.dataset(made["id"]))
    assert (found["meta"]["name"], found["file"]["sizeBytes"]) == ("cracks", archive.stat().st_size)
    assert hub.send("GET", found["url"].removeprefix(hub.url)).content == archive.read_bytes()
    (line,) = (one for one in command("datasets", "list").stdout.splitlines() if made["id"] in one)
    assert ("cracks" in line, "0.0 MB" in line) == (True, True)
    assert command("datasets", "delete", made["id"]).exit_code == 2  # nobody is there to be asked
    assert command("datasets", "delete", made["id"], "--yes").exit_code == 0
    assert made["id"] not in command("datasets", "list").stdout


def test_data_set_gets_a_name_a_project_and_later_a_new_archive(
    hub: HubServer, command: Command, archive: Path, tmp_path: Path
) -> None:
    project = told(command("projects", "create", "Bridges", "--json"))["id"]
    words = ("datasets", "upload", str(archive), "--name", "Cracks", "--project", project, "--json")
    made = told(command(*words))["id"]
    newer = tmp_path / "newer.zip"
    with zipfile.ZipFile(newer, "w") as file:
        file.writestr("data.yaml", "train: other")
    assert told(command("datasets", "upload", str(newer), "--to", made, "--json"))["id"] == made
    found = hub.ask("GET", wire.dataset(made))
    assert (found["meta"]["name"], found["projectId"]) == ("Cracks", project)
    assert hub.send("GET", found["url"].removeprefix(hub.url)).content == newer.read_bytes()


def test_what_is_no_archive_is_not_sent(hub: HubServer, command: Command, tmp_path: Path) -> None:
    (tmp_path / "cracks.txt").write_text("none")
    before = hub.ask("GET", wire.DATASETS)["total"]
    for path, said in ((tmp_path, "python -m zipfile -c"), (tmp_path / "cracks.txt", "is no zip archive")):
        refused = command("datasets", "upload", str(path))
        assert (refused.exit_code, said in refused.output) == (2, True)
    assert command("datasets", "upload", "x.zip").exit_code == 2  # it is not there
    assert hub.ask("GET", wire.DATASETS)["total"] == before


def test_archive_that_the_hub_refuses_can_be_sent_again(hub: HubServer, command: Command, tmp_path: Path) -> None:
    path = tmp_path / "out.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("../out.txt", "out of its folder")
    refused = command("datasets", "upload", str(path))
    assert refused.exit_code == 1
    dataset_id = refused.output.partition("--to ")[2].split()[0]
    assert hub.ask("GET", wire.dataset(dataset_id))["file"] is None


def test_run_is_planned_with_what_is_said(hub: HubServer, command: Command, archive: Path) -> None:
    dataset_id = told(command("datasets", "upload", str(archive), "--json"))["id"]
    words = ("--data", dataset_id, "--epochs", "5", "--imgsz", "320", "--batch", "4", "--patience", "7")
    made = told(command("runs", "create", "yolo11n.pt", *words, "--device", "cpu", "--cache", "ram", "--json"))
    model = plan(hub, made["id"])
    assert made["url"] == f"{hub.url}{wire.page(made['id'])}"
    assert (model["meta"]["name"], model["weights"], model["is_pretrained"]) == ("yolo11n", "yolo11n.pt", True)
    told_args = {"epochs": 5, "imgsz": 320, "batch": 4, "patience": 7, "device": "cpu", "cache": "ram"}
    assert told_args.items() <= model["train_args"].items()
    assert isinstance(model["train_args"]["batch"], int)
    assert dataset_id in model["train_args"]["data"]
    assert "cracks" in command("runs", "show", made["id"]).stdout


def test_run_starts_from_an_architecture_and_a_data_set_that_ultralytics_knows(
    hub: HubServer, command: Command
) -> None:
    words = ("runs", "create", "yolo11n.yaml", "--data", "coco8.yaml", "--name", "Cracks")
    printed = command(*words).stdout.splitlines()
    run_id = printed[0].split()[-1]
    assert printed[1] == f"Start it: hub-callbacks train {hub.url}{wire.page(run_id)}"
    model = plan(hub, run_id)
    assert (model["meta"]["name"], model["cfg"], model["is_pretrained"]) == ("Cracks", "yolo11n.yaml", False)
    assert (model["train_args"]["data"], model["train_args"]["epochs"]) == ("coco8.yaml", 100)


def test_planned_run_is_changed(hub: HubServer, command: Command, archive: Path) -> None:
    project = told(command("projects", "create", "Bridges", "--json"))["id"]
    dataset_id = told(command("datasets", "upload", str(archive), "--json"))["id"]
    run_id = told(command("runs", "create", "yolo11n.yaml", "--epochs", "5", "--imgsz", "320", "--json"))["id"]
    words = ("--name", "Beams", "--data", dataset_id, "--project", project, "--epochs", "9")
    assert command("runs", "change", run_id, *words).exit_code == 0
    model = plan(hub, run_id)
    assert (model["meta"]["name"], model["project"]) == ("Beams", project)
    assert (model["train_args"]["epochs"], model["train_args"]["imgsz"]) == (9, 320)  # what was not said stays
    assert dataset_id in model["train_args"]["data"]
    assert command("runs", "change", run_id, "--data", "coco8.yaml").exit_code == 0
    assert plan(hub, run_id)["train_args"]["data"] == "coco8.yaml"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "yolo11n"), "neither a .pt nor a .yaml"),
        (("create", "yolo11n.pt", "--epochs", "0"), "--epochs"),
        (("create", "yolo11n.pt", "--batch", "many"), "--batch"),
        (("create", "yolo11n.pt", "--batch", "inf"), "--batch"),
        (("create", "yolo11n.pt", "--project", "Bridges"), "is no ID"),
        (("change", "x" * 20), "Say what to change"),
    ],
)
def test_wrong_plan_is_told_before_the_hub_is_asked(command: Command, words: tuple[str, ...], said: str) -> None:
    refused = command("runs", *words)
    assert (refused.exit_code, said in refused.output) == (2, True)


def test_data_set_that_the_hub_does_not_have_is_told(command: Command) -> None:
    refused = command("runs", "create", "yolo11n.pt", "--data", "x" * 20)
    assert (refused.exit_code, "The hub says:" in refused.output) == (1, True)
