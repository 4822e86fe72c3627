"""``hub-callbacks runs``: what is on the hub, listed, shown, taken away as files, and reset."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import fields
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from hub_callbacks.cli.ids import checked_id
from hub_callbacks.cli.sure import ask, sure
from hub_callbacks.records import finite
from hub_callbacks.runs import Run, Runs, query
from hub_callbacks.session.access import address
from hub_callbacks.settings import Settings
from hub_callbacks.transport import HubApi
from hub_callbacks.wire import ExportForm, JudgedState

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_FORMS = get_args(ExportForm)
_HEADS = ("ID", "NAME", "STATE", "EPOCH", "SCORE", "PROJECT", "STARTED")
_SCORES = ("metrics/mAP50-95(B)", "metrics/mAP50-95(M)", "metrics/mAP50-95(P)", "metrics/accuracy_top1")


def filtered(command: CommandT) -> CommandT:
    """Give a command the filters of the table."""
    for option in reversed(
        [
            click.option("--search", default="", metavar="TEXT", help="Words in name, project, model or data set."),
            click.option("--where", default="", metavar="CONDITION", help="Values, such as 'mAP50-95 > 0.5'."),
            click.option("--project", default="", help="Runs of this project."),
            click.option(
                "--state", multiple=True, type=click.Choice(get_args(JudgedState)), help="Runs in this state."
            ),
            click.option(
                "--sort", default="-started", show_default=True, help="Column, metric or argument; -: largest first."
            ),
        ]
    ):
        command = option(command)
    return command


@click.group("runs")
def runs_command() -> None:
    """List, show, export and reset the runs on the hub."""


@runs_command.command("ls")
@filtered
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Runs at most.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ls_command(
    search: str, where: str, project: str, state: Sequence[str], sort: str, limit: int, as_json: bool
) -> None:
    """List runs, the newest first."""
    runs = Runs(where, order=sort, search=search, project=project, state=state)
    found = list(islice(runs, limit))
    if as_json:
        click.echo(json.dumps([_plain(run) for run in found], indent=2))
        return
    click.echo("\n".join(_table(found)) if found else "No run matches.")


@runs_command.command("show")
@click.argument("run_id", type=checked_id, metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_command(run_id: str, as_json: bool) -> None:
    """Show what the hub knows of a run."""
    run = Runs().get(run_id)
    if as_json:
        click.echo(json.dumps(_plain(run), indent=2))
        return
    click.echo("\n".join(_shown(run)))


@runs_command.command("export")
@click.argument("run_ids", type=checked_id, nargs=-1, metavar="[ID]...")
@filtered
@click.option(
    "--format", "form", type=click.Choice(_FORMS), help="Form of the file; that of its name, or csv, when not given."
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File; else it is printed.")
def export_command(  # noqa: PLR0913 - an option each
    run_ids: Sequence[str],
    search: str,
    where: str,
    project: str,
    state: Sequence[str],
    sort: str,
    form: ExportForm | None,
    output: Path | None,
) -> None:
    """Write the metrics of runs into a file.

    Of one ID it is its results.csv, else the run is in each row. Without an ID it is every run that the filters let
    through.
    """
    form = form or _form_of(output)
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise click.UsageError("Parquet is no text: say a file with -o.")
    asked = query(where, order=sort, search=search, project=project, state=state)
    hub = address(Settings.load())
    with closing(HubApi(hub["api_url"], hub["api_key"])) as api:
        if len(run_ids) == 1:
            pieces = api.export(form, {}, model_id=run_ids[0])
        else:
            pieces = api.export(form, {"run": list(run_ids)} if run_ids else asked)
        _write(pieces, output)


@runs_command.command("reset")
@click.argument("run_id", type=checked_id, metavar="ID")
@sure
def reset_command(run_id: str, is_sure: bool) -> None:
    """Make a run new: all that was trained of it is deleted.

    Its metrics, checkpoints and pictures are deleted from the hub, also those that are still on their way. Its name
    and its settings stay, and it can be trained anew: hub-callbacks train ID.
    """
    hub = address(Settings.load())
    with closing(HubApi(hub["api_url"], hub["api_key"])) as api:
        name = Runs().get(run_id).name
        ask(f"Delete the metrics, checkpoints and pictures of {name} ({run_id})?", is_sure=is_sure)
        api.reset(run_id)
    click.echo("Reset.")


def _form_of(output: Path | None) -> ExportForm:
    suffix = output.suffix.removeprefix(".").lower() if output else ""
    form: ExportForm | None = next((form for form in _FORMS if form == (suffix or "csv")), None)
    if form is None:
        raise click.UsageError(f"No form is called {suffix!r}: name the file .csv, .json or .parquet, or say --format.")
    return form


def _write(pieces: Iterator[bytes], output: Path | None) -> None:
    """Print the pieces, or replace the file in one step when all are there."""
    if output is None:
        for piece in pieces:
            click.echo(piece, nl=False)
        return
    part = output.with_name(f"{output.name}.part")
    try:
        with part.open("wb") as file:
            file.writelines(pieces)
        part.replace(output)
    except OSError as error:
        raise click.ClickException(f"{str(output)!r} cannot be written: {error.strerror or error}.") from error
    finally:
        part.unlink(missing_ok=True)
    click.echo(f"{output}: {output.stat().st_size} bytes", err=True)


def _plain(run: Run) -> dict[str, Any]:
    plain = {one.name: getattr(run, one.name) for one in fields(run) if not one.name.startswith("_")}
    return {**plain, "summary": finite(run.summary), "last": finite(run.last)}


def _table(runs: Sequence[Run]) -> Iterator[str]:
    rows = [_HEADS, *(_cells(run) for run in runs)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADS))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cells(run: Run) -> tuple[str, ...]:
    score = next((run.summary[name] for name in _SCORES if name in run.summary), None)
    epoch = f"{run.epoch}/{run.epochs}" if run.epochs else str(run.epoch)
    shown = "-" if score is None else f"{score:.4f}"
    return run.id, run.name, run.state, epoch, shown, run.project or "-", _moment(run.started_at or run.created_at)


def _shown(run: Run) -> Iterator[str]:
    yield f"{run.name}  {run.state}{f': {run.reason}' if run.reason else ''}"
    yield f"  {run.url}"
    epoch = f"{run.epoch}/{run.epochs}" if run.epochs else str(run.epoch)
    about = {"epoch": epoch, "started": _moment(run.started_at or run.created_at), "project": run.project}
    about |= {"model": run.model, "dataset": run.dataset, "task": run.task}
    for title, values in {"": about, "Best": run.summary, "Arguments": run.config, "Environment": run.metadata}.items():
        told = {name: value for name, value in values.items() if value not in (None, "")}
        if told and title:
            yield f"\n{title}"
        width = max(map(len, told), default=0)
        yield from (f"  {name.ljust(width)}  {value}" for name, value in told.items())


def _moment(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s).astimezone().strftime("%Y-%m-%d %H:%M")
