from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, Page, expect

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.browser.conftest import Trainer
    from tests.hubs import HubServer


@pytest.fixture
def two(trainer: Trainer) -> list[str]:
    ids = [trainer.start(f"taken-{name}") for name in "ab"]
    for number, model_id in enumerate(ids):
        trainer.send(model_id, {epoch: {"train/box_loss": number + epoch / 4} for epoch in range(3)})
    return ids


def download(page: Page, button: Locator) -> tuple[str, str]:
    with page.expect_download() as download:
        button.click()
    return download.value.suggested_filename, download.value.path().read_text(encoding="utf-8")


def test_page_of_a_run_gives_its_metrics(page: Page, two: list[str]) -> None:
    page.goto(wire.page(two[0]))
    name, text = download(page, page.get_by_role("link", name="as CSV"))
    assert (name, text) == ("taken-a.csv", "epoch,train/box_loss\n1,0.0\n2,0.25\n3,0.5\n")
    name, text = download(page, page.get_by_role("link", name="as JSON"))
    assert (name, len(json.loads(text))) == ("taken-a.json", 3)
    with page.expect_download() as parquet:
        page.get_by_role("link", name="as Parquet").click()
    assert parquet.value.path().read_bytes().startswith(b"PAR1")


@pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "no-scripts"])
def test_selection_in_the_table_gives_its_metrics(
    hub: HubServer, new_page: Callable[..., Page], two: list[str], has_scripts: bool
) -> None:
    page = new_page(hub, java_script_enabled=has_scripts)
    page.goto("/?q=taken")
    for box in page.get_by_role("checkbox", name="Select taken").all()[:2]:
        box.check()
    name, text = download(page, page.get_by_role("button", name="as CSV"))
    rows = list(csv.DictReader(text.splitlines()))
    assert (name, sorted({row["run_id"] for row in rows})) == ("2-runs.csv", sorted(two))


def test_page_that_compares_gives_the_metrics_of_its_runs(page: Page, two: list[str]) -> None:
    page.goto(f"/compare?run={two[0]}&run={two[1]}")
    _, text = download(page, page.get_by_role("link", name="as CSV"))
    assert [row["name"] for row in csv.DictReader(text.splitlines())] == ["taken-a"] * 3 + ["taken-b"] * 3
    expect(page.get_by_role("heading", level=1)).to_be_visible()
