"""`request_queue`: what a script of its own says to the hub is said again while that can help."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from hub_callbacks.errors import RetryableError, UnreachableError
from hub_callbacks.session import HUBTrainingSession
from hub_callbacks.session.retrying import call_retrying
from hub_callbacks.settings import Settings


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def call(slept: list[float]) -> Callable[..., Any]:
    def call(function: Callable[[], Any], **options: Any) -> Any:
        options = {"retry": 3, "timeout_s": 30, "verbose": True, **options}
        return call_retrying(function, sleep=slept.append, **options)

    return call


def get(script: Any) -> requests.Response:
    return requests.get(script.url, timeout=10, stream=True)


def refusal(message: str) -> bytes:
    return json.dumps({"success": False, "message": message, "data": None}).encode()


def test_none_is_asked_for_again(call: Callable[..., Any], slept: list[float]) -> None:
    replies = iter([None, "reply"])
    assert call(lambda: next(replies)) == "reply"
    assert len(slept) == 1


def test_none_is_given_up_after_its_tries(call: Callable[..., Any], slept: list[float]) -> None:
    assert call(lambda: None) is None
    assert len(slept) == 3
    assert all(delay_s <= 2.0**attempt for attempt, delay_s in enumerate(slept))


def test_nothing_is_asked_for_again_after_the_time(call: Callable[..., Any], slept: list[float]) -> None:
    assert call(lambda: None, timeout_s=-1) is None
    assert slept == []


def test_error_that_can_heal_waits_as_long_as_the_hub_asked(call: Callable[..., Any], slept: list[float]) -> None:
    def fail() -> None:
        raise RetryableError("429", retry_after_s=7.0)

    with pytest.raises(RetryableError):
        call(fail, retry=2)
    assert slept == [7.0, 7.0]


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_response_that_can_heal_is_asked_for_again(
    call: Callable[..., Any], slept: list[float], script: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    script.will_answer(status, refusal("Too many requests."), retry_after="5")
    script.will_answer(200, {})
    assert call(lambda: get(script)).ok
    assert slept == [5.0]
    assert f"answered {status}: Too many requests. The next try is in 5 s." in caplog.text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_response_that_cannot_heal_is_final_and_told_with_the_hubs_message(
    call: Callable[..., Any], slept: list[float], script: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    script.will_answer(status, refusal("Because."))
    assert call(lambda: get(script)).status_code == status
    assert slept == []
    assert f"answered {status}: Because." in caplog.text


@pytest.mark.parametrize("body", [b"<html>", b"[]", b""])
def test_refusal_that_is_no_json_is_told_by_its_status(
    call: Callable[..., Any], script: Any, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    script.will_answer(404, body)
    assert call(lambda: get(script)).status_code == 404
    assert "answered 404: Not Found" in caplog.text


def test_last_response_is_returned_when_none_was_good(call: Callable[..., Any], script: Any) -> None:
    for _ in range(2):
        script.will_answer(503)
    assert call(lambda: get(script), retry=1).status_code == 503


def test_quiet_call_says_nothing(call: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    call(lambda: None, verbose=False)
    assert caplog.text == ""


def test_streamed_response_counts_when_it_is_read_to_its_end(call: Callable[..., Any], script: Any) -> None:
    script.will_answer(200, b"half", content_length="99", connection="close")
    script.will_answer(200, b"whole")
    assert call(lambda: get(script), is_streamed=True).ok
    assert len(script.heard) == 2
    script.will_answer(200, b"half", content_length="99", connection="close")
    with pytest.raises(UnreachableError):
        call(lambda: get(script), is_streamed=True, retry=0)


def test_session_calls_in_a_thread_or_here_and_hands_everything_on(settings: Settings) -> None:
    session = HUBTrainingSession("yolo11n.yaml", settings=settings)
    assert session.request_queue(lambda word: word, thread=False, progress_total=9, word="reply") == "reply"
    assert session.request_queue(lambda *words: words, 0, 1.0, False, False, None, True, "a", "b") == ("a", "b")
    called = threading.Barrier(2, timeout=10)
    assert session.request_queue(called.wait) is None
    called.wait()
