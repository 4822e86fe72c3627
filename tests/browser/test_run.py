from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.browser.conftest import Trainer, Watch
    from tests.hubs import HubServer

LOSSES = {
    0: {"train/box_loss": 2.0, "val/box_loss": 2.5, "metrics/mAP50-95(B)": 0.1, "model/GFLOPs": 6.5},
    1: {"train/box_loss": 1.5, "val/box_loss": math.nan, "metrics/mAP50-95(B)": 0.3},
    2: {"train/box_loss": 1.0, "val/box_loss": 2.0, "metrics/mAP50-95(B)": 0.2},
}
CURVES = """title => {
    const card = [...document.querySelectorAll(".chart")].find((one) => one.querySelector("h3").textContent === title);
    return card.querySelector(".plot").data?.map(({ name, x, y, visible }) => ({ name, x, y, visible }));
}"""
POINTS = """([title, wanted]) => {
    const card = [...document.querySelectorAll(".chart")].find((one) => one.querySelector("h3").textContent === title);
    return card?.querySelector(".plot").data?.[0].x.length === wanted;
}"""


def wait_for_points(page: Page, title: str, wanted: int) -> None:
    page.wait_for_function(POINTS, arg=[title, wanted])


def curves(page: Page, title: str) -> list[dict[str, Any]]:
    drawn: list[dict[str, Any]] = page.evaluate(CURVES, title)
    return drawn


@pytest.fixture
def model_id(trainer: Trainer) -> str:
    model_id = trainer.start("train3", epochs=10, args={"imgsz": 64, "workers": 8})
    trainer.send(model_id, LOSSES)
    return model_id


def test_run_draws_train_and_val_together_with_every_point(page: Page, model_id: str) -> None:
    page.goto(wire.page(model_id))
    wait_for_points(page, "Box loss", 3)
    assert curves(page, "Box loss") == [
        {"name": "train", "x": [1, 2, 3], "y": [2, 1.5, 1], "visible": True},
        {"name": "val", "x": [1, 2, 3], "y": [2.5, None, 2], "visible": True},
    ]
    expect(page.locator(".plot .scatterlayer .trace")).to_have_count(3)


def test_run_shows_a_value_that_is_not_finite_as_a_gap_and_says_where(page: Page, model_id: str) -> None:
    page.goto(wire.page(model_id))
    expect(page.get_by_text("not finite: epoch 2")).to_be_visible()


def test_run_shows_epochs_that_never_came_as_a_gap(page: Page, trainer: Trainer) -> None:
    model_id = trainer.start("gappy")
    trainer.send(model_id, {epoch: {"lr/pg0": 0.1} for epoch in (0, 1, 5)})
    page.goto(wire.page(model_id))
    wait_for_points(page, "Learning rate", 4)
    assert curves(page, "Learning rate") == [
        {"name": "pg0", "x": [1, 2, 3, 6], "y": [0.1, 0.1, None, 0.1], "visible": True}
    ]


def test_open_page_grows_while_rows_arrive_without_a_reload(page: Page, trainer: Trainer, model_id: str) -> None:
    page.goto(wire.page(model_id))
    wait_for_points(page, "Box loss", 3)
    page.evaluate("() => { window.isSamePage = true; }")
    trainer.send(model_id, {3: {"train/box_loss": 0.9, "val/box_loss": 1.9, "train/cls_loss": 3.0}})
    wait_for_points(page, "Box loss", 4)
    wait_for_points(page, "Cls loss", 1)
    expect(page.locator("dd .count")).to_contain_text("4/10")
    assert page.evaluate("() => window.isSamePage")


def test_open_page_takes_in_rows_that_come_late_or_again(page: Page, trainer: Trainer, model_id: str) -> None:
    trainer.send(model_id, {6: {"train/box_loss": 0.4}})
    page.goto(wire.page(model_id))
    wait_for_points(page, "Box loss", 5)
    trainer.send(model_id, {epoch: {"train/box_loss": 0.5} for epoch in (3, 4, 5, 6)})
    wait_for_points(page, "Box loss", 7)
    assert curves(page, "Box loss")[0]["y"] == [2, 1.5, 1, 0.5, 0.5, 0.5, 0.5]


def test_hidden_curve_stays_hidden_while_rows_arrive(page: Page, trainer: Trainer, model_id: str) -> None:
    page.goto(wire.page(model_id))
    wait_for_points(page, "Box loss", 3)
    button = page.locator("[data-metric='val/box_loss']")
    button.click()
    trainer.send(model_id, {3: {"train/box_loss": 0.9, "val/box_loss": 1.9}})
    wait_for_points(page, "Box loss", 4)
    assert [curve["visible"] for curve in curves(page, "Box loss")] == [True, False]
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(button).to_be_focused()


def test_zoom_stays_while_rows_arrive(page: Page, trainer: Trainer, model_id: str) -> None:
    page.goto(wire.page(model_id))
    wait_for_points(page, "Box loss", 3)
    box = page.locator(".chart .nsewdrag").first.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5, steps=5)
    page.mouse.up()
    zoomed = "() => document.querySelector('.plot').layout.xaxis.autorange === false"
    page.wait_for_function(zoomed)
    trainer.send(model_id, {3: {"train/box_loss": 0.9, "val/box_loss": 1.9}})
    wait_for_points(page, "Box loss", 4)
    assert page.evaluate(zoomed)


def test_chart_offers_to_zoom_and_to_save_but_not_to_share(page: Page, model_id: str) -> None:
    page.goto(wire.page(model_id))
    wait_for_points(page, "Box loss", 3)
    buttons = page.locator(".chart").first.locator(".modebar-btn")
    titles = buttons.evaluate_all("all => all.map((one) => one.dataset.title)")
    assert titles == ["Zoom", "Pan", "Reset axes", "Download plot as a PNG"]


def test_open_page_says_when_the_hub_does_not_answer_and_goes_on_when_it_does(
    page: Page, trainer: Trainer, model_id: str, watch: Watch
) -> None:
    page.goto(wire.page(model_id))
    wait_for_points(page, "Box loss", 3)
    page.route("**/live/**", lambda route: route.abort())
    expect(page.get_by_role("status")).to_have_text("The hub does not answer. Trying again.")
    page.unroute("**/live/**")
    trainer.send(model_id, {3: {"train/box_loss": 0.9}})
    wait_for_points(page, "Box loss", 4)
    expect(page.get_by_role("status")).to_be_empty()
    watch.forgive("ERR_FAILED")


def test_run_that_ends_says_so_on_the_open_page(page: Page, trainer: Trainer, model_id: str) -> None:
    page.goto(wire.page(model_id))
    expect(page.locator(".run-head .state")).to_have_text("running")
    trainer.end(model_id, "failed", "RuntimeError: no luck")
    expect(page.locator(".run-head .state")).to_have_text("failed")
    expect(page.locator("p.reason")).to_have_text("RuntimeError: no luck")


def test_run_shows_every_state_that_it_was_in_and_what_the_hub_has_of_it(
    page: Page, trainer: Trainer, model_id: str, checkpoint: bytes
) -> None:
    page.goto(wire.page(model_id))
    states = page.get_by_role("region", name="States").get_by_role("listitem")
    expect(states).to_have_count(1)
    expect(page.get_by_text("3/3 epochs", exact=True)).to_be_visible()
    trainer.upload(model_id, checkpoint, epoch=2)
    trainer.end(model_id, "failed", "RuntimeError: no luck")
    expect(states).to_have_count(2)
    expect(states.first).to_contain_text("failed")
    expect(states.first).to_contain_text("RuntimeError: no luck")
    expect(states.last).to_contain_text("running")
    expect(page.get_by_text("3/3 epochs, best.pt acknowledged")).to_be_visible()


def test_run_leads_with_the_arguments_that_were_changed(page: Page, model_id: str) -> None:
    page.goto(wire.page(model_id))
    changed = page.get_by_role("table", name="Changed from Ultralytics' defaults")
    expect(changed.locator("tbody tr")).to_have_count(1)
    expect(changed.locator("tbody tr")).to_contain_text("imgsz")
    page.get_by_text("1 other", exact=True).click()
    expect(page.get_by_role("row", name="workers 8")).to_be_visible()
    expect(page.get_by_text("GFLOPs")).to_be_visible()


def test_download_gives_the_bytes_that_were_uploaded(
    page: Page, trainer: Trainer, model_id: str, checkpoint: bytes
) -> None:
    trainer.upload(model_id, checkpoint, epoch=2)
    page.goto(wire.page(model_id))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download best.pt of epoch 3").click()
    assert download.value.path().read_bytes() == checkpoint


def test_checkpoint_shows_its_whole_hash_on_hover(
    page: Page, trainer: Trainer, model_id: str, checkpoint: bytes
) -> None:
    trainer.upload(model_id, checkpoint)
    page.goto(wire.page(model_id))
    digest = hashlib.sha256(checkpoint).hexdigest()
    expect(page.get_by_role("button", name=digest[:8])).to_have_attribute("title", digest)


def test_run_without_an_epoch_waits_and_then_draws(page: Page, trainer: Trainer) -> None:
    model_id = trainer.start("fresh")
    page.goto(wire.page(model_id))
    expect(page.get_by_text("Waiting for the first epoch")).to_be_visible()
    trainer.send(model_id, {0: {"train/box_loss": 2.0}})
    wait_for_points(page, "Box loss", 1)


def test_run_that_is_not_there_says_so(page: Page, watch: Watch) -> None:
    page.goto(wire.page("a" * 20))
    expect(page.get_by_role("heading")).to_have_text("This run is not here")
    expect(page.get_by_role("link", name="All runs")).to_be_visible()
    watch.forgive("status of 404")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_pages_fit_the_window(
    hub: HubServer, model_id: str, new_page: Callable[..., Page], scheme: str, width: int
) -> None:
    page = new_page(hub, color_scheme=scheme, viewport={"width": width, "height": 900})
    overhang = "() => document.documentElement.scrollWidth - window.innerWidth"
    assert page.evaluate(overhang) == 0
    page.goto(wire.page(model_id))
    wait_for_points(page, "Box loss", 3)
    assert page.evaluate(overhang) == 0
