"""The pictures of a run on its page, and the curves and the matrix that are drawn from their numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

from hub_callbacks import wire
from hub_callbacks.callbacks.pictures import confusion_matrix, curves
from hub_callbacks.testing.pictures import IMAGES, PLOTS, picture, validator

if TYPE_CHECKING:
    from tests.browser.conftest import Trainer, Watch
    from tests.hubs import HubServer

DATA = {"curves.json": curves(validator()), "confusion_matrix.json": confusion_matrix(validator())}
LOADED = "all => all.filter((one) => one.complete && one.naturalWidth > 0).length"
TRACES = """id => document.querySelector(`#${id} .plot`).data?.map(({ name, x, z, y }) => ({ name, x, y, z }))"""


def put(hub: HubServer, model_id: str, name: str, content: bytes, kind: str = "plot") -> None:
    hub.ask("POST", wire.artifacts(model_id), data={"kind": kind}, files={"file": (name, content)})


@pytest.fixture
def model_id(trainer: Trainer, hub: HubServer) -> str:
    model_id = trainer.start("train3")
    for name in (*PLOTS, *IMAGES):
        put(hub, model_id, name, picture(name), "plot" if name in PLOTS else "image")
    for name, value in DATA.items():
        put(hub, model_id, name, json.dumps(value).encode(), "data")
    return model_id


def traces(page: Page, card: str) -> list[dict[str, Any]]:
    page.locator(f"#{card}").scroll_into_view_if_needed()
    page.wait_for_selector(f"#{card} .plot.js-plotly-plot")
    drawn: list[dict[str, Any]] = page.evaluate(TRACES, card)
    return drawn


def test_every_picture_is_shown_with_its_words(page: Page, model_id: str) -> None:
    page.goto(wire.page(model_id))
    shown = page.locator(".pictures img")
    expect(shown).to_have_count(len((*PLOTS, *IMAGES)))
    for place in range(shown.count()):
        shown.nth(place).scroll_into_view_if_needed()
    page.wait_for_function(f"count => ({LOADED})([...document.querySelectorAll('.pictures img')]) === count", arg=11)
    expect(page.get_by_role("img", name="Precision over recall of boxes")).to_be_visible()
    expect(page.get_by_role("img", name="Validation batch 0: predictions")).to_be_visible()
    assert {one.get_attribute("loading") for one in shown.all()} == {"lazy"}


def test_picture_opens_at_full_size_and_the_keyboard_leads_on_and_back(page: Page, model_id: str) -> None:
    page.goto(wire.page(model_id))
    first = page.locator("[data-picture]").first
    first.focus()
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog", name="Picture")
    expect(viewer.get_by_role("img")).to_have_attribute("alt", "Losses and metrics by epoch")
    assert viewer.get_by_role("img").evaluate("one => one.decode().then(() => one.naturalWidth)") == 48
    page.keyboard.press("ArrowRight")
    expect(viewer).to_contain_text("Precision over recall of boxes (2 of 11)")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(viewer).to_contain_text("(11 of 11)")
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(page.locator("[data-picture]").last).to_be_focused()


def test_viewer_closes_by_its_button_and_shows_the_next_by_a_click(page: Page, model_id: str) -> None:
    page.goto(wire.page(model_id))
    page.locator("[data-picture]").first.click()
    page.get_by_role("button", name="The next picture").click()
    expect(page.get_by_role("dialog")).to_contain_text("(2 of 11)")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_curves_are_drawn_from_their_numbers_one_at_a_time(page: Page, model_id: str) -> None:
    page.goto(wire.page(model_id))
    lines = traces(page, "drawing-curves")
    assert [line["name"] for line in lines] == ["all classes", "disc", "square"]
    wanted = DATA["curves.json"]["curves"]  # type: ignore[index]
    assert lines[1]["y"] == wanted[0]["lines"][1]["values"]
    page.get_by_role("button", name="F1-Confidence").click()
    assert traces(page, "drawing-curves")[1]["y"] == wanted[1]["lines"][1]["values"]
    expect(page.get_by_role("button", name="F1-Confidence")).to_have_attribute("aria-pressed", "true")


def test_confusion_matrix_is_drawn_as_shares_and_as_counts(page: Page, model_id: str) -> None:
    page.goto(wire.page(model_id))
    (shares,) = traces(page, "drawing-matrix")
    assert shares["x"] == ["disc", "square", "background"]
    assert shares["z"][0][0] == pytest.approx(5 / 8)
    page.get_by_role("button", name="Counts").click()
    (counts,) = traces(page, "drawing-matrix")
    assert counts["z"] == [[5, 1, 2], [0, 7, 1], [3, 0, 0]]


def test_pictures_come_to_an_open_page_and_those_there_are_stay(page: Page, trainer: Trainer, hub: HubServer) -> None:
    model_id = trainer.start("train3")
    page.goto(wire.page(model_id))
    expect(page.get_by_role("heading", name="Pictures")).to_have_count(0)
    put(hub, model_id, "results.png", picture("results.png"))
    page.wait_for_selector(".pictures img")
    page.evaluate("() => { window.first = document.querySelector('.pictures img'); }")
    put(hub, model_id, "labels.jpg", picture("labels.jpg"))
    put(hub, model_id, "curves.json", json.dumps(DATA["curves.json"]).encode(), "data")
    expect(page.locator(".pictures img")).to_have_count(2)
    assert page.evaluate("() => window.first === document.querySelector('.pictures img')")
    assert len(traces(page, "drawing-curves")) == 3


def test_page_does_not_jump_when_pictures_load(page: Page, model_id: str, watch: Watch) -> None:
    places = "all => all.map((one) => JSON.stringify(one.getBoundingClientRect()))"
    page.route("**/artifacts/**", lambda route: route.abort())
    page.goto(wire.page(model_id))
    page.wait_for_selector(".pictures li")
    before = page.locator(".pictures li, .drawing").evaluate_all(places)
    page.unroute("**/artifacts/**")
    page.goto(wire.page(model_id))
    page.locator(".pictures img").last.scroll_into_view_if_needed()
    page.wait_for_function("() => [...document.querySelectorAll('.pictures img')].at(-1).naturalWidth > 0")
    traces(page, "drawing-curves")
    traces(page, "drawing-matrix")
    page.evaluate("() => scrollTo(0, 0)")
    assert page.locator(".pictures li, .drawing").evaluate_all(places) == before
    watch.problems.clear()


def test_pictures_need_no_script(model_id: str, hub: HubServer, new_page: Callable[..., Page]) -> None:
    page = new_page(hub, java_script_enabled=False)
    page.goto(hub.url + wire.page(model_id))
    expect(page.get_by_role("img", name="Losses and metrics by epoch")).to_be_visible()
    expect(page.locator(".drawings")).to_be_hidden()
    page.locator("[data-picture]").first.click()
    page.wait_for_url("**/artifacts/*")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_page_with_pictures_fits_the_window(
    hub: HubServer, model_id: str, new_page: Callable[..., Page], scheme: str, width: int
) -> None:
    page = new_page(hub, color_scheme=scheme, viewport={"width": width, "height": 900})
    page.goto(wire.page(model_id))
    traces(page, "drawing-curves")
    traces(page, "drawing-matrix")
    assert page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth") == 0
