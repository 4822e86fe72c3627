"""Signed tokens: good for one purpose, one subject, until a moment, from one hub."""

from __future__ import annotations

import pytest

from hub_callbacks.server.signing import Signer


def signer(now: float = 1000.0, secret: str = "a" * 64) -> Signer:
    return Signer(secret=secret, clock=lambda: now)


def test_token_gives_its_subject_back() -> None:
    assert signer().check("file", signer().sign("file", "abc", ttl_s=60)) == "abc"


@pytest.mark.parametrize("now", [1060.0, 1e9])
def test_token_expires(now: float) -> None:
    assert signer(now).check("file", signer().sign("file", "abc", ttl_s=60)) is None


def test_token_serves_no_other_purpose() -> None:
    assert signer().check("session", signer().sign("file", "abc", ttl_s=60)) is None


def test_token_of_another_hub_is_refused() -> None:
    assert signer(secret="b" * 64).check("file", signer().sign("file", "abc", ttl_s=60)) is None


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: "9" + t, lambda t: t.replace("abc", "abd"), lambda t: ""]
)
def test_token_that_was_changed_is_refused(change: object) -> None:
    token = signer().sign("file", "abc", ttl_s=60)
    assert callable(change)
    assert signer().check("file", change(token)) is None


def test_signer_shows_no_secret() -> None:
    assert "aaaa" not in repr(signer())
