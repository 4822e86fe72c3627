from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.browser.conftest import Trainer, Watch
    from tests.hubs import HubServer


def test_runs_show_how_each_stands(page: Page, trainer: Trainer) -> None:
    model_id = trainer.start("first", epochs=4)
    trainer.send(model_id, {0: {"metrics/mAP50-95(B)": 0.25}, 1: {"metrics/mAP50-95(B)": 0.2}})
    page.goto("/?q=first")
    row = page.get_by_role("row", name="first")
    epochs, lasts = re.compile(r"2\s*/4"), re.compile(r"^\s*\d+ s\s*$")  # it goes on
    expect(row.get_by_role("cell")).to_have_text(
        ["", "first", "running", epochs, "0.2500", "", "yolo11n.pt", "coco8.yaml", "just now", lasts]
    )
    expect(row.locator("time")).to_have_attribute("title", re.compile(r"\d:\d\d"))


def test_runs_say_why_one_failed(page: Page, trainer: Trainer) -> None:
    trainer.end(trainer.start("unlucky"), "failed", "RuntimeError: CUDA out of memory")
    page.goto("/?q=unlucky")
    row = page.get_by_role("row", name="unlucky")
    expect(row.locator(".state")).to_have_text("failed")
    expect(row).to_contain_text("RuntimeError: CUDA out of memory")


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
    expect(page.get_by_text("1\N{EN DASH}50 of 51")).to_be_visible()
    page.get_by_role("link", name="Next").click()
    expect(page.locator("tbody .name")).to_have_text(["paged-0"])
    page.get_by_role("link", name="Previous").click()
    expect(page.locator("tbody .name").first).to_have_text("paged-50")


def test_runs_are_sorted_by_a_click_on_a_head(page: Page, trainer: Trainer) -> None:
    for name, value in {"sorted-a": 0.2, "sorted-b": 0.9, "sorted-c": 0.4}.items():
        trainer.send(trainer.start(name), {0: {"metrics/mAP50-95(B)": value}})
    page.goto("/?q=sorted")
    head = page.get_by_role("columnheader", name="Best mAP50-95")
    head.get_by_role("link").click()
    expect(page.locator("tbody .name")).to_have_text(["sorted-b", "sorted-c", "sorted-a"])
    expect(head).to_have_attribute("aria-sort", "descending")
    head.get_by_role("link").click()
    expect(page.locator("tbody .name")).to_have_text(["sorted-a", "sorted-c", "sorted-b"])


def test_runs_are_filtered_by_value_and_state(page: Page, trainer: Trainer) -> None:
    for name, value in {"kept": 0.7, "poor": 0.1}.items():
        model_id = trainer.start(f"filtered-{name}")
        trainer.send(model_id, {0: {"metrics/mAP50-95(B)": value}})
        trainer.end(model_id, "finished")
    trainer.send(trainer.start("filtered-live"), {0: {"metrics/mAP50-95(B)": 0.8}})
    page.goto("/?q=filtered")
    page.get_by_label("Only runs with these values").fill("mAP50-95 > 0.5")
    page.keyboard.press("Enter")
    expect(page.locator("tbody .name")).to_have_text(["filtered-live", "filtered-kept"])
    page.locator("summary", has_text="State").click()
    page.get_by_role("checkbox", name="running").check()
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody .name")).to_have_text(["filtered-live"])
    page.get_by_role("link", name="Show all").click()
    expect(page.get_by_label("Only runs with these values")).to_have_value("")


def test_runs_are_filtered_by_project_as_soon_as_one_is_chosen(page: Page, hub: HubServer) -> None:
    for project in ("zoo", "street"):
        hub.ask("POST", wire.MODELS, json={"meta": {"name": f"in-{project}"}, "run": {"project": project}})
    page.goto("/")
    page.get_by_role("combobox", name="Project").select_option("zoo")
    expect(page).to_have_url(re.compile("project=zoo"))
    expect(page.locator("tbody .name a")).to_have_text(["in-zoo"])


def test_condition_that_cannot_be_read_says_what_to_write(page: Page, watch: Watch) -> None:
    page.goto("/?where=goodness>1")
    expect(page.get_by_role("alert")).to_contain_text("'goodness' is no value of a run")
    watch.forgive("status of 422")


def test_columns_are_chosen_and_kept(page: Page, trainer: Trainer) -> None:
    trainer.start("with-columns", args={"imgsz": 1280})
    page.goto("/?q=with-columns")
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("checkbox", name="Model").uncheck()
    page.get_by_role("checkbox", name="imgsz").check()
    page.get_by_role("button", name="Show").click()
    for _ in range(2):
        expect(page.get_by_role("columnheader", name="imgsz")).to_be_visible()
        expect(page.get_by_role("columnheader", name="Model")).to_have_count(0)
        expect(page.get_by_role("row", name="with-columns")).to_contain_text("1280")
        page.goto("/?q=with-columns")


def test_runs_show_the_curve_of_the_score(page: Page, trainer: Trainer) -> None:
    model_id = trainer.start("curved")
    trainer.send(model_id, {epoch: {"metrics/mAP50-95(B)": value} for epoch, value in enumerate((0.1, 0.3, 0.2))})
    page.goto("/?q=curved")
    line = page.get_by_role("img", name="mAP50-95 from 0.1000 to 0.3000")
    expect(line.locator("path")).to_have_attribute("d", "M2.0 22.0L50.0 2.0L98.0 12.0")


def test_page_that_is_not_there_says_so(page: Page, watch: Watch) -> None:
    page.goto("/?page=99&q=nothing-at-all-has-this")
    expect(page.get_by_role("heading", name="No run matches")).to_be_visible()
    for path in ("/nowhere", "/nowhere/to/be/found"):
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


def test_word_of_a_lost_hub_has_room_on_a_phone(hub: HubServer, new_page: Callable[..., Page], watch: Watch) -> None:
    page = new_page(hub, viewport={"width": 390, "height": 844})
    page.route("**/live/**", lambda route: route.abort())
    page.goto("/")
    expect(page.locator("#connection")).to_have_text("The hub does not answer. Trying again.")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    watch.forgive("ERR_FAILED")


def test_conditions_that_cannot_be_read_are_not_asked_for_again(page: Page, watch: Watch) -> None:
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/?where=goodness>1")
    page.wait_for_load_state("networkidle")
    assert not [url for url in asked if "/live/" in url]
    watch.forgive("status of 422")
