"""What a `FaultHub` can do wrong with a request: one function for each of its switches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from hub_callbacks.testing.exchange import JSON, HttpExchange

PORTAL = b"<!doctype html><title>Sign in</title><h1>Welcome to the airport's Wi-Fi</h1>"


@dataclass(frozen=True, slots=True)
class Fault:
    """A switch that is on.

    Attributes:
        name: What stands in `ReceivedRequest.fault`.
        act: Handles a request; with the event that is set when the switch is off again.
        over: That event.
    """

    name: str
    act: Callable[[HttpExchange, threading.Event], None]
    over: threading.Event = field(default_factory=threading.Event)


def reply(exchange: HttpExchange, _: threading.Event, *, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    """Take the body, do nothing with it, and answer."""
    exchange.drain()
    exchange.head(status, len(body), headers)
    exchange.write(body)


def replying(name: str, status: int, body: bytes, headers: Mapping[str, str]) -> Fault:
    """The fault that answers so."""
    return Fault(name, partial(reply, status=status, body=body, headers=headers))


def reset(exchange: HttpExchange, _: threading.Event, *, share: float) -> None:
    """Break off when that share of the body is read."""
    exchange.drain(share)
    exchange.reset()


def hang(exchange: HttpExchange, over: threading.Event) -> None:
    """Read nothing, answer nothing; when it is over, break off."""
    over.wait()
    exchange.reset()


def trickle(exchange: HttpExchange, over: threading.Event, *, interval_s: float) -> None:
    """Do what is asked, and say so a byte at a time; when it is over, break off."""
    status, body = exchange.serve()
    exchange.head(status, len(body), {"content-type": JSON})
    for byte in body:
        exchange.write(bytes([byte]))
        if over.wait(interval_s):
            exchange.reset()
            return


def truncate(exchange: HttpExchange, _: threading.Event) -> None:
    """Do what is asked, and break off in the middle of saying so."""
    status, body = exchange.serve()
    exchange.head(status, len(body), {"content-type": JSON})
    exchange.write(body[: len(body) // 2])
    exchange.end()
