"""``hub-callbacks datasets``: data sets of the hub, and their archives."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from hub_callbacks.cli.answers import json_option, moment, show, table
from hub_callbacks.cli.ids import checked_id
from hub_callbacks.cli.sure import ask, sure
from hub_callbacks.errors import HubCallbacksError
from hub_callbacks.session.access import address
from hub_callbacks.settings import Settings
from hub_callbacks.transport.datasets import DatasetApi


@click.group("datasets")
def datasets_command() -> None:
    """Upload data sets to the hub, and list and delete those there."""


@datasets_command.command("upload")
@click.argument("archive", type=click.Path(path_type=Path), metavar="FILE.zip")
@click.option("--name", help="What it is called; as the file when not given.")
@click.option("--project", type=checked_id, metavar="ID", help="Project whose people see it; everyone when not given.")
@click.option("--to", "dataset_id", type=checked_id, metavar="ID", help="Data set that gets it as its new archive.")
@json_option
def upload_dataset(archive: Path, name: str | None, project: str | None, dataset_id: str | None, as_json: bool) -> None:
    """Upload a data set as a zip archive.

    It holds the folder with the YAML file, the images and the labels. A run that is planned with the ID of the data set
    is trained with it on any machine: see `runs create`.
    """
    _check(archive)
    if dataset_id and (name or project):
        raise click.UsageError("--to is for a data set that is there: it has a name, and a project or none.")
    with _hub() as hub:
        made = dataset_id or hub.create_dataset(name or archive.stem, project_id=project)
        try:
            _upload(hub, made, archive)
        except HubCallbacksError:
            click.echo(
                f"Data set {made} has no new archive. Try again: datasets upload {archive} --to {made}", err=True
            )
            raise
    show({"id": made}, [f"Data set {made}"], as_json=as_json)


@datasets_command.command("list")
@json_option
def list_datasets(as_json: bool) -> None:
    """List the data sets that you may see, newest first."""
    with _hub() as hub:
        found = hub.datasets()
    rows = (
        (
            one["id"],
            one["meta"]["name"] or "-",
            f"{one['file']['sizeBytes'] / 1e6:.1f} MB" if one["file"] else "-",
            one["projectId"] or "-",
            moment(one["createdAt"]),
        )
        for one in found
    )
    show(found, table(("ID", "NAME", "ARCHIVE", "PROJECT", "SINCE"), rows), as_json=as_json)


@datasets_command.command("delete")
@click.argument("dataset_id", type=checked_id, metavar="ID")
@sure
def delete_dataset(dataset_id: str, is_sure: bool) -> None:
    """Delete a data set.

    Models that name it keep its name, and are not trained with it any more.
    """
    with _hub() as hub:
        name = hub.dataset(dataset_id)["meta"]["name"]
        ask(f"Delete the data set {name} ({dataset_id})? It cannot be undone.", is_sure=is_sure)
        hub.delete_dataset(dataset_id)
    click.echo("Deleted.")


@contextmanager
def _hub() -> Iterator[DatasetApi]:
    hub = address(Settings.load())
    with closing(DatasetApi(hub["api_url"], hub["api_key"])) as api:
        yield api


def _check(archive: Path) -> None:
    if archive.is_dir():
        problem = f"{str(archive)!r} is a folder. Pack it: python -m zipfile -c {archive.name}.zip {archive}"
        raise click.BadParameter(problem, param_hint="FILE.zip")
    if not archive.exists():
        raise click.BadParameter(f"There is no file {str(archive)!r}.", param_hint="FILE.zip")
    if not zipfile.is_zipfile(archive):
        raise click.BadParameter(f"{str(archive)!r} is no zip archive.", param_hint="FILE.zip")


def _upload(hub: DatasetApi, dataset_id: str, archive: Path) -> None:
    """Send it, with a bar where a person looks on."""
    if not sys.stderr.isatty():
        hub.upload_archive(dataset_id, archive, on_progress=lambda _: None)
        return
    with click.progressbar(length=archive.stat().st_size, label=archive.name, file=sys.stderr) as bar:
        hub.upload_archive(dataset_id, archive, on_progress=lambda sent_bytes: bar.update(sent_bytes - bar.pos))
