from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.browser.conftest import Trainer
    from tests.hubs import HubServer


def commands(hub: HubServer, model_id: str) -> Any:
    return hub.ask("POST", wire.heartbeat(model_id), json={"agent": "a", "agentId": None})["commands"]


@pytest.fixture
def model_id(trainer: Trainer) -> str:
    return trainer.start("train3")


def press_stop(page: Page) -> None:
    page.locator("summary", has_text="Stop").click()
    page.get_by_role("button", name="Stop the training").click()


def test_stop_is_asked_for_in_two_steps_and_the_page_says_so(page: Page, hub: HubServer, model_id: str) -> None:
    page.goto(wire.page(model_id))
    expect(page.get_by_role("button", name="Stop the training")).to_be_hidden()
    press_stop(page)
    expect(page.get_by_text("Stop asked for")).to_be_visible()
    expect(page.locator("summary", has_text="Stop")).to_have_count(0)
    assert [one["command"] for one in commands(hub, model_id)] == ["stop"]


def test_stop_works_with_scripts_off(new_page: Callable[..., Page], hub: HubServer, model_id: str) -> None:
    page = new_page(hub, java_script_enabled=False)
    page.goto(wire.page(model_id))
    press_stop(page)
    expect(page.get_by_text("Stop asked for")).to_be_visible()
    assert [one["command"] for one in commands(hub, model_id)] == ["stop"]


def test_stop_stays_open_while_the_page_follows_the_run(
    page: Page, hub: HubServer, trainer: Trainer, model_id: str
) -> None:
    page.goto(wire.page(model_id))
    page.locator("summary", has_text="Stop").click()
    trainer.send(model_id, {0: {"train/box_loss": 2.0}})
    expect(page.get_by_role("heading", name="Box loss")).to_be_visible()
    page.get_by_role("button", name="Stop the training").click()
    expect(page.get_by_text("Stop asked for")).to_be_visible()


def test_stop_goes_from_the_open_page_with_the_end_of_the_run(page: Page, trainer: Trainer, model_id: str) -> None:
    page.goto(wire.page(model_id))
    expect(page.locator("summary", has_text="Stop")).to_be_visible()
    trainer.end(model_id, "finished")
    expect(page.locator("summary", has_text="Stop")).to_have_count(0)
