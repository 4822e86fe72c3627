"""How long the hub's pages take with many runs, on the server and in Chromium."""

from __future__ import annotations

import math
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import insert, select

from figures import Figure
from hub_callbacks import wire
from hub_callbacks.server.folder import open_folder
from hub_callbacks.server.store import Store
from hub_callbacks.server.store.schema import metrics, models
from hub_process import serving

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NAMES = (
    *("train/box_loss", "train/cls_loss", "train/dfl_loss", "val/box_loss", "val/cls_loss", "val/dfl_loss"),
    *("metrics/precision(B)", "metrics/recall(B)", "metrics/mAP50(B)", "metrics/mAP50-95(B)"),
    *("lr/pg0", "lr/pg1", "lr/pg2", "train/seg_loss", "val/seg_loss"),
)
ARGUMENTS = 110  # of a training of Ultralytics
FEW_EPOCHS, MANY_EPOCHS, COMPARED = 40, 1000, 20
SEARCHES = {
    "first page": "/",
    "sorted by the score": "/?sort=score",
    "found by name and value": "/?q=run-9&where=mAP50-95+%3E+0.5",
    "the last page": "/?page=200",
}
ROWS = "() => document.querySelectorAll('tbody tr').length > 0"
CHARTS = """() => {
    const shown = [...document.querySelectorAll(".plot")].filter((one) => one.getBoundingClientRect().y < innerHeight);
    return shown.length > 0 && shown.every((one) => one.querySelector(".scatterlayer .trace"));
}"""


def measure(*, runs: int, rounds: int) -> Iterator[Figure]:
    """Figures of a hub with so many runs, medians of so many calls."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        long_runs = fill(Path(folder), runs)
        yield from timings(Path(folder), runs, long_runs, rounds)


def fill(folder: Path, runs: int) -> list[str]:
    """Make the runs; the ids of those with many epochs."""
    with open_folder(folder) as opened:
        store = opened.store
        owner = store.create_user("ada", "admin").user_id
        long_runs = [start(store, owner, f"long-{number}", MANY_EPOCHS) for number in range(COMPARED)]
        template = start(store, owner, "template", FEW_EPOCHS)
        copy(store, template, runs - COMPARED - 1)
    return long_runs


def start(store: Store, owner: str, name: str, epochs: int) -> str:
    args = {f"argument_{number}": number for number in range(ARGUMENTS)} | {"imgsz": 640, "name": name}
    run = {"startedAt": time.time() - 1e6, "epochs": epochs, "project": "bench", "task": "detect", "args": args}
    body = {"meta": {"name": name}, "dataset": {"name": "/data/coco.yaml"}, "run": run}
    model_id = store.create_model(body, owner=owner).id
    noise = random.Random(name)
    store.put_metrics(model_id, {epoch: row(epoch / epochs, noise) for epoch in range(epochs)})
    store.set_state(model_id, "finished", at=time.time() - 1e5)
    return model_id


def row(share: float, noise: random.Random) -> dict[str, float]:
    return {name: math.exp(-4 * share) + noise.gauss(0, 0.02) for name in NAMES}


def copy(store: Store, template: str, number: int) -> None:
    """Make so many runs like that one: one by one they would take minutes."""
    with store.database.write() as connection:
        model = dict(connection.execute(select(models).where(models.c.id == template)).one()._mapping)
        seq = model.pop("seq")
        rows = connection.execute(select(metrics.c.epoch, metrics.c.row_json).where(metrics.c.model_seq == seq)).all()
        for place in range(number):
            own = {"id": wire.new_id(), "name": f"run-{place}", "started_at": model["started_at"] + place}
            best = '{"metrics/mAP50-95(B)": %f}' % (place / number)
            connection.execute(insert(models), {**model, **own, "best": best})
        copies = connection.execute(select(models.c.seq).where(models.c.name.like("run-%"))).scalars().all()
        for place in copies:
            connection.execute(
                insert(metrics), [{"model_seq": place, "epoch": epoch, "row_json": text} for epoch, text in rows]
            )


def timings(folder: Path, runs: int, long_runs: Sequence[str], rounds: int) -> Iterator[Figure]:
    compare = "/compare?" + "&".join(f"run={run_id}" for run_id in long_runs)
    with serving(folder) as hub, sync_playwright() as playwright, requests.Session() as session:
        sign_in = requests.post(hub.url + wire.SIGN_IN, headers={wire.API_KEY_HEADER: hub.key}, timeout=30)
        path = str(sign_in.json()["data"]["url"])
        session.get(hub.url + path, timeout=60)
        for what, address in SEARCHES.items():
            value = median(rounds, lambda address=address: fetch(session, hub.url + address))  # type: ignore[misc]
            yield Figure(name=f"{runs} runs, on the server", of=what, value=value * 1000, unit="ms", limit=200)
        shown = {f"a run of {MANY_EPOCHS} epochs x {len(NAMES)}": wire.page(long_runs[0])}
        for what, address in (shown | {f"{COMPARED} such runs compared": compare}).items():
            value = median(rounds, lambda address=address: fetch(session, hub.url + address))  # type: ignore[misc]
            is_one = what in shown
            yield Figure(
                name="a page, on the server", of=what, value=value * 1000, unit="ms", limit=100 if is_one else None
            )
        executable = next(filter(None, map(shutil.which, CHROMIUM)), None)
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        pages = {
            f"{runs} runs": ("/", ROWS, 1.0),
            f"a run of {MANY_EPOCHS} epochs x {len(NAMES)}": (wire.page(long_runs[0]), CHARTS, 1.0),
            f"{COMPARED} such runs compared": (compare, CHARTS, 2.0),
        }
        for what, (address, ready, limit) in pages.items():
            value = median(rounds, lambda a=address, r=ready: visit(browser, hub.url, path, a, r))  # type: ignore[misc]
            yield Figure(name="in Chromium, to usable", of=what, value=value, unit="s", limit=limit)
        browser.close()


def median(rounds: int, timed: Callable[[], float]) -> float:
    timed()  # the first one compiles templates, and fills caches
    return statistics.median(timed() for _ in range(rounds))


def fetch(session: requests.Session, url: str) -> float:
    began_at = time.perf_counter()
    session.get(url, timeout=60).raise_for_status()
    return time.perf_counter() - began_at


def visit(browser: Browser, root: str, sign_in: str, address: str, ready: str) -> float:
    """Seconds from the call of the page to what a reader can use, by a browser that has the hub's scripts already."""
    options: dict[str, Any] = {"base_url": root, "viewport": {"width": 1280, "height": 900}}
    with browser.new_context(**options) as context:
        page = context.new_page()
        page.goto(sign_in)
        page.goto(address)
        page.wait_for_function(ready, timeout=120_000)
        began_at = time.perf_counter()
        page.goto(address)
        page.wait_for_function(ready, timeout=120_000)
        return time.perf_counter() - began_at
