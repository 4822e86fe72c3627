"""Where the hub is that a command of its operator means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hub_callbacks.settings import Settings

if TYPE_CHECKING:
    from hub_callbacks.server.folder import Place

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def placed(command: CommandT) -> CommandT:
    """Give a command the options of `place_of`."""
    for option in reversed(
        [
            click.option(
                "--data-dir",
                type=click.Path(path_type=Path),
                help="The hub's folder; the setting `data_dir` when not given.",
            ),
            click.option("--database-url", help="Its database; the setting `database_url` when not given."),
            click.option("--blobs-url", help="Bucket for its files; the setting `blobs_url` when not given."),
        ]
    ):
        command = option(command)
    return command


def place_of(data_dir: Path | None, database_url: str | None, blobs_url: str | None) -> Place:
    """What the options say, and the settings where they say nothing."""
    from hub_callbacks.server.folder import Place

    settings = Settings.load()
    return Place(
        data_dir=data_dir or settings.data_dir,
        database_url=settings.database_url if database_url is None else database_url,
        blobs_url=settings.blobs_url if blobs_url is None else blobs_url,
    )
