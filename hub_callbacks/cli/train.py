"""``hub-callbacks train``: start or continue a model of the hub, or train a file, from the command line."""

from __future__ import annotations

import ast
import importlib.util
from typing import Any

import click

from hub_callbacks.errors import IdentifierError

_WORDS = {"none": None, "true": True, "false": False}


@click.command("train")
@click.argument("model")
@click.argument("arguments", nargs=-1, metavar="[NAME=VALUE]...")
def train_command(model: str, arguments: tuple[str, ...]) -> None:
    """Train MODEL, which is one of the hub or a file.

    It is a page of the hub (<hub>/models/ID), an ID, KEY_ID, or a .pt or .yaml file.

    A model of the hub starts with the hub's arguments, or continues from its last checkpoint, whichever machine it was
    on. Further arguments are those of Ultralytics: device=0 project=runs.
    """
    if importlib.util.find_spec("ultralytics") is None:
        raise click.ClickException('Training needs Ultralytics: pip install "hub-callbacks[ultralytics]"')
    given = dict(map(_argument, arguments))
    from hub_callbacks.callbacks.start import check_arguments, train

    if given:
        try:
            check_arguments(given)
        except ValueError as error:
            raise click.UsageError(f"Ultralytics does not take this: {click.unstyle(str(error))}") from error
    try:
        train(model, given)
    except IdentifierError as error:
        raise click.BadParameter(str(error), param_hint="MODEL") from error


def _argument(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name.isidentifier() or not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE.")
    return name, _value(value)


def _value(text: str) -> Any:
    """A word, a number, a list or else the text itself, as the ``yolo`` command reads it."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
