"""Waiting for what others do, with a limit."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Generator
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


@types.coroutine
def within(limit_s: float, awaitable: Awaitable[T]) -> Generator[Any, Any, T]:
    """What the awaitable returns.

    The clock is set only when it begins to wait: nearly all of what a request brings is there already, and to set a
    clock takes longer than to take it.

    Raises:
        TimeoutError: It did not return within so many seconds, and was cancelled.
    """
    steps = awaitable.__await__()
    try:
        awaited = next(steps)
        with anyio.move_on_after(limit_s):
            while True:  # as ``yield from`` does, but that it has begun (PEP 380)
                try:
                    answer = yield awaited
                except BaseException as error:  # noqa: BLE001, PERF203
                    awaited = steps.throw(error)
                else:
                    awaited = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result
    raise TimeoutError
