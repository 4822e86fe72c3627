"""IDs and keys: how they look, and fresh ones."""

from __future__ import annotations

import re
import secrets
import string

ID_LENGTH = 20  # ultralytics 8.0-8.2 splits KEY_ID by these two lengths
KEY_LENGTH = 42
_ALPHABET = string.ascii_letters + string.digits  # neither "_", which splits KEY_ID, nor "." or "/", which split paths
ID_PATTERN = rf"^[A-Za-z0-9]{{{ID_LENGTH}}}$"


def new_id() -> str:
    """A fresh model ID: 20 letters and digits, 119 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH))


def new_key() -> str:
    """A fresh API key: 42 letters and digits, 250 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(KEY_LENGTH))


def is_id(text: str) -> bool:
    """Whether the text has the form of a model ID."""
    return re.fullmatch(ID_PATTERN, text) is not None
