"""The README's first command: a real training that ends as a page in the browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.trainer.conftest import Machine

POINTS = """() => [...document.querySelectorAll("#chart-cards .js-plotly-plot")].map(
    chart => Math.max(...chart.data.map(trace => trace.x.length)))"""


def test_demo_ends_with_its_receipt_and_a_page_of_curves(machine: Machine, browser: Browser) -> None:
    output = machine.run(machine.command("hub-callbacks"), "demo", "--epochs", "3")
    assert re.search(r"Receipt: 3/3 epochs, best\.pt, 1\d artifacts acknowledged", output)
    (address,) = re.findall(r"Page: +(http\S+)", output)
    page = browser.new_page()
    page.goto(address)
    page.wait_for_selector(".js-plotly-plot .scatterlayer .trace")
    points = page.evaluate(POINTS)
    assert len(points) >= 5
    assert set(points) == {3}
    assert "token=" not in page.url
    page.close()
