"""What people do with the hub's pages, from sign-in to sign-out, while a real training goes on."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, expect

from hub_callbacks import wire
from hub_callbacks.server.folder import open_folder

if TYPE_CHECKING:
    from tests.hubs import HubServer
    from tests.trainer.conftest import Machine

SCORE = "metrics/mAP50-95(B)"
OTHERS = 499
EPOCHS = 500
MAY = ("summary:text-is('Stop')", "summary:text-is('Edit')", "button:text-is('Delete the run')", "nav a[href='/users']")
POINTS = "() => document.querySelector('.js-plotly-plot')?.data[0].x.length ?? 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """A hub with many runs, and a viewer's key for it."""

    hub: HubServer
    viewer_key: str
    running_id: str


@pytest.fixture
def crowd(start_hub: Callable[[Path], HubServer], tmp_path: Path) -> Crowd:
    folder = tmp_path / "hub"
    with open_folder(folder) as opened:
        store = opened.store
        owner = store.create_user("ada", "admin").user_id
        for number in range(OTHERS):
            run = {"startedAt": store.clock() - 3600, "epochs": 10, "project": "old", "args": {"imgsz": 640}}
            model = store.create_model({"meta": {"name": f"old-{number}"}, "run": run}, owner=owner)
            if number < 10:
                store.put_metrics(model.id, {epoch: {SCORE: epoch / 20} for epoch in range(10)})
        store.set_state(model.id, "running", at=store.clock())
        viewer_key = store.create_key(store.create_user("vera", "viewer").user_id)
    return Crowd(hub=start_hub(folder), viewer_key=viewer_key, running_id=model.id)


@contextmanager
def signed_in(browser: Browser, hub: HubServer, key: str) -> Iterator[Page]:
    with browser.new_context(base_url=hub.url) as context:
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.goto("/")
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        yield page


def test_person_finds_follows_stops_compares_takes_away_and_deletes_a_training(
    machine: Machine, browser: Browser, crowd: Crowd
) -> None:
    hub = crowd.hub
    env = {"HUB_CALLBACKS_API_URL": hub.url, "HUB_CALLBACKS_API_KEY": hub.key}
    machine = replace(machine, env={**machine.env, **env})
    command = (str(machine.python), "-c", machine.script(epochs=EPOCHS, imgsz=32, patience=EPOCHS))
    with machine.start(*command) as training, signed_in(browser, hub, hub.key) as page:
        expect(page.get_by_text("500 runs")).to_be_visible(timeout=120_000)  # the training's own is among them
        page.get_by_label("Search runs").fill("mine")
        page.get_by_label("Only runs with these values").fill(f"imgsz = 32, epochs >= {EPOCHS}")
        page.keyboard.press("Enter")
        expect(page.locator("tbody .name")).to_have_count(1)
        page.get_by_role("link", name="mine").click()
        page.wait_for_function(f"() => ({POINTS})() >= 2", timeout=120_000)
        seen = page.evaluate(POINTS)
        page.wait_for_function(f"before => ({POINTS})() > before", arg=seen)
        page.locator("summary", has_text="Stop").click()
        page.get_by_role("button", name="Stop the training").click()
        machine.ended(training, timeout_s=120)
        expect(page.locator(".run-head .state")).to_have_text("stopped", timeout=30_000)
        run_id = page.url.rpartition("/")[2]
        assert_taken_away(page, machine)
        assert_compared(page, run_id)
        assert_deleted_and_back(page, hub, run_id)
        page.get_by_role("button", name="Sign out").click()
        page.goto(wire.page(run_id))
        expect(page).to_have_title(re.compile("Sign in"))


def assert_taken_away(page: Page, machine: Machine) -> None:
    """best.pt and the CSV of the page are the files of the training."""
    receipt = page.get_by_text(re.compile(r"^(\d+)/\1 epochs, best.pt acknowledged$"))
    expect(receipt).to_be_visible(timeout=90_000)  # a run that is over is asked for ever more slowly
    with page.expect_download() as best:
        page.get_by_role("link", name="Download best.pt").click()
    assert best.value.path().read_bytes() == (machine.save_dir / "weights" / "best.pt").read_bytes()
    with page.expect_download() as numbers:
        page.get_by_role("link", name="as CSV").click()
    taken, written = columns(numbers.value.path()), columns(machine.save_dir / "results.csv")
    written.pop("time")  # of the epoch's end: not a metric
    assert list(taken) == list(written)
    assert 0 < len(written[SCORE]) < EPOCHS, "it was not stopped"
    for name, values in written.items():
        assert taken[name] == pytest.approx(values, rel=1e-4), name  # results.csv has six digits


def columns(path: Path) -> dict[str, list[float]]:
    with path.open(encoding="utf-8") as file:
        lines = [{name.strip(): float(value) for name, value in line.items()} for line in csv.DictReader(file)]
    return {name: [line[name] for line in lines] for name in lines[0]}


def assert_compared(page: Page, run_id: str) -> None:
    page.goto("/?sort=score")
    for box in (page.locator(f"input[value='{run_id}']"), *page.get_by_role("checkbox", name="Select old-").all()[:2]):
        box.check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("3 runs compared")
    lines = f"""() => document.querySelector('.plot[data-metric="{SCORE}"]')?.data?.length"""
    page.wait_for_function(f"() => ({lines})() === 3")


def assert_deleted_and_back(page: Page, hub: HubServer, run_id: str) -> None:
    page.goto(wire.page(run_id))
    page.locator("summary", has_text="Edit").click()
    page.get_by_role("button", name="Delete the run").click()
    expect(page.get_by_text("mine was deleted")).to_be_visible()
    assert hub.send("GET", wire.model(run_id)).status_code == 404
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("mine")


def test_viewer_is_offered_nothing_that_is_not_allowed_and_its_routes_refuse(browser: Browser, crowd: Crowd) -> None:
    path = wire.page(crowd.running_id)
    for key, count in ((crowd.hub.key, 1), (crowd.viewer_key, 0)):
        with signed_in(browser, crowd.hub, key) as page:
            page.goto(path)
            expect(page.get_by_role("heading", level=1)).to_have_text(f"old-{OTHERS - 1}")
            for place in MAY:
                expect(page.locator(place)).to_have_count(count)
    with signed_in(browser, crowd.hub, crowd.viewer_key) as page:
        page.goto("/projects")
        expect(page.get_by_role("button", name="Make")).to_have_count(0)
        for forbidden in ("/users", "/projects"):
            reply = page.request.post(forbidden, form={"name": "x"}, headers={"origin": crowd.hub.url})
            assert reply.status == 403, forbidden
        page.goto(path)
        for action in ("stop", "edit", "delete"):
            reply = page.request.post(f"{path}/{action}", form={"name": "taken"}, headers={"origin": crowd.hub.url})
            assert reply.status == 403, action
        page.request.post(f"{path}/restore", headers={"origin": crowd.hub.url})
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"old-{OTHERS - 1}")
    headers = {wire.API_KEY_HEADER: crowd.viewer_key}
    asked = {"DELETE": wire.model(crowd.running_id), "PATCH": wire.model(crowd.running_id)}
    assert [crowd.hub.send(method, path, json={}, headers=headers).status_code for method, path in asked.items()] == [
        403,
        403,
    ]
