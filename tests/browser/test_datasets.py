"""Data sets in a browser: found, downloaded, and deleted after a question."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.hubs import HubServer


@pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "no-scripts"])
def test_data_set_is_found_downloaded_and_deleted(
    hub: HubServer, new_page: Callable[..., Page], checkpoint: bytes, has_scripts: bool
) -> None:
    name = f"coco8 {wire.new_id()}"
    dataset_id = hub.ask("POST", wire.DATASETS, json={"meta": {"name": name}})["id"]
    model_id = hub.ask("POST", wire.MODELS, json={"meta": {"name": "of coco8"}, "datasetId": dataset_id})["id"]
    page = new_page(hub, java_script_enabled=has_scripts)
    page.goto("/")
    page.get_by_role("link", name="Data sets").click()
    expect(page.get_by_role("row", name=name)).to_contain_text("none yet")
    hub.ask("POST", f"{wire.dataset(dataset_id)}/upload", files={"file": ("coco8.zip", checkpoint)})

    page.goto(wire.page(model_id))
    page.get_by_role("link", name=name).click()
    expect(page.locator("tbody tr")).to_have_count(1)
    with page.expect_download() as started:
        page.get_by_role("link", name=f"Download {name}").click()
    assert started.value.suggested_filename == "coco8.zip"
    assert Path(started.value.path()).read_bytes() == checkpoint

    page.get_by_label(f"Delete {name}").click()
    expect(page.get_by_text("Models that name it keep its name")).to_be_visible()
    assert hub.send("GET", wire.dataset(dataset_id)).ok, "nothing happens before the confirmation"
    page.get_by_role("button", name="Delete the data set").click()
    expect(page.get_by_text("The data set was deleted")).to_be_visible()
    expect(page.locator(f"#dataset-{dataset_id}")).to_have_count(0)
    assert hub.send("GET", wire.dataset(dataset_id)).status_code == 404
    page.goto(wire.page(model_id))
    expect(page.locator(".about")).to_contain_text(name)
