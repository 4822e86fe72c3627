"""What cannot be undone is asked for, once."""

from __future__ import annotations

import sys

import click

sure = click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")


def is_asked() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def ask(question: str, *, is_sure: bool) -> None:
    """Have the person say yes, unless they have said so already.

    Raises:
        click.Abort: They do not.
        click.UsageError: There is nobody to ask.
    """
    if is_sure:
        return
    if not is_asked():
        raise click.UsageError(f"{question} Nobody can be asked here: say --yes.")
    click.confirm(question, abort=True)
