from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import requests
from playwright.sync_api import Page, expect

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.browser.conftest import Trainer
    from tests.hubs import HubServer


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def either_page(request: pytest.FixtureRequest, hub: HubServer, new_page: Callable[..., Page]) -> Page:
    """A page with scripts on, and one with scripts off."""
    return new_page(hub, java_script_enabled=request.param)


def test_run_is_renamed_and_moved(either_page: Page, trainer: Trainer) -> None:
    either_page.goto(wire.page(trainer.start("misnamed")))
    either_page.locator("summary", has_text="Edit").click()
    either_page.get_by_label("Name", exact=True).fill("well named")
    either_page.get_by_label("Project").fill("parking")
    either_page.get_by_role("button", name="Save").click()
    expect(either_page.get_by_role("heading", level=1)).to_have_text("well named")
    expect(either_page.locator(".about")).to_contain_text("parking")


def test_run_is_deleted_and_that_is_undone(either_page: Page, hub: HubServer, trainer: Trainer) -> None:
    name = f"unwanted-{wire.new_id()}"
    model_id = trainer.start(name)
    either_page.goto(wire.page(model_id))
    either_page.locator("summary", has_text="Edit").click()
    either_page.get_by_role("button", name="Delete the run").click()
    expect(either_page.get_by_text(f"{name} was deleted")).to_be_visible()
    expect(either_page.get_by_role("link", name=name)).to_have_count(0)
    assert hub.send("GET", wire.model(model_id)).status_code == 404
    either_page.get_by_role("button", name="Undo").click()
    expect(either_page.get_by_role("heading", level=1)).to_have_text(name)
    assert hub.ask("GET", wire.model(model_id))["id"] == model_id


def test_forms_of_other_sites_change_nothing(hub: HubServer, page: Page, trainer: Trainer) -> None:
    model_id = trainer.start("safe")
    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    for action in ("edit", "delete", "stop", "restore"):
        requests.post(
            f"{hub.url}{wire.page(model_id)}/{action}",
            data={"name": "taken"},
            cookies=cookies,
            headers={"origin": "http://example.com"},
            timeout=10,
        )
    assert hub.ask("GET", wire.model(model_id))["meta"]["name"] == "safe"


def test_menu_closes_with_escape_and_a_click_beside_it(page: Page, trainer: Trainer) -> None:
    page.goto(wire.page(trainer.start("menus")))
    edit = page.locator("summary", has_text="Edit")
    edit.click()
    expect(page.get_by_label("Project")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Project")).to_be_hidden()
    expect(edit).to_be_focused()
    edit.click()
    page.get_by_role("heading", level=1).click()
    expect(page.get_by_label("Project")).to_be_hidden()
