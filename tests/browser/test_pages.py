"""Every page in dark and in light, on a wide screen and on a narrow one: nothing shuts anybody out, nothing overflows.

With ``--screenshots FOLDER`` the pages are also painted, for the documentation (``tox -e screenshots``).
"""

from __future__ import annotations

import io
import json
import math
import random
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.sync_api import Browser, Page, Route

from hub_callbacks import wire
from hub_callbacks.testing.pictures import IMAGES, PLOTS, picture

if TYPE_CHECKING:
    from tests.browser.conftest import Trainer, Watch
    from tests.hubs import HubServer

WIDE, NARROW = 1280, 390
EPOCHS = 60
PAGES = (
    "runs",
    "run",
    "compare",
    "keys",
    "users",
    "user",
    "projects",
    "project",
    "datasets",
    "login",
    "error",
)  # by their templates
DEEPER = ("finished", "beside")  # further down on pages: pictures, and what is drawn from numbers
LATE = (*PAGES[:-2], "finished")  # what has scripts
OTHERS = {"problem": "/?where=goodness>1", "nothing": "/?q=nothing-has-this"}
PAINTED = {  # to what is scrolled there; all but what only says that something is wrong
    "runs": "",
    "run": "",
    "compare": "",
    "beside": "#drawing-curves",
    "keys": "",
    "users": "",
    "user": "",
    "projects": "",
    "project": "",
    "datasets": "",
    "login": "",
}
SERIOUS = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    return violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
        .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => html + failureSummary).join("; ")}`);
}"""
SERIOUS_OPEN = f"""async () => {{
    const all = [...document.querySelectorAll("details:not([open])")];
    for (const one of all) one.open = true;
    try {{ return await ({SERIOUS})(); }} finally {{ for (const one of all) one.open = false; }}
}}"""  # menus, and what is asked before something is gone for good
SHIFTS = """() => new Promise((done) => {
    let sum = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    setTimeout(() => done(sum), 200);
})"""


def row(epoch: int, *, pace: float, top: float, noise: random.Random) -> dict[str, float]:
    """An epoch of a training as they go: losses fall, scores rise, validation is worse than training."""
    left = math.exp(-epoch / (EPOCHS * pace))

    def near(value: float, share: float = 0.02) -> float:
        return round(value * (1 + noise.gauss(0, share)), 5)

    score = top * (1 - left)
    losses = {"box": (0.8, 1.6), "cls": (0.5, 2.6), "dfl": (0.9, 0.9)}
    train = {f"train/{name}_loss": near(low + high * left, 0.01) for name, (low, high) in losses.items()}
    val = {f"val/{name}_loss": near(1.15 * (low + high * left), 0.025) for name, (low, high) in losses.items()}
    scores = {"precision(B)": 0.25 + 0.6 * score, "recall(B)": 0.2 + 0.6 * score, "mAP50(B)": 1.3 * score}
    rates = {f"lr/pg{group}": 0.01 * (1 - epoch / EPOCHS) for group in range(3)}
    named = {f"metrics/{name}": near(value) for name, value in scores.items()}
    return {**train, **named, "metrics/mAP50-95(B)": near(score), **val, **rates}


def drawings(top: float) -> dict[str, dict[str, Any]]:
    """The curves and the confusion matrix of a training that was the better, the higher ``top``."""
    at = [number / 100 for number in range(101)]
    shapes: dict[str, Callable[[float, float], float]] = {
        "Precision-Recall(B)": lambda x, good: max(0.0, 1 - x ** (6 * good)) if x <= 0.45 + good * 0.8 else 0.0,
        "F1-Confidence(B)": lambda x, good: good * 1.2 * (1 - x**4) * (1 - math.exp(-12 * (x + 0.02))),
        "Precision-Confidence(B)": lambda x, good: min(1.0, 0.3 + good * x**0.35),
        "Recall-Confidence(B)": lambda x, good: max(0.0, (0.4 + good) * (1 - x**2.5)),
    }
    classes = {"all classes": 0.0, "car": 0.12, "truck": -0.05, "person": -0.1}
    curves = []
    for title, shape in shapes.items():
        y, _, x = title.removesuffix("(B)").partition("-")
        x, y = ("Recall", "Precision") if x == "Recall" else (x, y)
        lines = [
            {"name": name, "values": [round(shape(place, top + more), 4) for place in at]}
            for name, more in classes.items()
        ]
        curves.append({"title": title, "x": x, "y": y, "at": at, "lines": lines})
    hits = [round(200 * (top + more)) for more in list(classes.values())[1:]]
    rows = [[hits[0], 31, 4, 40], [22, hits[1], 2, 18], [1, 3, hits[2], 25], [60, 35, 48, 0]]
    matrix = {"names": ["car", "truck", "person", "background"], "counts": rows, "classes": 4}
    return {"curves.json": {"curves": curves}, "confusion_matrix.json": matrix}


class Gallery:
    """Runs of every kind, and a path to each page."""

    def __init__(self, trainer: Trainer, checkpoint: bytes) -> None:
        self._trainer, self._noise = trainer, random.Random(8)
        kinds: dict[str, tuple[float, float, dict[str, Any]]] = {
            "baseline": (0.25, 0.52, {"imgsz": 640, "lr0": 0.01, "batch": 16}),
            "large-images": (0.3, 0.61, {"imgsz": 1280, "lr0": 0.01, "batch": 4}),
            "cosine": (0.2, 0.55, {"imgsz": 640, "lr0": 0.02, "batch": 16, "cos_lr": True}),
        }
        chosen = [self._run(name, EPOCHS, *kind) for name, kind in kinds.items()]
        self.runs = chosen
        for model_id in chosen:
            trainer.upload(model_id, checkpoint, epoch=EPOCHS - 1)
            trainer.end(model_id, "finished")
        for model_id, (_, top, _) in zip(chosen, kinds.values(), strict=True):
            for name, value in drawings(top).items():
                self._put(model_id, name, json.dumps(value).encode(), "data")
        for name in (*PLOTS, *IMAGES):
            self._put(chosen[1], name, picture(name), "plot" if name in PLOTS else "image")
        failed = self._run("yolo11x-1280", 4, 0.3, 0.5, {"imgsz": 1280})
        trainer.end(failed, "failed", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.27 GiB.")
        trainer.end(self._run("night-run", 31, 0.3, 0.6, {"imgsz": 640}), "crashed", "The trainer is gone.")
        begun = trainer.start("just-begun", epochs=EPOCHS)
        self.running = self._run("parking-v2", 38, 0.25, 0.58, {"imgsz": 960, "mosaic": 0.5, "patience": 20})
        self._live = (begun, self.running)
        team = self._team()
        project = self._project(team)
        self._datasets(project, checkpoint)
        compare = "/compare?" + "&".join(f"run={model_id}" for model_id in chosen)
        self.paths = {
            "runs": "/",
            "run": wire.page(self.running),
            "finished": wire.page(chosen[1]),
            "compare": compare,
            "beside": compare,
            "keys": "/keys",
            "users": "/users",
            "user": f"/users/{team['Ada']}",
            "projects": "/projects",
            "project": f"/projects/{project}",
            "datasets": "/datasets",
            "login": "/login",
            "error": "/nowhere",
            **OTHERS,
        }

    def beat(self) -> None:
        """Let the runs that go on be heard of: a page says so when they fall silent, and moves."""
        for model_id in self._live:
            self._trainer.hub.ask("POST", wire.heartbeat(model_id), json={"agent": "a", "agentId": None})

    def _put(self, model_id: str, name: str, content: bytes, kind: str) -> None:
        self._trainer.hub.ask("POST", wire.artifacts(model_id), data={"kind": kind}, files={"file": (name, content)})

    def _team(self) -> dict[str, str]:
        """Let four people in."""
        hub, ids = self._trainer.hub, {}
        for name, role in (("Vera", "viewer"), ("Tom", "trainer"), ("Grace", "admin"), ("Ada", "trainer")):
            said = {"name": name, "email": f"{name.lower()}@example.org", "role": role}
            ids[name] = str(hub.ask("POST", wire.USERS, json=said)["id"])
            for key in ("first", "laptop")[: 2 if name == "Ada" else 1]:
                hub.ask("POST", wire.KEYS, json={"userId": ids[name], "name": key})
        return ids

    def _project(self, team: Mapping[str, str]) -> str:
        """Make a project that is shared with two of them, and another one; the first."""
        hub = self._trainer.hub
        project, _ = (
            str(hub.ask("POST", wire.PROJECTS, json={"meta": {"name": name}})["id"]) for name in ("Parking", "Harbour")
        )
        for name, role in (("Ada", "trainer"), ("Vera", "viewer")):
            hub.ask("PUT", f"{wire.members(project)}/{team[name]}", json={"role": role})
        for number in range(3):
            hub.ask("PATCH", wire.model(self.runs[number]), json={"projectId": project})
        return project

    def _datasets(self, project: str, archive: bytes) -> None:
        """Make a data set in the project, one that anyone sees, and one that has no archive."""
        hub = self._trainer.hub
        for name, more in (("parking-2026", {"projectId": project}), ("coco8", {"isPublic": True})):
            made = hub.ask("POST", wire.DATASETS, json={"meta": {"name": name}, **more})["id"]
            hub.ask("POST", f"{wire.dataset(made)}/upload", files={"file": (f"{name}.zip", archive)})
        hub.ask("POST", wire.DATASETS, json={"meta": {"name": "harbour"}})

    def _run(self, name: str, epochs: int, pace: float, top: float, args: Mapping[str, Any]) -> str:
        given = {**args, "epochs": EPOCHS, "model": "yolo11n.pt"}
        model_id = self._trainer.start(name, epochs=EPOCHS, args=given, ago_s=epochs * 90.0)
        rows = {epoch: row(epoch, pace=pace, top=top, noise=self._noise) for epoch in range(epochs)}
        self._trainer.send(model_id, rows)
        return model_id


@pytest.fixture(scope="module")
def gallery(hub: HubServer, new_trainer: Callable[[HubServer], Trainer], checkpoint: bytes) -> Gallery:
    return Gallery(new_trainer(hub), checkpoint)


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def visit(browser: Browser, hub: HubServer, watch: Watch, scheme: str) -> Iterator[Callable[[str, int], Page]]:
    """Open a path on a screen so wide, and wait until nothing of it is missing."""
    colours: Literal["dark", "light"] = "dark" if scheme == "dark" else "light"
    with browser.new_context(base_url=hub.url, color_scheme=colours, reduced_motion="reduce") as context:
        page = watch.on(context.new_page())

        def open_page(path: str, width: int) -> Page:
            page.set_viewport_size({"width": width, "height": 900})
            if not context.cookies() and not path.startswith("/login"):
                page.goto(str(hub.ask("POST", wire.SIGN_IN)["url"]))
            page.goto(path)
            page.wait_for_function("() => document.querySelector('.plot')?.data ?? !document.querySelector('.plot')")
            return page

        yield open_page


def come_late(page: Page, path: str) -> None:
    """Open a path whose scripts come only after it was painted without them."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/*.js", hold)
    page.goto(path, wait_until="commit")
    page.wait_for_function("() => performance.getEntriesByType('paint').length")
    assert held
    page.unroute("**/*.js")  # and lets go what is held
    page.wait_for_load_state("load")
    page.wait_for_function("() => document.querySelector('.plot')?.data ?? !document.querySelector('.plot')")


def paint(page: Page, target: Path, place: str) -> None:
    """Take a picture of what is on the screen from that place on, in few colours: a third of the size."""
    from PIL import Image

    page.evaluate("() => scrollTo(0, 0)")
    if place:
        page.set_viewport_size({"width": WIDE, "height": 1100})
        page.locator(place).evaluate("one => scrollBy(0, one.getBoundingClientRect().top - 100)")
        page.wait_for_function("() => [...document.querySelectorAll('.drawing .plot')].every((one) => one.data)")
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").quantize(dither=Image.Dither.NONE).save(target, optimize=True)


def test_table_that_goes_on_beyond_its_frame_has_an_edge_until_its_end(
    gallery: Gallery, visit: Callable[[str, int], Page]
) -> None:
    page = visit(gallery.paths["compare"], NARROW)
    frame = page.locator(".scroll").filter(has=page.locator("td")).first
    frame.evaluate("one => one.scrollIntoView({ block: 'center' })")
    assert frame.evaluate("one => one.scrollWidth - one.clientWidth") > 0

    def edge(place: float) -> bytes:
        box = frame.bounding_box()
        assert box
        left = box["x"] + place * (box["width"] - 4)
        return page.screenshot(clip={"x": left, "y": box["y"] + 1, "width": 4, "height": 3})  # above the first row

    def has_edge(*, expected: bool) -> bool:
        for _ in range(50):  # what is drawn above may still move it
            if (edge(1.0) != edge(0.5)) is expected:
                return True
            page.wait_for_timeout(100)
        return False

    assert has_edge(expected=True)
    frame.evaluate("one => one.scrollTo(one.scrollWidth, 0)")
    assert has_edge(expected=False)


def test_every_page_is_looked_at() -> None:
    templates = files("hub_callbacks.server.dashboard").joinpath("templates").iterdir()
    whole = [one.name for one in templates if one.read_text(encoding="utf-8").startswith('{% extends "base.html" %}')]
    assert sorted(whole) == sorted(f"{name}.html" for name in PAGES)


@pytest.mark.parametrize("name", [*PAGES, *DEEPER, *OTHERS])
def test_page_shuts_nobody_out(
    gallery: Gallery,
    visit: Callable[[str, int], Page],
    watch: Watch,
    scheme: str,
    name: str,
    screenshots: Path | None,
) -> None:
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    for width in (WIDE, NARROW):
        gallery.beat()
        page = visit(gallery.paths[name], width)
        if name == "runs":
            for chosen in ("baseline", "cosine"):
                page.get_by_role("checkbox", name=f"Select {chosen}").check()
        page.evaluate(axe)
        assert page.evaluate(SERIOUS) == [], (name, scheme, width)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width, "the page is wider than the screen"
        inner = "() => [...document.querySelectorAll('main .runs')].every((one) => one.clientWidth <= innerWidth - 32)"
        assert page.evaluate(inner), "the table of runs is cut off"
        assert page.evaluate(SHIFTS) < 0.02, "the page jumps while it comes"  # web.dev/articles/cls: 0.1 is good
        if screenshots and name in PAINTED and width == WIDE:
            paint(page, screenshots / f"{name}-{scheme}.png", PAINTED[name])
        assert page.evaluate(SERIOUS_OPEN) == [], (name, scheme, width)
    if name in {"problem", "error"}:
        watch.forgive("status of 4")


@pytest.mark.parametrize("name", LATE)
def test_page_lies_still_when_its_scripts_come_late(
    gallery: Gallery, new_page: Callable[..., Page], hub: HubServer, name: str
) -> None:
    page = new_page(hub, locale="pt-BR", timezone_id="America/Sao_Paulo")  # whose times are longer than the hub's
    for width in (WIDE, NARROW):
        gallery.beat()
        page.set_viewport_size({"width": width, "height": 900})
        come_late(page, gallery.paths[name])
        assert page.evaluate(SHIFTS) < 0.001, (name, width)


def test_page_lies_still_when_its_rows_come_one_by_one(
    gallery: Gallery, new_page: Callable[..., Page], hub: HubServer
) -> None:
    page = new_page(hub)
    paths = [gallery.paths[name] for name in ("runs", "project", "user")]  # with columns as wide as what is in them
    for path in paths:
        page.goto(path)  # scripts and styles are kept
    slow = {"offline": False, "latency": 0, "downloadThroughput": 20_000, "uploadThroughput": -1}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    for path in paths:
        page.goto(path)
        assert page.evaluate(SHIFTS) < 0.001, path
