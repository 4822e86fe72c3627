"""``hub-callbacks doctor``: whether everything is in place, and what to do about what is not."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import click

from hub_callbacks import _bootstrap
from hub_callbacks.cli.runs import look_at_hub
from hub_callbacks.cli.settings import mask
from hub_callbacks.courier import process
from hub_callbacks.errors import SettingsError, TransportError
from hub_callbacks.outbox import Outbox, OutboxFolder
from hub_callbacks.plugins import Plugins
from hub_callbacks.session.datasets import unpacked
from hub_callbacks.settings import Settings, user_file
from hub_callbacks.transport import HubApi


class Finding(NamedTuple):
    """One line of the report; ``advice`` says what to do about what is wrong, and is empty when nothing is."""

    subject: str
    fact: str
    advice: str = ""


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor_command(as_json: bool) -> None:
    """Say whether trainings here are recorded and delivered. Exits with 1 when something is wrong."""
    findings = list(examine())
    if as_json:
        click.echo(json.dumps([finding._asdict() for finding in findings]))
    else:
        for finding in findings:
            click.echo(f"{'!!' if finding.advice else 'ok'}  {finding.subject:<12} {finding.fact}")
            if finding.advice:
                click.echo(f"{'':<17}{finding.advice}")
    if any(finding.advice for finding in findings):
        raise SystemExit(1)


def examine() -> Iterator[Finding]:
    """Look at everything, outside in: the plugin, its settings, the hub, the courier, the queue."""
    yield _plugin()
    yield _ultralytics()
    try:
        settings = Settings.load()
    except SettingsError as error:
        yield Finding("settings", "A value is wrong; trainings are not recorded.", str(error))
        return
    yield _flag(settings)
    if trouble := _data(settings):
        yield trouble
        return
    yield from _plugins(settings)
    yield _hub(settings)
    yield _courier(settings)
    yield from _queue(settings)
    for one in unpacked(settings.data_dir / "datasets"):
        used = datetime.fromtimestamp(one.used_at).astimezone().strftime("%Y-%m-%d")
        yield Finding("data set", f"{one.name}, {one.size_bytes / 1e6:.1f} MB, last used {used}: {one.folder}")


def _plugin() -> Finding:
    if _bootstrap.is_disabled():
        return Finding("plugin", "switched off", f"{_bootstrap.DISABLE} is set; unset it to record trainings.")
    trigger = _bootstrap.armed_by()
    if trigger is None:
        advice = "Reinstall hub-callbacks, or call hub_callbacks.install() first thing in your script."
        return Finding("plugin", "not armed in this Python", advice)
    return Finding("plugin", f"armed in this Python (by {trigger})")


def _ultralytics() -> Finding:
    try:
        return Finding("ultralytics", version("ultralytics"))
    except PackageNotFoundError:
        return Finding("ultralytics", "not installed", 'pip install "hub-callbacks[ultralytics]"')


def _flag(settings: Settings) -> Finding:
    if not settings.hub:
        return Finding("settings", "The flag `hub` is off.", "Switch it on: hub-callbacks settings hub=true")
    return Finding("settings", f"on; file {user_file()}, data in {settings.data_dir}")


def _data(settings: Settings) -> Finding | None:
    """What keeps trainings from being recorded under the data folder: a file is tried there, and nothing is left."""
    folder = OutboxFolder.under(settings.data_dir).path
    try:
        nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        tempfile.TemporaryFile(dir=nearest).close()
    except OSError as error:
        fact = f"Nothing can be written in {settings.data_dir}: {error.strerror}; trainings are not recorded."
        return Finding("data", fact, "Make it writable, or take another folder: HUB_CALLBACKS_DATA_DIR=FOLDER")
    return None


def _plugins(settings: Settings) -> Iterator[Finding]:
    plugins = Plugins.load(block=settings.block)
    if "hub" not in plugins.names:
        advice = "Take it out of the setting `block`." if "hub" in settings.block else "Reinstall hub-callbacks."
        yield Finding("plugins", "Our own plugin `hub` is not loaded.", advice)
    else:
        yield Finding("plugins", ", ".join(plugins.names))
    for name, error in plugins.failures.items():
        yield Finding(
            "plugins", f"{name} cannot be loaded: {error!r}", f"Upgrade it, or block it: HUB_CALLBACKS_BLOCK={name}"
        )


def _hub(settings: Settings) -> Finding:
    web_root, is_reachable = look_at_hub(settings)
    if settings.is_local:
        state = f"running at {web_root}" if is_reachable else "not running; it starts when it is needed"
        return Finding("hub", f"the local one, {state}")
    if not is_reachable:
        return Finding("hub", f"{settings.api_url} does not answer", "Start it, or check the setting `api_url`.")
    api = HubApi(settings.api_url, settings.api_key)
    try:
        api.authenticate()
    except TransportError as error:
        return Finding("hub", f"{settings.api_url}: {error}", "Set a key: hub-callbacks settings api_key=KEY")
    finally:
        api.close()
    return Finding("hub", f"{settings.api_url}, key {mask(settings.api_key)}")


def _courier(settings: Settings) -> Finding:
    folder = OutboxFolder.under(settings.data_dir)
    pid = process.pid(folder)
    fact = f"alive (pid {pid})" if pid else "not running; it starts with the next training or sync"
    return Finding("courier", f"{fact}; log {folder.courier_log}")


def _queue(settings: Settings) -> Iterator[Finding]:
    folder = OutboxFolder.under(settings.data_dir)
    if not folder.has_records:
        yield Finding("queue", "Nothing has been recorded yet.")
        return
    for path in folder.set_aside:
        advice = (
            "What could not be read of it is not delivered; the runs' own results.csv have every row. Then delete it."
        )
        yield Finding("queue", f"damaged, and set aside: {path}", advice)
    outbox = Outbox(folder)
    pending = outbox.queue.pending()
    advice = "" if not pending or process.pid(folder) else "Deliver it: hub-callbacks sync"
    yield Finding("queue", f"{pending} to be delivered", advice)
    for run in outbox.runs.list():
        if run.hub.paused and run.pending:
            yield Finding("queue", f"{run.name}: {run.hub.paused}", "Set a key, then: hub-callbacks sync")
        for kind, reason in run.buried:
            yield Finding("queue", f"{run.name}: {kind} refused: {reason}", "Mend the cause, then: hub-callbacks sync")
