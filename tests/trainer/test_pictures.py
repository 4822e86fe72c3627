"""Everything that a real training draws is on the hub and on the run's page; what is to stay here does not leave."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.hubs import HubServer
    from tests.trainer.conftest import Machine
    from tests.wiretap import Wiretap


DATA = {"curves.json", "confusion_matrix.json"}


def drawn(machine: Machine) -> dict[str, bytes]:
    """Every picture in the run's folder."""
    paths = (path for path in machine.save_dir.iterdir() if path.suffix in {".png", ".jpg"})
    return {path.name: path.read_bytes() for path in paths}


def page_of(hub: HubServer, run_id: str) -> str:
    """A run's page, as a browser gets it that is signed in."""
    browser = requests.Session()
    browser.get(hub.url + hub.ask("POST", wire.SIGN_IN)["url"], timeout=30)
    reply = browser.get(hub.url + wire.page(run_id), timeout=30)
    assert reply.ok, reply.text
    return reply.text


def parts(content: bytes) -> list[bytes]:
    """What would be seen of a file even if it had gone in pieces."""
    return [content[start : start + 64] for start in range(0, len(content) - 64, 1024)]


@pytest.fixture
def team_hub(start_hub: Callable[[Path], HubServer], machine: Machine) -> HubServer:
    return start_hub(machine.folder / "team")


@pytest.fixture
def tapped(tap: Callable[[str], Wiretap], team_hub: HubServer, machine: Machine) -> tuple[Machine, Wiretap]:
    """A machine that delivers to a hub over a wire that is listened to."""
    heard = tap(team_hub.url)
    env = {"HUB_CALLBACKS_API_URL": heard.url, "HUB_CALLBACKS_API_KEY": team_hub.key}
    return replace(machine, env=env), heard


def test_every_plot_of_a_training_is_on_its_page(tapped: tuple[Machine, Wiretap], team_hub: HubServer) -> None:
    machine, heard = tapped
    output = machine.train(epochs=2, plots=True)
    (run,) = machine.status()["runs"]
    stored = {one["name"]: one for one in team_hub.ask("GET", wire.artifacts(run["id"]))}
    pictures, page = drawn(machine), page_of(team_hub, run["id"])
    assert len(pictures) >= 9
    receipt = f"2/2 epochs, best.pt, {len(stored)} artifacts acknowledged"
    assert receipt in output
    assert receipt in page
    assert stored.keys() - pictures.keys() == DATA
    for name, content in pictures.items():
        reply = team_hub.send("GET", stored[name]["url"].removeprefix(team_hub.url))
        assert reply.content == content, name
        assert (stored[name]["width"] > 100, stored[name]["height"] > 100) == (True, True), name
        assert f'<img src="{wire.artifact(run["id"], stored[name]["id"])}"' in page
        assert heard.has_heard(content), "the wiretap hears"
    assert all(f'data-url="{wire.artifact(run["id"], stored[name]["id"])}"' in page for name in DATA)
    assert {name for name, one in stored.items() if one["kind"] == "image"} == {
        name for name in pictures if "_batch" in name
    }
    matrix = json.loads(team_hub.send("GET", stored["confusion_matrix.json"]["url"].removeprefix(team_hub.url)).text)
    assert matrix["names"] == ["disc", "square", "background"]
    assert sum(sum(row) for row in matrix["counts"]) > 0


def test_no_image_that_shows_training_data_leaves_where_upload_images_is_false(
    tapped: tuple[Machine, Wiretap], team_hub: HubServer
) -> None:
    machine, heard = tapped
    machine = replace(machine, env={**machine.env, "HUB_CALLBACKS_UPLOAD_IMAGES": "false"})
    output = machine.train(epochs=2, plots=True)
    run = machine.delivered()
    pictures = drawn(machine)
    images = {name: content for name, content in pictures.items() if "_batch" in name}
    assert len(images) >= 5
    assert f"kept here: {len(images)} artifacts (upload_images)" in output
    plots = {name: content for name, content in pictures.items() if name not in images}
    assert plots.keys() <= {one["name"] for one in team_hub.ask("GET", wire.artifacts(run["id"]))}
    assert all(heard.has_heard(content) for content in plots.values()), "the wiretap hears"
    dataset = [path.read_bytes() for path in machine.data.parent.glob("images/*/*.png")]
    for content in [*images.values(), *dataset]:
        assert not [part for part in parts(content) if heard.has_heard(part)]


def test_training_that_keeps_its_weights_here_says_so_and_waits_for_no_model(machine: Machine) -> None:
    machine = replace(machine, env={"HUB_CALLBACKS_UPLOAD_WEIGHTS": "false"})
    output = machine.train(epochs=2)
    assert "HUB: 2/2 epochs acknowledged; kept here: 1 checkpoint (upload_weights): http" in output
    run = machine.delivered()
    assert (run["left"], run["checkpoints_acknowledged"]) == ([], 0)
    assert machine.ask(wire.checkpoints(run["id"])) == []
