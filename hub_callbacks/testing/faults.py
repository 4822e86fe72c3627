"""What a `FaultHub` can do wrong with a request: one function for each of its switches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from hub_callbacks.testing.exchange import HttpExchange

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
    if exchange.command != "HEAD":
        exchange.write(body)


def replying(name: str, status: int, body: bytes, headers: Mapping[str, str]) -> Fault:
    """The fault that answers so."""
    return Fault(name, partial(reply, status=status, body=body, headers=headers))


def reset(exchange: HttpExchange, _: threading.Event, *, share: float) -> None:
    """Break off when that share of the body is read."""
    exchange.serve_in_part(share)
    exchange.reset()


def hang(exchange: HttpExchange, over: threading.Event) -> None:
    """Read nothing, answer nothing; when it is over, break off."""
    over.wait()
    exchange.reset()


def trickle(exchange: HttpExchange, over: threading.Event, *, interval_s: float) -> None:
    """Do what is asked, and say so a byte at a time; when it is over, break off."""
    for byte in _last_part(exchange):
        exchange.write(bytes([byte]))
        if over.wait(interval_s):
            exchange.reset()
            return


def answer_after(exchange: HttpExchange, _: threading.Event, *, change: Callable[[], None]) -> None:
    """Change something, then do what is asked."""
    change()
    exchange.answer()


def truncate(exchange: HttpExchange, _: threading.Event) -> None:
    """Do what is asked, and break off in the middle of saying so."""
    said = _last_part(exchange)
    exchange.write(said[: len(said) // 2])
    exchange.end()


def _last_part(exchange: HttpExchange) -> bytes:
    """Do what is asked; what is still to be sent of the reply: its body, or its head where it has none."""
    answer = exchange.serve()
    if exchange.command == "HEAD" or not answer.body:
        return exchange.raw_head(answer)
    exchange.say(answer)
    return answer.body
