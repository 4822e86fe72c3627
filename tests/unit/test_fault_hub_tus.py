"""The fault hub, as it takes checkpoints by tus."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hub_callbacks import wire
from hub_callbacks.errors import PermanentError, RetryableError, TransportError, UnreachableError
from hub_callbacks.records import Checkpoint, RunStarted
from hub_callbacks.testing import FaultHub
from hub_callbacks.transport import HubApi, Upload

RUN = "r" * 20
SIZE_BYTES = 2 * wire.TUS_CHUNK_BYTES + 1000


@pytest.fixture
def hub() -> Iterator[FaultHub]:
    with FaultHub() as hub:
        yield hub


@pytest.fixture
def api(hub: FaultHub) -> Iterator[HubApi]:
    api = HubApi(hub.url, "any-key")
    api.create(RUN, RunStarted(name="train", epochs=3, started_at=0.0))
    yield api
    api.close()


class Sender:
    """A courier's tries to send one checkpoint."""

    def __init__(self, api: HubApi, path: Path) -> None:
        path.write_bytes(b"PK\r\n--".ljust(SIZE_BYTES, b"x"))
        self._api = api
        self._url = ""
        record = Checkpoint(epoch=2, filename="best.pt", size_bytes=SIZE_BYTES, is_final=True, map=0.5, recorded_at=0.0)
        self.sent_bytes: list[int] = []
        self.on_created: Callable[[], object] = lambda: None
        self.is_retry = False
        self._upload = Upload(checkpoint=record, path=path, on_created=self._note, on_progress=self.sent_bytes.append)

    def send(self) -> None:
        upload = replace(self._upload, url=self._url, is_retry=self.is_retry)
        self.is_retry = True
        self._api.upload_resumably(RUN, upload)

    def _note(self, url: str) -> None:
        self._url = url
        self.on_created()


@pytest.fixture
def sender(api: HubApi, tmp_path: Path) -> Sender:
    return Sender(api, tmp_path / "copy.pt")


def assert_there(hub: FaultHub) -> None:
    (checkpoint,) = hub.runs[RUN].checkpoints
    assert checkpoint.sha256 == hashlib.sha256(b"PK\r\n--".ljust(SIZE_BYTES, b"x")).hexdigest()
    assert (checkpoint.filename, checkpoint.epoch, checkpoint.is_final) == ("best.pt", 2, True)
    assert checkpoint.fields == {"epoch": "2", "type": "final", "map": "0.5"}
    assert checkpoint.size_bytes == SIZE_BYTES


@pytest.mark.parametrize("is_retry", [False, True])
def test_checkpoint_comes_by_tus(hub: FaultHub, sender: Sender, is_retry: bool) -> None:
    sender.is_retry = is_retry
    sender.send()
    assert_there(hub)
    sender.send()  # the reply was lost: the hub has it
    assert_there(hub)


SWITCHES: dict[str, tuple[Callable[[FaultHub], None], type[TransportError], str]] = {
    "503": (lambda hub: hub.answer(503), RetryableError, "503"),
    "422": (lambda hub: hub.answer(422), PermanentError, "422"),
    "portal": (lambda hub: hub.capture(), RetryableError, "in between"),
    "gateway": (lambda hub: hub.capture(status=404), PermanentError, "in between"),
    "truncated": (lambda hub: hub.truncate(), UnreachableError, "head of the reply is cut off"),
    "reset before": (lambda hub: hub.reset_before_body(), UnreachableError, "."),
    "reset within": (lambda hub: hub.reset_within_body(on="checkpoint"), UnreachableError, "."),
    "rewind": (lambda hub: hub.rewind(), RetryableError, "409"),
    "expire": (lambda hub: hub.expire(), RetryableError, "410"),
}


@pytest.mark.parametrize("name", SWITCHES)
def test_switch_works_on_tus_until_it_is_healed(hub: FaultHub, sender: Sender, name: str) -> None:
    switch, error, message = SWITCHES[name]
    switch(hub)
    for _ in range(2):
        with pytest.raises(error, match=message):
            sender.send()
    hub.heal()
    sender.send()
    assert_there(hub)


def test_upload_that_broke_goes_on_where_it_was(hub: FaultHub, sender: Sender) -> None:
    sender.on_created = lambda: hub.reset_within_body(on="checkpoint")
    with pytest.raises(UnreachableError):
        sender.send()
    hub.heal()
    sender.sent_bytes.clear()
    sender.send()
    assert sender.sent_bytes[0] > SIZE_BYTES // 3
    assert_there(hub)
