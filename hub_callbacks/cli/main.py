"""The command group: each command is imported when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from hub_callbacks import __version__
from hub_callbacks.cli.words import in_words
from hub_callbacks.errors import HubCallbacksError

_COMMANDS = {
    "audit": "people",
    "datasets": "datasets",
    "db": "db",
    "demo": "demo",
    "doctor": "doctor",
    "keys": "people",
    "open": "hub",
    "projects": "projects",
    "runs": "hub_runs",
    "serve": "hub",
    "settings": "settings",
    "status": "runs",
    "sync": "runs",
    "train": "train",
    "users": "people",
}


class _Group(click.Group):
    """Finds a command's function in its module, and turns our errors into one line and exit code 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(import_module(f"hub_callbacks.cli.{_COMMANDS[cmd_name]}"), f"{cmd_name}_command")
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except HubCallbacksError as error:
            raise click.ClickException(in_words(error)) from error


@click.group(cls=_Group)
@click.version_option(__version__, package_name="hub-callbacks")
def main() -> None:
    """Record every Ultralytics training, and deliver it to a hub that is yours."""
