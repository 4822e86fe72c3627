"""The local hub as a real process: one that does not come up, and one whose port another user's hub has."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub_callbacks import wire
from hub_callbacks.courier import local_hub
from hub_callbacks.errors import UnreachableError
from hub_callbacks.transport import HubApi
from tests.integration.processes import kill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from tests.hubs import HubServer


def test_local_hub_that_dies_as_it_starts_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "hub.db").write_bytes(b"no database" * 1000)
    began = time.monotonic()
    with pytest.raises(UnreachableError, match=r"ended with exit status 1; see .*hub\.log"):
        local_hub.ensure(tmp_path, port=0)
    assert time.monotonic() - began < local_hub.START_TIMEOUT_S / 2


def leave_note(data_dir: Path, url: str) -> wire.LocalHub:
    """The note of a hub that listened there, and has ended since."""
    note = wire.LocalHub(url=url, key=wire.new_key(), seal="s" * 64, pid=1)
    note.write(data_dir)
    return note


def test_hub_of_another_user_on_the_port_of_before_is_not_taken_for_ours(hub: HubServer, tmp_path: Path) -> None:
    leave_note(tmp_path, hub.url)
    assert local_hub.running(tmp_path) is None
    ours = local_hub.ensure(tmp_path, port=int(hub.url.rpartition(":")[2]))
    try:
        assert ours.url != hub.url
        assert HubApi(ours.url, ours.key).is_that(ours)
        HubApi(ours.url, ours.key).authenticate()
        assert local_hub.running(tmp_path) == ours
        assert not HubApi(hub.url, "").is_that(replace(ours, url=hub.url))
    finally:
        kill(ours.pid)


def test_whatever_has_the_port_of_before_gets_no_key(serve: Callable[..., tuple[str, int]], tmp_path: Path) -> None:
    heads: list[bytes] = []

    async def listen(scope: Scope, receive: Receive, send: Send) -> None:
        heads.extend(value for pair in scope["headers"] for value in pair)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"hub-callbacks-proof", b"\xe4")]})
        await send({"type": "http.response.body", "body": b"{}"})

    host, port = serve(listen)
    note = leave_note(tmp_path, f"http://{host}:{port}")
    assert local_hub.running(tmp_path) is None
    assert heads
    assert not [head for head in heads if note.key.encode() in head or note.seal.encode() in head]
