from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from tests.browser.conftest import Trainer, Watch
    from tests.conftest import HubServer


def test_runs_show_how_each_stands(page: Page, trainer: Trainer) -> None:
    model_id = trainer.start("first", epochs=4)
    trainer.send(model_id, {0: {"metrics/mAP50-95(B)": 0.25}, 1: {"metrics/mAP50-95(B)": 0.2}})
    page.goto("/?q=first")
    row = page.get_by_role("row", name="first")
    expect(row.get_by_role("cell")).to_have_text(
        ["first", "running", re.compile(r"2\s*/4"), "0.2500", "yolo11n.pt", "coco8.yaml", "just now"]
    )
    expect(row.locator("time")).to_have_attribute("title", re.compile(r"\d:\d\d"))


def test_runs_say_why_one_failed(page: Page, trainer: Trainer) -> None:
    trainer.end(trainer.start("unlucky"), "failed", "RuntimeError: CUDA out of memory")
    page.goto("/?q=unlucky")
    expect(page.get_by_text("failed", exact=True)).to_have_attribute("title", "RuntimeError: CUDA out of memory")


def test_run_that_starts_appears_by_itself_and_the_focus_stays(page: Page, trainer: Trainer) -> None:
    trainer.start("early-bird")
    page.goto("/?q=bird")
    link = page.get_by_role("link", name="early-bird")
    link.focus()
    trainer.start("late-bird")
    expect(page.get_by_role("link", name="late-bird")).to_be_visible()
    expect(link).to_be_focused()


def test_search_finds_runs_by_name(page: Page, trainer: Trainer) -> None:
    trainer.start("needle-1")
    trainer.start("hay")
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("NEEDLE")
    page.keyboard.press("Enter")
    expect(page.locator("tbody .name")).to_have_text(["needle-1"])
    expect(page.get_by_text("1 run matching")).to_be_visible()
    expect(page).to_have_title("Runs matching NEEDLE · hub-callbacks")


def test_search_that_finds_nothing_says_so(page: Page) -> None:
    page.goto("/?q=<b>nothing")
    expect(page.get_by_role("heading")).to_have_text(["Runs", "No run matches “<b>nothing”"])


def test_runs_come_page_by_page(page: Page, trainer: Trainer) -> None:
    for number in range(51):
        trainer.start(f"paged-{number}")
    page.goto("/?q=paged")
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Older").click()
    expect(page.locator("tbody .name")).to_have_text(["paged-0"])
    page.get_by_role("link", name="Newest").click()
    expect(page.locator("tbody .name").first).to_have_text("paged-50")


def test_page_that_is_not_there_says_so(page: Page, watch: Watch) -> None:
    for path in ("/?cursor=x", "/nowhere"):
        page.goto(path)
        expect(page.get_by_role("heading")).to_contain_text("There is no such page")
        watch.forgive("status of 404")


def test_empty_hub_says_how_to_make_the_first_run_and_shows_it_when_it_comes(
    start_hub: Callable[[Path], HubServer], new_page: Callable[..., Page], tmp_path: Path
) -> None:
    hub = start_hub(tmp_path)
    page = new_page(hub)
    expect(page.get_by_text("hub-callbacks demo")).to_be_visible()
    expect(page.get_by_text(f"HUB_CALLBACKS_API_URL={hub.url}")).to_be_visible()
    hub.ask("POST", "/v1/models", json={"meta": {"name": "the-first"}})
    expect(page.get_by_role("link", name="the-first")).to_be_visible()


def test_pages_work_with_scripts_off(hub: HubServer, trainer: Trainer, new_page: Callable[..., Page]) -> None:
    model_id = trainer.start("still")
    trainer.send(model_id, {0: {"train/box_loss": 1.5}})
    page = new_page(hub, java_script_enabled=False)
    page.goto("/")
    page.get_by_label("Search runs").fill("still")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="still").click()
    expect(page.get_by_role("row", name="train/box_loss")).to_contain_text("1.5000")
    expect(page.locator(".plot")).to_be_hidden()
