"""``hub-callbacks settings``: show the settings in force, and change them."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from hub_callbacks.errors import SettingsError
from hub_callbacks.settings import Resolved, resolve, save, table, user_file


@click.command("settings")
@click.argument("changes", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def settings_command(changes: tuple[str, ...], as_json: bool) -> None:
    """Show every setting, or change those given as NAME=VALUE. Each is shown with where its value comes from.

    NAME= takes a setting out of the file again.
    """
    if changes:
        pairs = dict(_pair(change) for change in changes)
        try:
            path = save(pairs)
        except SettingsError as error:
            if isinstance(error.__cause__, OSError):
                raise
            raise click.UsageError(str(error)) from error
        click.echo(f"Saved in {path}.")
    resolved = resolve(os.environ)
    if as_json:
        click.echo(
            json.dumps({name: {"value": shown(name, found), "from": found.source} for name, found in resolved.items()})
        )
    elif not changes:
        _print(resolved)
    _warn_of_overrides(changes, resolved)


def shown(name: str, found: Resolved) -> Any:
    """A setting's value as people and JSON may see it: plain, a key masked."""
    is_secret = next(row.metadata["secret"] for row in table() if row.name == name)
    if is_secret:
        return mask(found.value)
    if isinstance(found.value, tuple):
        return ",".join(found.value)
    return found.value if isinstance(found.value, (bool, int, float, str)) else str(found.value)


def mask(key: str) -> str:
    """A key's last four characters behind stars; nothing for no key."""
    return f"****{key[-4:]}" if key else ""


def _pair(change: str) -> tuple[str, str]:
    name, equals, value = change.partition("=")
    if not equals:
        raise click.UsageError(f"{change!r} is not NAME=VALUE. For instance: hub-callbacks settings hub=false")
    return name, value


def _print(resolved: dict[str, Resolved]) -> None:
    width = max(len(row.name) for row in table())
    for row in table():
        found = resolved[row.name]
        value = shown(row.name, found)
        text = str(value).lower() if isinstance(value, bool) else str(value)
        click.echo(f"{row.name:<{width}} {text or '-':<40} {found.source}")
        click.echo(f"{'':<{width}} {row.metadata['help']}")
    click.echo(f"\nFile: {user_file()}. An environment variable HUB_CALLBACKS_<NAME> goes before it.")


def _warn_of_overrides(changes: tuple[str, ...], resolved: dict[str, Resolved]) -> None:
    for name, _ in map(_pair, changes):
        if resolved[name].source in os.environ:
            click.echo(f"Note: {resolved[name].source} is set and goes before the file.", err=True)
