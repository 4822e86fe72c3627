"""The kinds of settings: how a setting's text is read, and what it may say."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

LogForm = Literal["text", "json", "off"]
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


class Kind(NamedTuple):
    """How a setting's text is read, and what it may say."""

    parse: Callable[[str], Any]
    allowed: str


def _flag(text: str) -> bool:
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise ValueError


def _amount(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def _workers(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _port(text: str) -> int:
    value = _count(text)
    if value > 65535:
        raise ValueError
    return value


def _url(text: str) -> str:
    if not text:
        return text
    scheme, _, rest = text.partition("://")
    if scheme not in {"http", "https"} or not rest.strip("/") or any(c.isspace() for c in text):
        raise ValueError
    return text.rstrip("/")


def _key(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError
    return text


def parse_path(text: str) -> Path:
    """The folder, from the root on.

    Raises:
        ValueError: The text is empty.
    """
    if not text:
        raise ValueError
    return Path(text).expanduser().absolute()


def _location(text: str) -> str:
    scheme, colon, rest = text.partition("://")
    if (text and not (scheme.replace("+", "").isalnum() and colon and rest)) or any(c.isspace() for c in text):
        raise ValueError
    return text


def _log(text: str) -> str:
    if text not in get_args(LogForm):
        raise ValueError
    return text


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


FLAG = Kind(_flag, "true or false")
SECONDS = Kind(_amount, "a number of seconds, 0 or more")
MEGABYTES = Kind(_amount, "a number of megabytes, 0 or more")
COUNT = Kind(_count, "a number, 0 or more")
WORKERS = Kind(_workers, "a number, 1 or more")
PORT = Kind(_port, "a port from 0 to 65535")
URL = Kind(_url, "an http:// or https:// URL, or nothing")
KEY = Kind(_key, "an API key: printable ASCII without spaces")
PATH = Kind(parse_path, "a folder")
LOCATION = Kind(_location, "a URL, or nothing")
LOG = Kind(_log, "text, json or off")
HOSTS = Kind(_names, "names of hosts with commas between them")
NAMES = Kind(_names, "plugin names with commas between them")
