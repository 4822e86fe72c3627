from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.browser.conftest import Trainer

ROWS = {
    epoch: {
        "train/box_loss": 2.0 - 0.1 * epoch,
        "val/box_loss": 2.5 + (-1) ** epoch,
        "metrics/mAP50-95(B)": 0.7 if epoch == 5 else 0.1 + 0.01 * epoch,
        "lr/pg0": 0.1 / (epoch + 1),
    }
    for epoch in range(8)
}
PLOT = """title => {
    const card = [...document.querySelectorAll(".chart")].find((one) => one.querySelector("h3").textContent === title);
    const { data, layout } = card.querySelector(".plot");
    return { data, layout };
}"""
RANGES = "() => [...document.querySelectorAll('.plot')].map((plot) => plot.layout.xaxis.range.map(Math.round))"


def plot(page: Page, title: str) -> dict[str, Any]:
    drawn: dict[str, Any] = page.evaluate(PLOT, title)
    return drawn


@pytest.fixture
def charts(page: Page, trainer: Trainer) -> Page:
    model_id = trainer.start("charted")
    trainer.send(model_id, ROWS)
    page.goto(wire.page(model_id))
    page.wait_for_function("() => document.querySelectorAll('.plot .scatterlayer').length === 3")
    return page


def test_best_epoch_is_named_and_marked_in_every_chart(charts: Page) -> None:
    expect(charts.get_by_text("best: epoch 6")).to_be_visible()
    for title in ("Box loss", "mAP", "Learning rate"):
        [line] = plot(charts, title)["layout"]["shapes"]
        assert (line["x0"], line["x1"]) == (6, 6)


def test_hover_shows_the_values_of_that_epoch_in_every_chart(charts: Page) -> None:
    box = charts.locator(".chart .nsewdrag").first.bounding_box()
    assert box
    charts.mouse.move(box["x"] + 1, box["y"] + box["height"] / 2)
    expect(charts.locator("#hovered")).to_have_text("epoch 1")
    expect(charts.locator("[data-metric='train/box_loss'] b")).to_have_text("2.0000")
    expect(charts.locator("[data-metric='lr/pg0'] b")).to_have_text("0.1000")
    expect(charts.locator(".plot .spikeline")).to_have_count(6)  # each is a line and its outline
    charts.mouse.move(0, 0)
    expect(charts.locator("#hovered")).to_be_empty()
    expect(charts.locator("[data-metric='lr/pg0'] b")).to_have_text("0.0125")


def test_zoom_is_the_same_in_every_chart_until_a_double_click(charts: Page) -> None:
    area = charts.locator(".chart .nsewdrag").first
    box = area.bounding_box()
    assert box
    whole = charts.evaluate(RANGES)
    charts.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.5)
    charts.mouse.down()
    charts.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.5, steps=5)
    charts.mouse.up()
    charts.wait_for_function(
        f"() => {{ const all = ({RANGES})(); return all.every(([low, high]) => low === 3 && high === 6); }}"
    )
    area.dblclick()
    charts.wait_for_function(f"whole => JSON.stringify(({RANGES})()) === JSON.stringify(whole)", arg=whole)


def test_smoothing_keeps_what_was_measured_in_sight_and_is_remembered(charts: Page) -> None:
    charts.get_by_label("Smoothing").fill("0.9")
    charts.wait_for_function("() => document.querySelector('.plot').data.length === 4")
    raw, smoothed = plot(charts, "Box loss")["data"][2:]
    assert raw["y"][:4] == [3.5, 1.5, 3.5, 1.5]
    assert smoothed["y"][0] == pytest.approx(3.5)
    assert smoothed["y"][1] == pytest.approx((3.5 * 0.9 + 1.5) / 1.9)
    charts.reload()
    charts.wait_for_function("() => document.querySelector('.plot').data?.length === 4")
    expect(charts.get_by_label("Smoothing")).to_have_value("0.9")


def test_log_scale_is_for_every_chart(charts: Page) -> None:
    charts.get_by_label("Log scale").check()
    charts.wait_for_function("() => document.querySelector('.plot').layout.yaxis.type === 'log'")
    assert plot(charts, "Learning rate")["layout"]["yaxis"]["type"] == "log"
