"""The form of IDs and addresses, looked at before the hub is asked."""

from __future__ import annotations

import click

from hub_callbacks import wire


def checked_id(text: str) -> str:
    """The type of an argument or an option that is an ID.

    Raises:
        click.BadParameter: It has not the form of one.
    """
    if not wire.is_id(text):
        raise click.BadParameter(f"{text!r} is no ID: one has {wire.ID_LENGTH} letters and digits.")
    return text


def checked_email(text: str) -> str:
    """The type of an option that is an e-mail address.

    Raises:
        click.BadParameter: It has not the form of one.
    """
    name, at, domain = text.partition("@")
    if not (name and at and domain) or "@" in domain or len(text.split()) > 1:
        raise click.BadParameter(f"{text!r} is no e-mail address, as ada@example.org is.")
    return text


def checked_user(text: str) -> str:
    """The type of an argument or an option that says who, by ID or e-mail address.

    Raises:
        click.BadParameter: It has the form of neither.
    """
    if "@" not in text and not wire.is_id(text):
        raise click.BadParameter(f"{text!r} is no e-mail address and no ID: {wire.ID_LENGTH} letters and digits.")
    return text
