"""Questions of many requests that are answered together: on one thread, with one look into the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from sqlalchemy.exc import DataError
from starlette.concurrency import run_in_threadpool

QuestionT = TypeVar("QuestionT")
AnswerT = TypeVar("AnswerT")
_LARGEST: Final = 256  # questions in a lot; beyond that, more of them save nothing and the first wait longer


class Lots(Generic[QuestionT, AnswerT]):
    """What is asked while a lot is being answered makes up the next one. The event loop's thread alone may ask.

    Nobody waits for a lot to fill: a question that comes alone is asked alone. A hop to a thread, a transaction and the
    disk's acknowledgement cost about as much for a hundred requests as for one.

    Args:
        answer: Answers a lot, on a thread: an answer for each question, or the error that is raised for it.
        at_once: How many lots may be answered beside each other. Beside others, one begins when it is as large as they.
    """

    def __init__(
        self, answer: Callable[[Sequence[QuestionT]], Sequence[AnswerT | Exception]], *, at_once: int = 1
    ) -> None:
        self._answer, self._at_once = answer, at_once
        self._waiting: list[tuple[QuestionT, asyncio.Future[AnswerT]]] = []
        self._works: dict[asyncio.Task[None], int] = {}  # with how many questions

    async def ask(self, question: QuestionT) -> AnswerT:
        """The answer, of a look that was taken after this call.

        Raises:
            Exception: The question's error, or the one that kept its whole lot from being answered.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[AnswerT] = loop.create_future()
        self._waiting.append((question, future))
        loop.call_soon(self._begin)  # with what else is asked before
        return await future

    def _begin(self) -> None:
        smallest = min(self._works.values(), default=1)
        if len(self._waiting) >= smallest and len(self._works) < self._at_once:
            lot, self._waiting = self._waiting[:_LARGEST], self._waiting[_LARGEST:]
            work = asyncio.create_task(self._work_off(lot))
            self._works[work] = len(lot)
            work.add_done_callback(self._go_on)

    def _go_on(self, work: asyncio.Task[None]) -> None:
        del self._works[work]
        self._begin()

    async def _work_off(self, lot: Sequence[tuple[QuestionT, asyncio.Future[AnswerT]]]) -> None:
        answers = await self._answers([question for question, _ in lot])
        for (_, future), answer in zip(lot, answers, strict=True):
            _settle(future, answer)

    async def _answers(self, questions: Sequence[QuestionT]) -> Sequence[AnswerT | Exception]:
        try:
            return await run_in_threadpool(self._answer, questions)
        except DataError as error:  # one of them holds what the store cannot keep: it fails alone
            if len(questions) == 1:
                return [error]
            return [answer for question in questions for answer in await self._answers([question])]
        except Exception as error:  # noqa: BLE001 - each request's own handlers know what to say of it
            return [error] * len(questions)


def _settle(future: asyncio.Future[AnswerT], answer: AnswerT | Exception) -> None:
    if future.done():  # whoever asked was cancelled
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
