from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.browser.conftest import Trainer, Watch
    from tests.hubs import HubServer

SCORE = "metrics/mAP50-95(B)"
DRAWN = """metric => document.querySelector(`.plot[data-metric="${metric}"]`)
    ?.data?.map(({ name, x, y, visible, line }) => ({ name, x, y, visible, dash: line.dash }))"""


def drawn(page: Page, metric: str) -> list[dict[str, Any]]:
    page.wait_for_function(f"metric => ({DRAWN})(metric)", arg=metric)
    lines: list[dict[str, Any]] = page.evaluate(DRAWN, metric)
    return lines


def start(trainer: Trainer, name: str, scores: list[float], **args: Any) -> str:
    model_id = trainer.start(name, args={"imgsz": 640, **args})
    trainer.send(model_id, {epoch: {SCORE: score, "lr/pg0": 0.1} for epoch, score in enumerate(scores)})
    return model_id


@pytest.fixture
def three(trainer: Trainer) -> list[str]:
    runs = {"slow": ([0.1, 0.2], 0.001), "good": ([0.3, 0.9, 0.5], 0.01), "lost": ([0.2], 0.1)}
    return [start(trainer, name, scores, lr0=lr0) for name, (scores, lr0) in runs.items()]


def address(model_ids: list[str]) -> str:
    return "/compare?" + "&".join(f"run={model_id}" for model_id in model_ids)


def test_selected_runs_are_compared_at_an_address_that_says_which(page: Page, trainer: Trainer) -> None:
    ids = {name: start(trainer, f"chosen-{name}", [0.5]) for name in "abc"}
    page.goto("/?q=chosen")
    expect(page.get_by_text("selected")).to_be_hidden()
    page.get_by_role("checkbox", name="Select chosen-a").check()
    expect(page.get_by_role("button", name="Compare")).to_be_disabled()
    page.get_by_role("checkbox", name="Select chosen-c").check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 runs compared")
    assert page.url.endswith(address([ids["a"], ids["c"]]))


def test_runs_are_selected_and_compared_by_keyboard_alone(page: Page, trainer: Trainer) -> None:
    for name in "ab":
        start(trainer, f"keyed-{name}", [0.5])
    page.goto("/?q=keyed")
    page.get_by_role("checkbox", name="Select keyed-b").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="keyed-b")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Compare")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("2 runs compared")
    drawn(page, SCORE)
    page.locator("[data-run]").first.focus()
    page.keyboard.press("Space")
    expect(page.locator("[data-run]").first).to_have_attribute("aria-pressed", "false")


def test_selection_outlasts_a_turn_of_the_page(page: Page, trainer: Trainer) -> None:
    for number in range(51):
        trainer.start(f"picked-{number:02}")
    page.goto("/?q=picked")
    page.get_by_role("checkbox", name="Select picked-50").check()
    page.get_by_role("link", name="Next").click()
    page.get_by_role("checkbox", name="Select picked-00").check()
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("link", name="Previous").click()
    expect(page.get_by_role("checkbox", name="Select picked-50")).not_to_be_checked()


def test_compare_draws_a_line_of_every_run_in_a_chart_for_each_metric(page: Page, three: list[str]) -> None:
    page.goto(address(three))
    assert [(line["name"], line["x"], line["y"]) for line in drawn(page, SCORE)] == [
        ("slow", [1, 2], [0.1, 0.2]),
        ("good", [1, 2, 3], [0.3, 0.9, 0.5]),
        ("lost", [1], [0.2]),
    ]
    expect(page.locator("h3")).to_have_text(["mAP50-95(B)", "lr/pg0"])


def test_compare_puts_the_arguments_that_differ_first(page: Page, three: list[str]) -> None:
    page.goto(address(three))
    table = page.get_by_role("table", name="Where the runs differ")
    expect(table.locator("tbody tr")).to_have_count(1)
    expect(table.locator("tbody tr")).to_contain_text("0.001")
    page.get_by_text("1 the same in all").click()
    expect(page.get_by_role("row", name="imgsz 640")).to_be_visible()


def test_compare_marks_the_best_of_each_metric(page: Page, three: list[str]) -> None:
    page.goto(address(three))
    bests = page.get_by_role("region", name="Best values")
    expect(bests.locator("strong")).to_have_text(["0.9000"])
    expect(bests.get_by_role("row", name="good").locator("strong")).to_have_count(1)


def test_compare_hides_a_run_in_every_chart(page: Page, three: list[str]) -> None:
    page.goto(address(three))
    drawn(page, SCORE)
    page.locator(f"[data-run='{three[1]}']").click()
    for metric in (SCORE, "lr/pg0"):
        assert [line["visible"] for line in drawn(page, metric)] == [True, False, True]


def test_compare_follows_a_run_that_trains(page: Page, trainer: Trainer, three: list[str]) -> None:
    page.goto(address(three))
    drawn(page, SCORE)
    trainer.send(three[2], {1: {SCORE: 0.95}})
    page.wait_for_function(f"metric => ({DRAWN})(metric)[2].y.length === 2", arg=SCORE)
    expect(page.get_by_role("region", name="Best values").locator("strong")).to_have_text(["0.9500"])


def test_compare_of_20_runs_tells_them_apart_by_colour_and_kind_of_line(page: Page, trainer: Trainer) -> None:
    page.goto(address([start(trainer, f"many-{number}", [0.1 * number]) for number in range(20)]))
    lines = drawn(page, SCORE)
    assert [lines[place]["dash"] for place in (0, 6, 12, 18)] == ["solid", "dash", "dot", "dashdot"]
    colours = page.eval_on_selector_all(
        "[data-run]", "all => all.map((one) => getComputedStyle(one).getPropertyValue('--curve') + one.dataset.dash)"
    )
    assert len(set(colours)) == 20


@pytest.mark.parametrize(
    ("number", "status", "words"),
    [
        (0, 422, "0 were chosen"),
        (1, 422, "compares 2 to 20 runs, and 1 were chosen"),
        (21, 422, "21 were chosen"),
        (3, 404, "Not on this hub: AAAAAAAAAAAAAAAAAAAA, BBBBBBBBBBBBBBBBBBBB"),
    ],
)
def test_compare_says_why_it_cannot(page: Page, watch: Watch, number: int, status: int, words: str) -> None:
    reply = page.goto(address([letter * 20 for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:number]]))
    assert reply is not None
    assert reply.status == status
    expect(page.get_by_role("main")).to_contain_text(words)
    watch.forgive(f"status of {status}")


def test_compare_leaves_out_runs_that_are_gone_and_says_so(page: Page, three: list[str]) -> None:
    page.goto(address([*three[:2], "A" * 20]))
    expect(page.get_by_role("heading", level=1)).to_have_text("2 runs compared")
    expect(page.get_by_text(f"Not on this hub, and left out: {'A' * 20}")).to_be_visible()


def test_compare_works_with_scripts_off(
    hub: HubServer, new_page: Callable[..., Page], trainer: Trainer, three: list[str]
) -> None:
    page = new_page(hub, java_script_enabled=False)
    for name in ("still-a", "still-b"):
        start(trainer, name, [0.25])
    page.goto("/?q=still")
    page.get_by_role("checkbox", name="Select still-a").check()
    page.get_by_role("checkbox", name="Select still-b").check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("row", name="still-a")).to_contain_text("0.2500")
    page.goto(address(three))
    expect(page.get_by_role("table", name="Where the runs differ")).to_be_visible()
    expect(page.locator(".plot").first).to_be_hidden()


def test_live_part_of_compare_answers_401_without_a_session(hub: HubServer, visitor: Page, watch: Watch) -> None:
    reply = visitor.goto(f"/live/compare?run={wire.new_id()}")
    assert reply is not None
    assert reply.status == 401
    watch.forgive("status of 401")
