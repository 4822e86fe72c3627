"""The last validations of several runs beside each other, on the page that compares them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.browser.conftest import Trainer
    from tests.hubs import HubServer

SCORE = "metrics/mAP50-95(B)"
AT = [0.0, 0.5, 1.0]
DRAWN = """place => document.querySelector(place)?.data?.map(
    ({ name, x, y, z, line }) => ({ name, x, y, z, dash: line?.dash }))"""
CURVES, MATRICES = "#drawing-curves .plot", "#drawing-matrices"
CONTRAST = """(names) => {
    const style = getComputedStyle(document.documentElement);
    const light = (name) => {
        const hex = style.getPropertyValue(name).trim();
        const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
            .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    return names.map((name) => {
        const [low, high] = [light("--text"), light(name)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    });
}"""


def curve(title: str, **lines: list[float]) -> dict[str, Any]:
    x, y = ("Recall", "Precision") if title.startswith("Precision-Recall") else ("Confidence", title[:2])
    named = [{"name": name.replace("_", " "), "values": values} for name, values in lines.items()]
    return {"title": title, "x": x, "y": y, "at": AT, "lines": named}


RUNS: dict[str, dict[str, Any]] = {
    "first": {
        "curves.json": {
            "curves": [
                curve("Precision-Recall(B)", all_classes=[1.0, 0.8, 0.1], disc=[1.0, 0.9, 0.2]),
                curve("F1-Confidence(B)", all_classes=[0.2, 0.7, 0.0], disc=[0.3, 0.8, 0.0]),
            ]
        },
        "confusion_matrix.json": {"names": ["disc", "background"], "counts": [[8, 1], [2, 0]], "classes": 2},
    },
    "second": {
        "curves.json": {"curves": [curve("Precision-Recall(B)", all_classes=[1.0, 0.6, 0.0], ring=[1.0, 0.5, 0.0])]},
        "confusion_matrix.json": {
            "names": ["ring", "disc", "background"],
            "counts": [[3, 1, 0], [0, 4, 1], [1, 5, 0]],
            "classes": 3,
        },
    },
    "bare": {},
}


def start(trainer: Trainer, hub: HubServer, name: str) -> str:
    model_id = trainer.start(name)
    trainer.send(model_id, {0: {SCORE: 0.5}})
    for file, value in RUNS[name].items():
        put(hub, model_id, file, value)
    return model_id


def put(hub: HubServer, model_id: str, file: str, value: object) -> None:
    hub.ask("POST", wire.artifacts(model_id), data={"kind": "data"}, files={"file": (file, json.dumps(value).encode())})


@pytest.fixture
def three(trainer: Trainer, hub: HubServer) -> list[str]:
    return [start(trainer, hub, name) for name in RUNS]


def address(ids: list[str]) -> str:
    return "/compare?" + "&".join(f"run={model_id}" for model_id in ids)


def drawn(page: Page, place: str, until: Callable[[list[dict[str, Any]]], bool] = bool) -> list[dict[str, Any]]:
    """The traces of a plot, as soon as they are as they should be."""
    page.locator(place).scroll_into_view_if_needed()
    page.wait_for_selector(f"{place}.js-plotly-plot")
    for _ in range(50):
        found: list[dict[str, Any]] = page.evaluate(DRAWN, place)
        if found and until(found):
            return found
        page.wait_for_timeout(100)
    raise AssertionError(found)


def test_curves_of_the_runs_are_drawn_over_each_other(page: Page, three: list[str]) -> None:
    page.goto(address(three))
    lines = drawn(page, CURVES)
    assert [(line["name"], line["x"], line["y"]) for line in lines] == [
        ("first", AT, [1.0, 0.8, 0.1]),
        ("second", AT, [1.0, 0.6, 0.0]),
    ]
    page.get_by_role("button", name="F1-Confidence").click()
    assert [line["y"] for line in drawn(page, CURVES)] == [[0.2, 0.7, 0.0]]


def test_curves_of_one_class_are_compared_where_the_runs_have_it(page: Page, three: list[str]) -> None:
    page.goto(address(three))
    drawn(page, CURVES)
    choice = page.get_by_label("Class")
    expect(choice.locator("option")).to_have_text(["all classes", "disc", "ring"])
    choice.select_option("ring")
    assert [line["y"] for line in drawn(page, CURVES)] == [[], [1.0, 0.5, 0.0]]


def test_hover_tells_the_values_of_every_run(page: Page, three: list[str]) -> None:
    page.goto(address(three))
    drawn(page, CURVES)
    box = page.locator(f"{CURVES} .nsewdrag").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.5 / 1.02, box["y"] + box["height"] / 2)
    shown = page.locator(f"{CURVES} .hoverlayer")
    for words in ("Recall 0.500", "first : 0.800", "second : 0.600"):
        expect(shown).to_contain_text(words)


def test_matrices_are_side_by_side_as_shares_counts_and_difference(page: Page, three: list[str]) -> None:
    page.goto(address(three))
    places = [f"#matrix-{model_id} .plot" for model_id in three[:2]]
    (first,) = drawn(page, places[0])
    assert (first["x"], first["z"]) == (["disc", "background"], [[0.8, 1.0], [0.2, 0.0]])
    page.get_by_role("button", name="Counts").click()
    (second,) = drawn(page, places[1])
    assert second["z"] == RUNS["second"]["confusion_matrix.json"]["counts"]
    page.get_by_role("button", name="Difference from the first").click()
    (second,) = drawn(page, places[1])
    assert second["x"] == ["ring", "disc", "background"]
    assert second["z"][0] == [None, None, None]
    assert second["z"][1][1:] == pytest.approx([0.4 - 0.8, 1.0 - 1.0])
    (first,) = drawn(page, places[0])
    assert first["z"] == [[0.8, 1.0], [0.2, 0.0]]
    expect(page.locator(".matrices figure")).to_have_count(2)


def test_run_that_is_hidden_is_hidden_in_its_drawings(page: Page, three: list[str]) -> None:
    page.goto(address(three))
    drawn(page, CURVES)
    page.locator(f"[data-run='{three[0]}'].curve").click()
    assert [line["name"] for line in drawn(page, CURVES, lambda lines: len(lines) == 1)] == ["second"]
    expect(page.locator(f"#matrix-{three[0]}")).to_be_hidden()
    expect(page.locator(f"#matrix-{three[1]}")).to_be_visible()


def test_drawings_come_to_an_open_page_and_keep_what_was_chosen(page: Page, hub: HubServer, three: list[str]) -> None:
    page.goto(address(three))
    drawn(page, CURVES)
    page.get_by_role("button", name="F1-Confidence").click()
    put(hub, three[2], "curves.json", RUNS["first"]["curves.json"])
    lines = drawn(page, CURVES, lambda lines: len(lines) == 2)
    assert [line["name"] for line in lines] == ["first", "bare"]
    expect(page.get_by_role("button", name="F1-Confidence")).to_be_focused()


def test_runs_without_drawings_have_no_place_for_them(page: Page, trainer: Trainer, hub: HubServer) -> None:
    page.goto(address([start(trainer, hub, "bare") for _ in range(2)]))
    expect(page.locator("#bests")).to_contain_text("0.5000")
    expect(page.locator(".drawing")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_in_a_matrix_stand_out_from_every_cell(
    hub: HubServer, new_page: Callable[..., Page], scheme: str
) -> None:
    page = new_page(hub, color_scheme=scheme)
    assert min(page.evaluate(CONTRAST, ["--surface", "--heat", "--cold"])) >= 4.5  # WCAG 2.2, 1.4.3


@pytest.mark.parametrize("width", [390, 1400])
def test_drawings_fit_the_window(hub: HubServer, new_page: Callable[..., Page], three: list[str], width: int) -> None:
    page = new_page(hub, viewport={"width": width, "height": 900})
    page.goto(address(three))
    drawn(page, CURVES)
    drawn(page, f"#matrix-{three[1]} .plot")
    assert page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth") == 0
