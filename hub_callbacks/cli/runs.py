"""``hub-callbacks status`` and ``sync``: what is recorded, what is delivered, what is left."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from hub_callbacks.courier import process
from hub_callbacks.outbox import Hub, Outbox, OutboxFolder, RunStatus
from hub_callbacks.settings import Settings
from hub_callbacks.transport import HubApi
from hub_callbacks.wire import LocalHub, page

_POLL_S = 0.1


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status_command(as_json: bool) -> None:
    """Show every recorded run: how it stands, and what the hub has acknowledged of it."""
    settings = Settings.load()
    report = describe(settings)
    if as_json:
        click.echo(json.dumps(report))
        return
    for run in report["runs"]:
        _print(run)
    if not report["runs"]:
        click.echo("No run is recorded here yet. Train a model, or try: hub-callbacks demo")
    courier = f"alive (pid {report['courier']['pid']})" if report["courier"]["alive"] else "not running"
    hub = f"{report['hub']['url']} ({'reachable' if report['hub']['reachable'] else 'not reachable'})"
    click.echo(f"\nTo be delivered: {report['pending']}. Courier: {courier}. Hub: {hub}.")


@click.command("sync")
@click.option("--wait", "wait_s", type=click.FloatRange(min=0), default=60.0, show_default=True, metavar="SECONDS")
def sync_command(wait_s: float) -> None:
    """Deliver now what is queued, also what was refused before; exit 0 when nothing is left."""
    settings = Settings.load()
    folder = OutboxFolder.under(settings.data_dir)
    if not folder.database.exists():
        click.echo("Nothing is recorded here.")
        return
    outbox = Outbox(folder)
    outbox.hubs.save(Hub(api_url=settings.api_url, web_url=settings.web_url, api_key=settings.api_key))
    outbox.hubs.resume()
    outbox.queue.revive(time.time())
    left = deliver(outbox, settings, wait_s=wait_s)
    for line in left:
        click.echo(line)
    if left:
        raise SystemExit(1)
    click.echo("Nothing is left to deliver.")


def deliver(outbox: Outbox, settings: Settings, *, wait_s: float) -> list[str]:
    """Have the courier deliver for so long; a line for each thing that is left."""
    give_up_at = time.monotonic() + wait_s
    process.start(settings)
    while outbox.queue.pending() and time.monotonic() < give_up_at:
        time.sleep(_POLL_S)
        if outbox.queue.has_work() and process.pid(outbox.folder) is None:
            process.start(settings)
    return [f"{run.name} ({run.id}): {line}{_trouble(run)}" for run in outbox.runs.list() for line in run.left()]


def describe(settings: Settings) -> dict[str, Any]:
    """The report that ``status --json`` prints."""
    folder = OutboxFolder.under(settings.data_dir)
    web_root, is_reachable = look_at_hub(settings)
    pid = process.pid(folder)
    outbox = Outbox(folder) if folder.database.exists() else None
    runs = outbox.runs.list() if outbox else []
    return {
        "runs": [_run(run, web_root) for run in runs],
        "pending": outbox.queue.pending() if outbox else 0,
        "courier": {"alive": pid is not None, "pid": pid},
        "hub": {"url": settings.api_url or web_root, "reachable": is_reachable},
    }


def look_at_hub(settings: Settings) -> tuple[str, bool]:
    """The root of the hub's pages, and whether the hub answers; the local one is not started for it."""
    local = LocalHub.read(settings.data_dir) if settings.is_local else None
    api_url = local.url if local else settings.api_url or f"http://127.0.0.1:{settings.port}"
    api = HubApi(api_url, "")
    is_reachable = api.is_reachable() if local or not settings.is_local else False
    api.close()
    return settings.web_url or api_url, is_reachable


def _run(run: RunStatus, web_root: str) -> dict[str, Any]:
    root = run.hub.web_url or run.hub.api_url or web_root
    return {
        "id": run.id,
        "name": run.name,
        "url": root + page(run.remote_id or run.id),
        "state": run.state,
        "epochs_recorded": run.epochs_recorded,
        "epochs_acknowledged": run.epochs_acknowledged,
        "checkpoints_pending": run.checkpoints_pending,
        "checkpoints_acknowledged": run.checkpoints_acknowledged,
        "buried": [{"kind": kind, "reason": reason} for kind, reason in run.buried],
        "receipt": run.receipt(),
        "left": run.left(),
        "trouble": run.hub.paused or run.hub.trouble,
    }


def _print(run: dict[str, Any]) -> None:
    click.echo(f"{run['name']}  {run['state']}  {run['receipt']}")
    click.echo(f"  {run['url']}")
    for line in run["left"]:
        click.echo(f"  left: {line}")
    if run["left"] and run["trouble"]:
        click.echo(f"  why:  {run['trouble']}")


def _trouble(run: RunStatus) -> str:
    trouble = run.hub.paused or run.hub.trouble
    return f" ({trouble})" if trouble else ""
