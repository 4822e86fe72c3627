"""What a `FaultHub` answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from hub_callbacks import wire


class Answer(NamedTuple):
    """A reply.

    Attributes:
        status: Of HTTP.
        body: JSON; empty for none.
        headers: More of them.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


def success(data: Any) -> Answer:
    """A reply of 200."""
    return Answer(200, json.dumps(wire.Envelope(success=True, message="", data=data)).encode())


def refusal(status: int, message: str) -> Answer:
    """A reply that says no, as a hub says it."""
    return Answer(status, json.dumps(wire.Envelope(success=False, message=message, data=None)).encode())
