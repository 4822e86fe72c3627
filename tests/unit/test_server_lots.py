"""Lots: what is asked meanwhile is asked together, and each gets its own answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.exc import DataError

from hub_callbacks.server.lots import Lots

UNFIT = DataError("INSERT", {}, Exception())


def run(talk: Callable[[], Awaitable[list[object]]]) -> list[object]:
    async def main() -> list[object]:
        return await talk()

    return asyncio.run(main())


async def ask_all(lots: Lots[int, int], questions: Sequence[int]) -> list[object]:
    return await asyncio.gather(*map(lots.ask, questions), return_exceptions=True)


def test_questions_of_the_meantime_are_answered_together() -> None:
    asked: list[Sequence[int]] = []
    may_answer = threading.Event()

    def answer(questions: Sequence[int]) -> list[int | Exception]:
        asked.append(questions)
        assert may_answer.wait(30)
        return [2 * question for question in questions]

    async def talk() -> list[object]:
        lots = Lots(answer)
        first = asyncio.create_task(lots.ask(1))
        while not asked:
            await asyncio.sleep(0)
        others = asyncio.gather(*map(lots.ask, (2, 3)))
        await asyncio.sleep(0)
        may_answer.set()
        return [await first, *await others, await lots.ask(4)]

    assert run(talk) == [2, 4, 6, 8]
    assert asked == [[1], [2, 3], [4]]


def test_lot_begins_beside_another_only_when_it_is_as_large() -> None:
    asked: list[Sequence[int]] = []
    may_answer = {first: threading.Event() for first in (1, 2, 3, 6)}

    def answer(questions: Sequence[int]) -> list[int | Exception]:
        asked.append(questions)
        assert may_answer[questions[0]].wait(30)
        return list(questions)

    async def until(*lots: Sequence[int]) -> None:
        while asked != list(lots):
            await asyncio.sleep(0)

    async def talk() -> list[object]:
        lots = Lots(answer, at_once=2)
        tasks = [asyncio.create_task(lots.ask(1))]
        await until([1])
        tasks.append(asyncio.create_task(lots.ask(2)))
        await until([1], [2])
        tasks += [asyncio.create_task(lots.ask(question)) for question in (3, 4, 5)]
        await asyncio.sleep(0)
        may_answer[1].set()
        await until([1], [2], [3, 4, 5])
        may_answer[2].set()
        await tasks[1]
        tasks.append(asyncio.create_task(lots.ask(6)))
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(lots.ask(question)) for question in (7, 8)]
        await until([1], [2], [3, 4, 5], [6, 7, 8])
        may_answer[6].set()
        may_answer[3].set()
        return await asyncio.gather(*tasks)

    assert run(talk) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert asked == [[1], [2], [3, 4, 5], [6, 7, 8]]


def test_refusal_is_of_one_question_alone() -> None:
    refusal = ValueError("no")
    lots = Lots[int, int](lambda questions: [refusal if question == 2 else question for question in questions])
    assert run(lambda: ask_all(lots, [1, 2, 3])) == [1, refusal, 3]


def test_what_the_store_cannot_keep_fails_alone() -> None:
    def answer(questions: Sequence[int]) -> list[int | Exception]:
        if 2 in questions:
            raise UNFIT
        return list(questions)

    assert run(lambda: ask_all(Lots(answer), [1, 2, 3])) == [1, UNFIT, 3]


def test_failure_is_everybodys_and_not_the_next_lots() -> None:
    failures = [OSError("disk")]

    def answer(questions: Sequence[int]) -> list[int | Exception]:
        if failures:
            raise failures.pop()
        return list(questions)

    async def talk() -> list[object]:
        lots = Lots(answer)
        return [str(said) for said in await ask_all(lots, [1, 2])] + await ask_all(lots, [3])

    assert run(talk) == ["disk", "disk", 3]


def test_question_of_someone_who_left_holds_nobody_up() -> None:
    async def talk() -> list[object]:
        lots = Lots[int, int](list)
        gone = asyncio.create_task(lots.ask(1))
        await asyncio.sleep(0)
        gone.cancel()
        return await ask_all(lots, [2])

    assert run(talk) == [2]
