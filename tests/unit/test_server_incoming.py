"""A stream's bytes on their way to a thread: all of them, in order, never too many at once, and no error lost."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from hub_callbacks.server.incoming import Incoming

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

PIECE = bytes(range(256)) * 1024  # a quarter of a mebibyte
TIMEOUT_S = 30


async def pieces(count: int, *, breaks: bool = False) -> AsyncIterator[bytes]:
    for number in range(count):
        await asyncio.sleep(0)
        yield number.to_bytes(4, "big") + PIECE
    if breaks:
        raise ConnectionError("The client is gone.")


def numbers(lots: list[list[bytes]]) -> list[int]:
    return [int.from_bytes(piece[:4], "big") for lot in lots for piece in lot]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 50])
def test_all_bytes_are_handed_on_in_their_order(count: int) -> None:
    lots: list[list[bytes]] = []
    asyncio.run(Incoming().feed(pieces(count), lambda lot: lots.append(list(lot))))
    assert numbers(lots) == list(range(count))
    assert all(len(lot) >= 4 for lot in lots[:-1])


def test_what_came_before_a_break_is_handed_on() -> None:
    lots: list[list[bytes]] = []
    with pytest.raises(ConnectionError):
        asyncio.run(Incoming().feed(pieces(6, breaks=True), lambda lot: lots.append(list(lot))))
    assert numbers(lots) == list(range(6))


def test_stream_is_held_back_while_the_thread_is_busy() -> None:
    taken_while_busy = 0
    taken, go_on = 0, threading.Event()
    is_full = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while not go_on.is_set():
            taken += 1
            if taken == 8:
                is_full.set()
            yield PIECE
            await asyncio.sleep(0)

    async def run() -> None:
        nonlocal taken_while_busy
        work = asyncio.create_task(Incoming().feed(endless(), lambda _: assert_set(go_on)))
        await asyncio.wait_for(is_full.wait(), TIMEOUT_S)
        for _ in range(1000):  # as often as it takes to run away
            await asyncio.sleep(0)
        taken_while_busy = taken
        go_on.set()
        await work

    asyncio.run(run())
    assert taken_while_busy == 8  # a lot in the thread, and the next one


def assert_set(event: threading.Event) -> None:
    assert event.wait(TIMEOUT_S)


@pytest.mark.parametrize("fails_at", [1, 2])
def test_error_of_the_thread_ends_the_stream(fails_at: int) -> None:
    lots: list[Sequence[bytes]] = []

    def fail(lot: Sequence[bytes]) -> None:
        lots.append(lot)
        if len(lots) == fails_at:
            raise OSError("No space left on device.")

    with pytest.raises(OSError, match="No space"):
        asyncio.run(Incoming().feed(pieces(1000), fail))
    assert len(lots) == fails_at
