"""``hub-callbacks status`` and ``sync``: what is recorded, what is delivered, what is left."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import click

from hub_callbacks.courier import local_hub, process
from hub_callbacks.outbox import Hub, Outbox, OutboxFolder, RunStatus
from hub_callbacks.session.addresses import web_root
from hub_callbacks.settings import Settings
from hub_callbacks.transport import HubApi
from hub_callbacks.wire import page

_POLL_S = 0.1
_WATCH_S = 1.0


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--watch", is_flag=True, help="Show it again whenever it changes, until Ctrl-C.")
def status_command(as_json: bool, watch: bool) -> None:
    """Show every recorded run, and what the hub has acknowledged."""
    settings = Settings.load()
    with suppress(*[KeyboardInterrupt] if watch else []):
        text = _show(settings, "", as_json=as_json)
        while watch:
            time.sleep(_WATCH_S)
            text = _show(settings, text, as_json=as_json)


def _show(settings: Settings, before: str, *, as_json: bool) -> str:
    """Print the report unless it is what was shown before; the report."""
    report = describe(settings)
    text = json.dumps(report) if as_json else "\n".join(_lines(report))
    if text != before:
        if before and not as_json and sys.stdout.isatty():
            click.clear()
        click.echo(text)
    return text


@click.command("sync")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Longest wait for the delivery.",
)
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Deliver from another data folder, such as one copied from another machine, to this one's hub.",
)
def sync_command(wait_s: float, source: Path | None) -> None:
    """Deliver now what is queued, also what was refused before. Exits with 0 when nothing is left."""
    settings = Settings.load()
    folders = OutboxFolder.all_under(source) if source else [OutboxFolder.under(settings.data_dir)]
    outboxes = [Outbox(folder) for folder in folders if folder.has_records]
    if not outboxes:
        click.echo(f"Nothing is recorded in {source or settings.data_dir}.")
        return
    hub = Hub(api_url=settings.api_url, web_url=settings.web_url, api_key=settings.api_key)
    for outbox in outboxes:
        outbox.hubs.save(hub)
        outbox.hubs.resume()
        outbox.queue.revive(time.time())
        if source:
            outbox.runs.adopt(hub)
    left = [line for outbox in outboxes for line in deliver(outbox, settings, wait_s=wait_s)]
    click.echo("\n".join(left) or "Nothing is left to deliver.")
    if left:
        raise SystemExit(1)


def deliver(outbox: Outbox, settings: Settings, *, wait_s: float, run_id: str = "") -> list[str]:
    """Have the courier deliver for so long, all or what is of one run; a line for each thing that is left of it."""
    give_up_at = time.monotonic() + wait_s
    process.start(outbox.folder, settings)
    while _pending(outbox, run_id) and time.monotonic() < give_up_at:
        time.sleep(_POLL_S)
        if outbox.queue.has_work() and process.pid(outbox.folder) is None:
            process.start(outbox.folder, settings)
    runs = [run for run in outbox.runs.list() if run_id in {"", run.id}]
    return [f"{run.name} ({run.id}): {line}{_trouble(run)}" for run in runs for line in run.left()]


def describe(settings: Settings) -> dict[str, Any]:
    """The report that ``status --json`` prints."""
    folder = OutboxFolder.under(settings.data_dir)
    web_root, is_reachable = look_at_hub(settings)
    pid = process.pid(folder)
    outbox = Outbox(folder) if folder.has_records else None
    runs = outbox.runs.list() if outbox else []
    return {
        "runs": [_run(run, web_root) for run in runs],
        "pending": outbox.queue.pending() if outbox else 0,
        "courier": {"alive": pid is not None, "pid": pid},
        "hub": {"url": settings.api_url or web_root, "reachable": is_reachable, "local": settings.is_local},
    }


def look_at_hub(settings: Settings) -> tuple[str, bool]:
    """The root of the hub's pages, and whether the hub answers; the local one is not started for it."""
    if settings.is_local:
        return web_root(settings), local_hub.running(settings.data_dir) is not None
    with closing(HubApi(settings.api_url, "")) as api:
        return web_root(settings), api.is_reachable()


def _run(run: RunStatus, web_root: str) -> dict[str, Any]:
    root = run.hub.web_url or run.hub.api_url or web_root
    return {
        "id": run.id,
        "name": run.name,
        "url": root + page(run.remote_id or run.id),
        "state": run.state,
        "epochs_planned": run.epochs,
        "epochs_recorded": run.epochs_recorded,
        "epochs_acknowledged": run.epochs_acknowledged,
        "checkpoints_pending": run.checkpoints_pending,
        "checkpoints_acknowledged": run.checkpoints_acknowledged,
        "artifacts_pending": run.artifacts_pending,
        "artifacts_acknowledged": run.artifacts_acknowledged,
        "buried": [{"kind": kind, "reason": reason} for kind, reason in run.buried],
        "receipt": run.receipt(),
        "left": run.left(),
        "dropped": [f"{number} x {kind}: {reason}" for (kind, reason), number in Counter(run.dropped).items()],
        "trouble": run.trouble,
    }


def _lines(report: dict[str, Any]) -> Iterator[str]:
    """The report for people."""
    for run in report["runs"]:
        yield f"{run['name']}  {run['state']}  {_planned(run)}{run['receipt']}"
        yield f"  {run['url']}"
        yield from (f"  left: {line}" for line in run["left"])
        yield from (f"  dropped: {dropped}" for dropped in run["dropped"])
        if run["left"] and run["trouble"]:
            yield f"  why:  {run['trouble']}"
    if not report["runs"]:
        yield "No run is recorded here yet. Train a model, or try: hub-callbacks demo"
    courier = f"alive (pid {report['courier']['pid']})" if report["courier"]["alive"] else "not running"
    yield f"\nTo be delivered: {report['pending']}. Courier: {courier}. Hub: {_hub(report['hub'])}."


def _planned(run: dict[str, Any]) -> str:
    """How far a training is that has not recorded all of its epochs here; what the hub has of them is told apart."""
    planned, recorded = run["epochs_planned"], run["epochs_recorded"]
    return f"{recorded} of {planned} planned epochs recorded; " if planned not in {0, recorded} else ""


def _hub(hub: dict[str, Any]) -> str:
    if hub["reachable"]:
        return f"{hub['url']} (reachable)"
    return (
        "the local one, not running; it starts when it is needed" if hub["local"] else f"{hub['url']} (not reachable)"
    )


def _pending(outbox: Outbox, run_id: str) -> int:
    run = outbox.runs.get(run_id) if run_id else None
    return run.pending if run else outbox.queue.pending()


def _trouble(run: RunStatus) -> str:
    return f" ({run.trouble})" if run.trouble else ""
