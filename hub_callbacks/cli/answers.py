"""What the commands about people and projects share: the hub that is asked, and how its answers are printed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

import click

from hub_callbacks.session.access import address
from hub_callbacks.settings import Settings
from hub_callbacks.transport.people import PeopleApi

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextmanager
def people_hub() -> Iterator[PeopleApi]:
    """The hub that this machine points to."""
    hub = address(Settings.load())
    with closing(PeopleApi(hub["api_url"], hub["api_key"])) as api:
        yield api


def moment(unix_s: float | None, *, never: str = "-") -> str:
    """The moment in the reader's own time, to the minute."""
    return datetime.fromtimestamp(unix_s).astimezone().strftime("%Y-%m-%d %H:%M") if unix_s else never


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines whose columns stand below each other."""
    cells = [heads, *rows]
    widths = [max(len(row[place]) for row in cells) for place in range(len(heads))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def show(found: Mapping[str, Any] | Sequence[Any], lines: Iterable[str], *, as_json: bool) -> None:
    """Print what was found, as JSON or in lines."""
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(lines))
