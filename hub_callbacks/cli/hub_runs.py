"""``hub-callbacks runs``: what is on the hub, planned, listed, shown, taken away as files, and reset."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from hub_callbacks import wire
from hub_callbacks.cli.answers import json_option, moment, show, table
from hub_callbacks.cli.ids import checked_id
from hub_callbacks.cli.sure import ask, sure
from hub_callbacks.records import finite
from hub_callbacks.runs import Run, Runs, query
from hub_callbacks.session.access import address
from hub_callbacks.settings import Settings
from hub_callbacks.transport import HubApi
from hub_callbacks.transport.datasets import DatasetApi
from hub_callbacks.wire import ExportForm, JudgedState

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_FORMS = get_args(ExportForm)
_CONFIG = {
    "epochs": "epochs",
    "imgsz": "imageSize",
    "batch": "batchSize",
    "patience": "patience",
    "device": "device",
    "cache": "cache",
}
_HEADS = ("ID", "NAME", "STATE", "EPOCH", "SCORE", "PROJECT", "STARTED")
_SCORES = ("metrics/mAP50-95(B)", "metrics/mAP50-95(M)", "metrics/mAP50-95(P)", "metrics/accuracy_top1")


def _number(text: str) -> float:
    """A whole number as an int: trainers of old releases refuse a batch of 4.0."""
    try:
        return int(text)
    except ValueError:
        value = float(text)
    if math.isfinite(value):
        return value
    raise ValueError(f"{text} is no number of images.")


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


def planned(command: CommandT) -> CommandT:
    """Give a command the options of what a run is trained with."""
    for option in reversed(
        [
            click.option("--name", help="What it is called."),
            click.option("--data", metavar="DATA", help="Data set: an ID of the hub's, or a name such as coco8.yaml."),
            click.option("--project", type=checked_id, metavar="ID", help="Project that it belongs to."),
            click.option("--epochs", type=click.IntRange(1), help="Epochs; 100 when never said."),
            click.option("--imgsz", type=click.IntRange(1), help="Image size, pixels; 640 when never said."),
            click.option("--batch", type=_number, metavar="NUMBER", help="Images in a batch; 16 when never said."),
            click.option("--patience", type=click.IntRange(0), help="Epochs without a gain; 100 when never said."),
            click.option("--device", help="Such as 0, 0,1 or cpu."),
            click.option("--cache", type=click.Choice(["ram", "disk"]), help="Where images are kept decoded."),
        ]
    ):
        command = option(command)
    return command


@click.group("runs")
def runs_command() -> None:
    """List, show, export, reset and plan runs on the hub."""


@runs_command.command("create")
@click.argument("model")
@planned
@json_option
def create_command(model: str, as_json: bool, **said: Any) -> None:
    """Plan a run, which any machine starts by its address.

    It begins with MODEL: weights such as yolo11n.pt, or an architecture such as yolo11n.yaml.
    """
    stem, _, suffix = model.rpartition(".")
    if suffix not in ("pt", "yaml", "yml") or not stem:
        raise click.BadParameter(f"{model!r} is neither a .pt nor a .yaml file.", param_hint="MODEL")
    lineage = {"architecture": {"name": stem}, "parent": {"name": model} if suffix == "pt" else {}}
    hub = address(Settings.load())
    with closing(DatasetApi(hub["api_url"], hub["api_key"])) as api:
        run_id = api.plan({"lineage": lineage, **_plan(api, said | {"name": said["name"] or stem})})
    url = hub["web_url"] + wire.page(run_id)
    show({"id": run_id, "url": url}, [f"Run {run_id}", f"Start it: hub-callbacks train {url}"], as_json=as_json)


@runs_command.command("change")
@click.argument("run_id", type=checked_id, metavar="ID")
@planned
def change_command(run_id: str, **said: Any) -> None:
    """Change what a run is called, or what it is trained with.

    That counts from its next start on. What is not said stays as it is.
    """
    if not any(value is not None for value in said.values()):
        raise click.UsageError("Say what to change, with an option.")
    hub = address(Settings.load())
    with closing(DatasetApi(hub["api_url"], hub["api_key"])) as api:
        api.change(run_id, _plan(api, said))
    click.echo("Changed.")


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
    click.echo("\n".join(table(_HEADS, map(_cells, found))) if found else "No run matches.")


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


def _plan(api: DatasetApi, said: Mapping[str, Any]) -> wire.CreateBody:
    """What was said, in HUB v1's words."""
    given = {name: value for name, value in said.items() if value is not None}
    body: wire.CreateBody = {}
    if config := {_CONFIG[name]: value for name, value in given.items() if name in _CONFIG}:
        body["config"] = config  # type: ignore[typeddict-item]  # its names are those of `_CONFIG`
    if "name" in given:
        body["meta"] = {"name": given["name"]}
    if "project" in given:
        body["projectId"] = given["project"]
    if "data" in given:
        is_ours = wire.is_id(given["data"])
        name = api.dataset(given["data"])["meta"]["name"] if is_ours else given["data"]
        body |= {"datasetId": given["data"] if is_ours else None, "dataset": {"name": name}}
    return body


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


def _cells(run: Run) -> tuple[str, ...]:
    score = next((run.summary[name] for name in _SCORES if name in run.summary), None)
    epoch = f"{run.epoch}/{run.epochs}" if run.epochs else str(run.epoch)
    shown = "-" if score is None else f"{score:.4f}"
    return run.id, run.name, run.state, epoch, shown, run.project or "-", moment(run.started_at or run.created_at)


def _shown(run: Run) -> Iterator[str]:
    yield f"{run.name}  {run.state}{f': {run.reason}' if run.reason else ''}"
    yield f"  {run.url}"
    epoch = f"{run.epoch}/{run.epochs}" if run.epochs else str(run.epoch)
    about = {"epoch": epoch, "started": moment(run.started_at or run.created_at), "project": run.project}
    about |= {"model": run.model, "dataset": run.dataset, "task": run.task}
    for title, values in {"": about, "Best": run.summary, "Arguments": run.config, "Environment": run.metadata}.items():
        told = {name: value for name, value in values.items() if value not in (None, "")}
        if told and title:
            yield f"\n{title}"
        width = max(map(len, told), default=0)
        yield from (f"  {name.ljust(width)}  {value}" for name, value in told.items())
