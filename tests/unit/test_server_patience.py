"""Patience: a limit to a wait, and a clock only where there is one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import pytest
from pytest_mock import MockerFixture

from hub_callbacks.server.patience import within

SHORT_S, LONG_S = 0.01, 60.0


class OddError(Exception):
    pass


def run(limit_s: float, begin: Callable[[], Awaitable[str]]) -> str:
    async def main() -> str:
        return await within(limit_s, begin())

    return asyncio.run(main())


async def wait_for_ever() -> str:
    await asyncio.Event().wait()
    return "never"


async def wait_and_fail() -> str:
    await asyncio.sleep(0)
    raise OddError


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_within_returns_what_the_awaitable_returns(steps: int) -> None:
    async def go() -> str:
        for _ in range(steps):
            await asyncio.sleep(0)
        return "done"

    assert run(LONG_S, go) == "done"


def test_within_sets_no_clock_where_nothing_is_waited_for(mocker: MockerFixture) -> None:
    clock = mocker.spy(anyio, "move_on_after")

    async def go() -> str:
        return "done"

    run(LONG_S, go)
    assert clock.call_count == 0


def test_within_gives_up_what_takes_too_long() -> None:
    with pytest.raises(TimeoutError):
        run(SHORT_S, wait_for_ever)


def test_within_lets_what_is_given_up_tidy_up_and_wait_for_that() -> None:
    tidied: list[str] = []

    async def go() -> str:
        try:
            return await wait_for_ever()
        finally:
            with anyio.CancelScope(shield=True):
                await asyncio.sleep(0)
            tidied.append("up")

    with pytest.raises(TimeoutError):
        run(SHORT_S, go)
    assert tidied == ["up"]


def test_within_passes_on_the_errors_of_the_awaitable() -> None:
    with pytest.raises(OddError):
        run(LONG_S, wait_and_fail)


def test_within_is_cancelled_as_any_wait_is() -> None:
    async def main() -> None:
        task = asyncio.create_task(wait_within())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def wait_within() -> str:
        return await within(LONG_S, wait_for_ever())

    asyncio.run(main())
