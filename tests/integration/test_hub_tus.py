"""Uploads that continue after a break, against a real hub: tus 1.0.0 (tus.io/protocols/resumable-upload)."""

from __future__ import annotations

import base64
import hashlib
import io
import socket
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from hub_callbacks import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import HubServer

VERSION = {wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION}
BIG_BYTES = 200_000_000
GROWTH_BYTES = 16_000_000  # pieces of 1 MiB for the threads, and what the allocator keeps


def checkpoint(content: bytes = bytes(range(256)) * 40) -> bytes:
    """A zip archive, as torch writes them."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    return file.getvalue()


@dataclass(frozen=True)
class Client:
    """Sends a checkpoint of one model in parts."""

    hub: HubServer
    model_id: str

    def create(self, content: bytes, **fields: Any) -> requests.Response:
        said = {"filename": "last.pt", "epoch": 3, "type": "epoch", "isBest": True}
        said |= {wire.SHA256_FIELD: hashlib.sha256(content).hexdigest(), **fields}
        return self.announce(len(content), wire.upload_metadata(said))

    def announce(self, length: object, metadata: str) -> requests.Response:
        headers = {wire.UPLOAD_LENGTH_HEADER: str(length), wire.UPLOAD_METADATA_HEADER: metadata}
        return self.hub.send("POST", wire.uploads(self.model_id), headers=VERSION | headers)

    def begin(self, content: bytes, **fields: Any) -> str:
        reply = self.create(content, **fields)
        assert reply.status_code == 201, reply.text
        return reply.headers["location"]

    def head(self, location: str) -> requests.Response:
        return self.hub.send("HEAD", location, headers=VERSION)

    def offset(self, location: str) -> int:
        reply = self.head(location)
        assert reply.status_code == 200
        return int(reply.headers[wire.UPLOAD_OFFSET_HEADER])

    def patch(self, location: str, offset: int, part: Any, **headers: str | None) -> requests.Response:
        checksum = wire.upload_checksum(hashlib.sha256(part).digest()) if isinstance(part, bytes) else None
        said = {
            wire.UPLOAD_OFFSET_HEADER: str(offset),
            "Content-Type": wire.TUS_CONTENT_TYPE,
            wire.UPLOAD_CHECKSUM_HEADER: checksum,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        given = {name: value for name, value in said.items() if value is not None}
        return self.hub.send("PATCH", location, data=part, headers=VERSION | given)

    def ask_until(self, location: str, holds: Callable[[], bool]) -> None:
        """Ask for the offset again and again until something holds."""
        for _ in range(2000):
            if holds():
                return
            self.offset(location)
        pytest.fail("It never came to hold.")

    def probe(self, location: str) -> int:
        """Write where nothing belongs; the status tells whether it is another's turn."""
        return self.patch(location, 1 << 30, b"x").status_code

    def published(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.hub.ask("GET", wire.checkpoints(self.model_id))
        return found


@pytest.fixture
def client(hub: HubServer) -> Client:
    return Client(hub, create_model(hub))


class Stuck:
    """A client in the middle of a PATCH: it has sent all but the last byte of its body."""

    def __init__(self, client: Client, location: str, content: bytes, *, offset: int = 0) -> None:
        address = urlsplit(client.hub.url)
        self._socket = socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=30)
        headers = {
            "Host": address.netloc,
            wire.API_KEY_HEADER: client.hub.key,
            wire.UPLOAD_OFFSET_HEADER: offset,
            "Content-Type": wire.TUS_CONTENT_TYPE,
            "Content-Length": len(content),
            wire.UPLOAD_CHECKSUM_HEADER: wire.upload_checksum(hashlib.sha256(content).digest()),
            **VERSION,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._socket.sendall(f"PATCH {location} HTTP/1.1\r\n{lines}\r\n".encode() + content[:-1])

    def break_off(self) -> None:
        self._socket.close()


@pytest.fixture
def restart() -> Iterator[Callable[[HubServer], HubServer]]:
    """Start a hub again that was killed or stopped."""
    with ExitStack() as stack:

        def start(hub: HubServer) -> HubServer:
            process = stack.enter_context(subprocess.Popen(hub.process.args, stdout=subprocess.PIPE, text=True))
            stack.callback(process.terminate)
            assert process.stdout is not None
            return replace(hub, url=process.stdout.readline().split()[-1], process=process)

        yield start


def kill(hub: HubServer) -> None:
    hub.process.kill()
    hub.process.wait(30)


def create_model(hub: HubServer) -> str:
    return str(hub.ask("POST", wire.MODELS, json={"meta": {"name": "train"}})["id"])


def files(hub: HubServer) -> set[str]:
    return {path.name for path in (hub.data_dir / "hub" / "blobs").rglob("*") if path.is_file()}


def test_options_tell_what_the_hub_can(client: Client) -> None:
    reply = requests.options(client.hub.url + wire.uploads(client.model_id), timeout=10)
    assert reply.status_code == 204
    assert reply.headers["Tus-Version"] == "1.0.0"
    assert set(reply.headers["Tus-Extension"].split(",")) == {"creation", "expiration", "checksum", "termination"}
    assert reply.headers["Tus-Checksum-Algorithm"].split(",") == ["sha256", "sha1"]
    assert int(reply.headers["Tus-Max-Size"]) > 10**10


def test_upload_in_parts_is_published_with_the_last(client: Client) -> None:
    content = checkpoint()
    location = client.begin(content)
    assert client.offset(location) == 0
    assert client.published() == []
    for start in range(0, len(content), 4000):
        reply = client.patch(location, start, content[start : start + 4000])
        assert reply.status_code == 204, reply.text
        assert int(reply.headers[wire.UPLOAD_OFFSET_HEADER]) == min(start + 4000, len(content))
        assert reply.headers[wire.TUS_RESUMABLE_HEADER] == "1.0.0"
    (found,) = client.published()
    told = {name: found[name] for name in ("filename", "epoch", "isBest", "isFinal", "sizeBytes", "sha256")}
    assert told == {
        "filename": "last.pt",
        "epoch": 3,
        "isBest": True,
        "isFinal": False,
        "sizeBytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert requests.get(found["url"], timeout=10).content == content
    assert client.hub.ask("GET", wire.model(client.model_id))["status"] == "training"


def test_head_tells_length_metadata_and_expiry_and_is_not_stored(client: Client) -> None:
    content = checkpoint()
    reply = client.head(client.begin(content, type="final", map=0.5, filename="best.pt"))
    assert reply.headers[wire.UPLOAD_LENGTH_HEADER] == str(len(content))
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers[wire.UPLOAD_EXPIRES_HEADER].endswith("GMT")
    said = wire.parse_upload_metadata(reply.headers[wire.UPLOAD_METADATA_HEADER])
    assert (said["filename"], said["type"], said["map"]) == ("best.pt", "final", "0.5")


def test_finished_upload_says_so_to_a_client_that_lost_the_reply(client: Client) -> None:
    content = checkpoint()
    location = client.begin(content)
    client.patch(location, 0, content)
    assert client.offset(location) == len(content)
    assert client.patch(location, 0, content).status_code == 409


def test_same_checkpoint_is_not_sent_twice(client: Client) -> None:
    content = checkpoint()
    client.patch(client.begin(content), 0, content)
    before = files(client.hub)
    assert client.offset(client.begin(content)) == len(content)
    assert (len(client.published()), files(client.hub)) == (1, before)


def test_checkpoint_that_came_as_a_form_is_not_sent_again(client: Client) -> None:
    content = checkpoint()
    form = {"epoch": "3", "type": "epoch", "isBest": "True"}
    client.hub.ask("POST", wire.upload(client.model_id), data=form, files={"last.pt": content})
    assert client.offset(client.begin(content)) == len(content)


def test_checkpoint_of_another_kind_or_epoch_or_model_is_another(client: Client) -> None:
    content = checkpoint()
    client.patch(client.begin(content), 0, content)
    other = Client(client.hub, create_model(client.hub))
    begun = [client.begin(content, epoch=4), client.begin(content, type="final"), other.begin(content)]
    assert [client.head(location).headers.get(wire.UPLOAD_OFFSET_HEADER) for location in begun[:2]] == ["0", "0"]
    assert other.offset(begun[2]) == 0


def test_upload_that_was_begun_is_found_again_by_a_client_that_forgot_it(client: Client) -> None:
    content = checkpoint()
    location = client.begin(content)
    client.patch(location, 0, content[:5000])
    assert client.begin(content) == location
    assert client.offset(location) == 5000


def test_wrong_offset_is_refused_with_the_right_one(client: Client) -> None:
    content = checkpoint()
    location = client.begin(content)
    client.patch(location, 0, content[:5000])
    for offset in (0, 4999, 5001, len(content)):
        reply = client.patch(location, offset, content[offset : offset + 10])
        assert (reply.status_code, reply.json()["success"]) == (409, False)
        assert reply.headers[wire.UPLOAD_OFFSET_HEADER] == "5000"


def test_damaged_chunk_is_discarded(client: Client) -> None:
    content = checkpoint()
    location = client.begin(content)
    client.patch(location, 0, content[:5000])
    reply = client.patch(location, 5000, content[5000:], Upload_Checksum=wire.upload_checksum(bytes(32)))
    assert (reply.status_code, reply.json()["success"]) == (wire.TUS_CHECKSUM_MISMATCH, False)
    assert client.offset(location) == 5000
    assert client.patch(location, 5000, content[5000:]).status_code == 204
    assert requests.get(client.published()[0]["url"], timeout=10).content == content


def test_chunk_may_come_with_sha1_or_without_a_checksum(client: Client) -> None:
    content = checkpoint()
    location = client.begin(content)
    sha1 = base64.b64encode(hashlib.sha1(content[:5000], usedforsecurity=False).digest()).decode()
    assert client.patch(location, 0, content[:5000], Upload_Checksum=f"sha1 {sha1}").status_code == 204
    assert client.patch(location, 5000, content[5000:], Upload_Checksum=None).status_code == 204
    assert len(client.published()) == 1


def test_file_that_is_not_what_it_claims_is_discarded(client: Client) -> None:
    content, before = checkpoint(), files(client.hub)
    location = client.begin(content, sha256="0" * 64)
    reply = client.patch(location, 0, content)
    assert (reply.status_code, reply.json()["success"]) == (wire.TUS_CHECKSUM_MISMATCH, False)
    assert client.head(location).status_code == 404
    assert (client.published(), files(client.hub)) == ([], before)


def test_file_that_is_no_zip_is_discarded(client: Client) -> None:
    content, before = b"MZ no zip" * 100, files(client.hub)
    location = client.begin(content)
    reply = client.patch(location, 0, content)
    assert (reply.status_code, reply.json()["success"]) == (422, False)
    assert client.head(location).status_code == 404
    assert (client.published(), files(client.hub)) == ([], before)


def test_bytes_beyond_the_end_are_refused_and_nothing_of_them_stays(client: Client) -> None:
    content = checkpoint()
    location = client.begin(content)
    assert client.patch(location, 0, content + b"more").status_code == 413
    assert client.offset(location) == 0
    assert client.patch(location, 0, content).status_code == 204


@pytest.mark.parametrize(
    ("length", "fields", "status"),
    [
        ("many", {}, 400),
        ("", {}, 400),
        ("-5", {}, 400),
        ("0", {}, 422),
        (1 << 40, {}, 413),
        (10, {"sha256": ""}, 422),
        (10, {"sha256": "../../etc"}, 422),
        (10, {"epoch": "x"}, 422),
        (10, {"type": "other"}, 422),
        (10, {"map": "high", "type": "final"}, 422),
    ],
)
def test_upload_that_is_announced_wrongly_is_refused(
    client: Client, length: object, fields: dict[str, str], status: int
) -> None:
    said = {"epoch": "1", "type": "epoch", wire.SHA256_FIELD: "0" * 64, **fields}
    reply = client.announce(length, wire.upload_metadata(said))
    assert (reply.status_code, reply.json()["success"]) == (status, False)
    assert reply.headers[wire.TUS_RESUMABLE_HEADER] == "1.0.0"


def test_metadata_that_cannot_be_read_are_refused(client: Client) -> None:
    assert client.announce(10, "epoch ???").status_code == 422


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Type": "text/plain"}, 415),
        ({"Upload_Checksum": "md5 AAAA"}, 400),
        ({"Upload_Checksum": "sha256 ???"}, 400),
        ({"Upload_Offset": "x"}, 400),
        ({"Tus_Resumable": "0.2.2"}, 412),
    ],
)
def test_chunk_with_wrong_headers_is_refused(client: Client, headers: dict[str, str], status: int) -> None:
    content = checkpoint()
    location = client.begin(content)
    reply = client.patch(location, 0, content, **headers)
    assert (reply.status_code, reply.json()["success"]) == (status, False)
    assert client.offset(location) == 0


def test_upload_is_not_reached_through_another_model(client: Client) -> None:
    location = client.begin(checkpoint())
    other = location.replace(client.model_id, create_model(client.hub))
    assert client.head(other).status_code == 404


def test_upload_that_is_given_up_leaves_nothing(client: Client) -> None:
    content, before = checkpoint(), files(client.hub)
    location = client.begin(content)
    client.patch(location, 0, content[:5000])
    assert client.hub.send("DELETE", location, headers=VERSION).status_code == 204
    assert client.head(location).status_code == 404
    assert files(client.hub) == before


def test_reset_and_delete_take_unfinished_uploads_with_them(client: Client) -> None:
    before = files(client.hub)
    for method, path, body in (("POST", "/model-reset", {"modelId": client.model_id}), ("DELETE", "", {})):
        location = client.begin(checkpoint())
        client.patch(location, 0, checkpoint()[:5000])
        client.hub.ask(method, path or f"{wire.model(client.model_id)}?hard=True", json=body)
        assert client.head(location).status_code == 404
        assert files(client.hub) == before


def test_second_writer_is_refused_until_the_first_has_ended(client: Client) -> None:
    content = checkpoint()
    location = client.begin(content)
    before = files(client.hub)
    first = Stuck(client, location, content)
    client.ask_until(location, lambda: files(client.hub) > before)
    reply = client.patch(location, 0, content)
    assert (reply.status_code, reply.json()["success"]) == (423, False)
    first.break_off()
    client.ask_until(location, lambda: client.probe(location) == 409)
    assert client.offset(location) == 0  # the chunk had a checksum, and its end never came
    assert client.patch(location, 0, content).status_code == 204


def test_upload_goes_on_after_the_hub_was_killed_in_the_middle(
    start_hub: Callable[[Path], HubServer], restart: Callable[[HubServer], HubServer], tmp_path: Path
) -> None:
    hub = start_hub(tmp_path)
    first, content = Client(hub, create_model(hub)), checkpoint(bytes(3_000_000))
    location = first.begin(content)
    assert first.patch(location, 0, content[:1_000_000]).status_code == 204
    going_on = Stuck(first, location, content[1_000_000:], offset=1_000_000)
    (partial,) = (tmp_path / "hub" / "blobs" / "partial").iterdir()
    first.ask_until(location, lambda: partial.stat().st_size > 1_000_000)  # unchecked, for the chunk has not ended
    kill(hub)
    going_on.break_off()
    second = Client(restart(hub), first.model_id)
    assert second.offset(location) == 1_000_000
    assert second.patch(location, 1_000_000, content[1_000_000:]).status_code == 204
    assert requests.get(second.published()[0]["url"], timeout=10).content == content


def test_upload_whose_hub_died_right_before_the_end_needs_no_byte_twice_but_the_last_chunk(
    start_hub: Callable[[Path], HubServer], restart: Callable[[HubServer], HubServer], tmp_path: Path
) -> None:
    hub = start_hub(tmp_path)
    first, content = Client(hub, create_model(hub)), checkpoint()
    location = first.begin(content)
    first.patch(location, 0, content[:9000])
    kill(hub)
    (partial,) = (tmp_path / "hub" / "blobs" / "partial").iterdir()
    home = partial.parents[1] / partial.name[:2] / partial.name
    home.parent.mkdir()
    partial.write_bytes(content)
    partial.rename(home)  # it had published the file, and died before the store knew
    second = Client(restart(hub), first.model_id)
    assert second.offset(location) == 9000
    assert second.patch(location, 9000, content[9000:]).status_code == 204
    assert requests.get(second.published()[0]["url"], timeout=10).content == content


def test_offset_never_claims_bytes_that_a_power_cut_took(
    start_hub: Callable[[Path], HubServer], restart: Callable[[HubServer], HubServer], tmp_path: Path
) -> None:
    hub = start_hub(tmp_path)
    first, content = Client(hub, create_model(hub)), checkpoint()
    location = first.begin(content)
    first.patch(location, 0, content[:9000])
    kill(hub)
    (partial,) = (tmp_path / "hub" / "blobs" / "partial").iterdir()
    partial.write_bytes(content[:4000])
    second = Client(restart(hub), first.model_id)
    assert second.offset(location) == 4000
    assert second.patch(location, 4000, content[4000:]).status_code == 204
    assert requests.get(second.published()[0]["url"], timeout=10).content == content


def test_upload_expires_and_its_bytes_go(start_hub: Callable[[Path], HubServer], tmp_path: Path) -> None:
    hub = start_hub(tmp_path)
    client, content = Client(hub, create_model(hub)), checkpoint()
    location = client.begin(content)
    client.patch(location, 0, content[:5000])
    with sqlite3.connect(tmp_path / "hub" / "hub.db") as store:
        store.execute("UPDATE uploads SET expires_at = 1")
    store.close()
    assert client.head(location).status_code == 410
    assert client.patch(location, 5000, content[5000:]).status_code == 410
    assert len(files(hub)) == 1
    assert client.begin(content) != location
    assert client.head(location).status_code == 404
    assert files(hub) == set()


def test_expiry_leaves_what_was_published(
    start_hub: Callable[[Path], HubServer], restart: Callable[[HubServer], HubServer], tmp_path: Path
) -> None:
    hub = start_hub(tmp_path)
    client, content = Client(hub, create_model(hub)), checkpoint()
    client.patch(client.begin(content), 0, content)
    with sqlite3.connect(tmp_path / "hub" / "hub.db") as store:
        store.execute("UPDATE uploads SET expires_at = 1")
    store.close()
    hub.process.terminate()
    hub.process.wait(30)
    again = Client(restart(hub), client.model_id)
    assert requests.get(again.published()[0]["url"], timeout=10).content == content


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux tells a process's memory in a file")
def test_upload_takes_constant_memory(client: Client) -> None:
    send_big(client, BIG_BYTES // 20, epoch=1)  # what is allocated once, is
    before = resident_bytes(client.hub)
    send_big(client, BIG_BYTES, epoch=2)
    assert resident_bytes(client.hub) - before < GROWTH_BYTES


def send_big(client: Client, size_bytes: int, *, epoch: int) -> None:
    """Send so many bytes: one chunk of the usual size, and the others as a single one."""
    content = b"PK\x03\x04" + bytes(size_bytes - 4)
    location = client.begin(content, epoch=epoch)
    parts = content[: wire.TUS_CHUNK_BYTES], content[wire.TUS_CHUNK_BYTES :]
    assert client.patch(location, 0, parts[0]).ok
    assert client.patch(location, len(parts[0]), parts[1]).ok


def resident_bytes(hub: HubServer) -> int:
    status = Path(f"/proc/{hub.process.pid}/status").read_text()  # proc(5)
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024
