"""``hub-callbacks demo``: a real training, a few seconds long, that ends as a page in the browser."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from hub_callbacks.cli.hub import sign_in_url
from hub_callbacks.cli.runs import deliver
from hub_callbacks.outbox import Outbox, OutboxFolder, RunStatus
from hub_callbacks.settings import Settings
from hub_callbacks.wire import page

IMAGES = 16
SIDE_PX = 64
CLASSES = ("disc", "square")
_NAME = "demo"  # Ultralytics puts a number behind it from the second one on

SCRIPT = """\
from ultralytics import YOLO

YOLO("yolo11n.yaml").train(
    data={data!r}, project={project!r}, name="demo",
    epochs={epochs}, imgsz={side}, device="cpu", workers=0,
    batch=2, nbs=2, warmup_epochs=0, optimizer="AdamW", lr0=0.001, mosaic=0,  # learns something in seconds
)
"""


@click.command("demo")
@click.option("--epochs", type=click.IntRange(min=1), default=20, show_default=True, help="Epochs to train.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="Longest wait for the delivery.",
)
def demo_command(epochs: int, wait_s: float) -> None:
    """Train yolo11n on a small drawn data set, and show the run."""
    if importlib.util.find_spec("ultralytics") is None:
        raise click.ClickException('The demo trains with Ultralytics: pip install "hub-callbacks[ultralytics]"')
    settings = Settings.load()
    folder = settings.data_dir / "demo"
    try:
        data = draw_dataset(folder / "dataset")
    except OSError as error:
        raise click.ClickException(f"The data set cannot be drawn: {error}. Look: hub-callbacks doctor") from error
    script = SCRIPT.format(data=str(data), epochs=epochs, side=SIDE_PX, project=str(folder / "runs"))
    click.echo(f"This is the whole script; it does not mention hub-callbacks:\n\n{script}")
    started_at = time.time()
    training = subprocess.run([sys.executable, "-c", script], check=False)  # noqa: S603 - our own script
    if training.returncode:
        raise click.ClickException(f"The training failed with exit code {training.returncode}; see above.")
    _report(settings, started_at=started_at, wait_s=wait_s)


def draw_dataset(folder: Path) -> Path:
    """Draw discs and squares with their labels, in the layout that YOLO takes; always the same.

    Returns:
        The data set's YAML file.
    """
    rng = random.Random(0)  # noqa: S311 - a drawing, no secret
    for split in ("train", "val"):
        (folder / "images" / split).mkdir(parents=True, exist_ok=True)
        (folder / "labels" / split).mkdir(parents=True, exist_ok=True)
        for number in range(IMAGES):
            _draw(folder, f"{split}/{number:02}", rng)
    yaml = folder / "dataset.yaml"
    names = "".join(f"  {number}: {name}\n" for number, name in enumerate(CLASSES))
    yaml.write_text(f"path: {folder}\ntrain: images/train\nval: images/val\nnames:\n{names}", encoding="utf-8")
    return yaml


def _draw(folder: Path, name: str, rng: random.Random) -> None:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (SIDE_PX, SIDE_PX), tuple(rng.randrange(64) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    labels = []
    for _ in range(rng.randint(1, 3)):
        kind, size = rng.randrange(len(CLASSES)), rng.randint(12, 28)
        left, top = rng.randrange(SIDE_PX - size), rng.randrange(SIDE_PX - size)
        shape = draw.ellipse if CLASSES[kind] == "disc" else draw.rectangle
        shape((left, top, left + size, top + size), fill=tuple(rng.randrange(128, 256) for _ in range(3)))
        box = ((left + size / 2) / SIDE_PX, (top + size / 2) / SIDE_PX, size / SIDE_PX, size / SIDE_PX)
        labels.append(" ".join([str(kind), *(f"{value:.6f}" for value in box)]))
    image.save(folder / "images" / f"{name}.png")
    (folder / "labels" / f"{name}.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")


def run_of_demo(runs: Sequence[RunStatus], *, started_at: float) -> RunStatus | None:
    """The run of the demo that started then; others may have begun while it trained. None if it was not recorded."""
    own = [run for run in runs if run.started_at >= started_at and run.name.startswith(_NAME)]
    return min(own, key=lambda run: run.started_at, default=None)


def _report(settings: Settings, *, started_at: float, wait_s: float) -> None:
    outbox = Outbox(OutboxFolder.under(settings.data_dir))
    run = run_of_demo(outbox.runs.list(), started_at=started_at)
    if run is None:
        raise click.ClickException("The training was not recorded. Ask why: hub-callbacks doctor")
    left = deliver(outbox, settings, wait_s=wait_s, run_id=run.id)
    run = outbox.runs.get(run.id) or run
    click.echo(f"\nReceipt: {run.receipt()}")
    for line in left:
        click.echo(f"Left:    {line}")
    click.echo(f"Page:    {sign_in_url(settings, page(run.remote_id or run.id))}")
    click.echo(f"         (signs you in for an hour; later: hub-callbacks open {run.id})")
    if run.left():
        raise SystemExit(1)
