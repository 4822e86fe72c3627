"""Checkpoints in and out: verified before they are published, in constant memory, fetched by signed URLs."""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
from requests_toolbelt import MultipartEncoder

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.hubs import HubServer

BIG_BYTES = 200_000_000
GROWTH_BYTES = 16_000_000  # a few pieces of 1 MiB for each of the threads, and what the allocator keeps


def checkpoint(content: bytes = b"weights") -> bytes:
    """A zip archive, as torch writes them."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    return file.getvalue()


def create(hub: HubServer) -> str:
    return str(hub.ask("POST", wire.MODELS, json={"meta": {"name": "train"}})["id"])


def upload(hub: HubServer, model_id: str, content: bytes, **fields: Any) -> requests.Response:
    fields = {"epoch": 0, "type": "epoch", **fields}
    name = "best.pt" if fields["type"] == "final" else "last.pt"
    return hub.send("POST", wire.upload(model_id), data=fields, files={name: content})


def read(hub: HubServer, model_id: str) -> dict[str, Any]:
    data: dict[str, Any] = hub.ask("GET", wire.model(model_id))
    return data


def test_upload_of_an_epoch_makes_the_model_resumable(hub: HubServer) -> None:
    model_id, content = create(hub), checkpoint()
    assert upload(hub, model_id, content, epoch=3, isBest="True").ok
    model = read(hub, model_id)
    assert (model["status"], model["has_last_weights"], model["has_best_weights"]) == ("training", True, True)
    assert urlsplit(model["resume"]).path.endswith(f"/{model_id}-last-3.pt")
    assert requests.get(model["resume"], timeout=10).content == content


@pytest.mark.parametrize("score", ["0.5", "nan", "inf"])
def test_upload_of_the_final_model_makes_it_trained(hub: HubServer, score: str) -> None:
    model_id, content = create(hub), checkpoint()
    assert upload(hub, model_id, content, type="final", epoch=9, map=score).ok
    model = read(hub, model_id)
    assert (model["status"], model["has_best_weights"], model["has_last_weights"]) == ("trained", True, False)
    assert urlsplit(model["weights"]).path.endswith(f"/{model_id}/best.pt")
    assert requests.get(model["weights"], timeout=10).content == content


def test_upload_reply_is_small_and_complete(hub: HubServer) -> None:
    content = checkpoint()
    response = upload(hub, create(hub), content)
    assert int(response.headers["content-length"]) == len(response.content) < 500
    assert response.json()["data"]["sha256"] == hashlib.sha256(content).hexdigest()


def test_older_epoch_that_arrives_later_does_not_become_the_one_to_resume(hub: HubServer) -> None:
    model_id = create(hub)
    for epoch in (5, 2):
        assert upload(hub, model_id, checkpoint(str(epoch).encode()), epoch=epoch).ok
    assert "-last-5.pt" in read(hub, model_id)["resume"]


def test_upload_twice_is_stored_once(hub: HubServer) -> None:
    model_id, content = create(hub), checkpoint()
    first, before = upload(hub, model_id, content), hub.blobs()
    second = upload(hub, model_id, content)
    assert second.json()["data"] == first.json()["data"]
    assert hub.blobs() == before


@pytest.mark.parametrize(
    ("content", "fields", "word"),
    [
        (checkpoint(), {"sha256": "0" * 64}, "SHA-256"),
        (b"MZ no zip", {}, "zip"),
        (b"", {}, "zip"),
        (checkpoint()[:-9], {}, "cut off"),
        (checkpoint(), {"epoch": "minus one"}, "epoch"),
        (checkpoint(), {"type": "other"}, "type"),
        (checkpoint(), {"type": "final", "map": "high"}, "map"),
        (checkpoint(), {"epoch": "9" * 5000}, "epoch"),
    ],
    ids=["wrong hash", "no zip", "empty", "cut off", "no epoch", "no type", "no map", "long field"],
)
def test_upload_that_is_not_what_it_claims_is_refused_and_leaves_nothing(
    hub: HubServer, content: bytes, fields: dict[str, Any], word: str
) -> None:
    model_id, before = create(hub), hub.blobs()
    response = upload(hub, model_id, content, **fields)
    assert response.status_code == 422
    assert word in response.json()["message"]
    assert hub.blobs() == before
    assert read(hub, model_id)["status"] == "new"


def test_refused_upload_leaves_the_last_good_one(hub: HubServer) -> None:
    model_id, content = create(hub), checkpoint()
    upload(hub, model_id, content, epoch=1)
    assert upload(hub, model_id, checkpoint(b"other"), epoch=2, sha256="0" * 64).status_code == 422
    assert requests.get(read(hub, model_id)["resume"], timeout=10).content == content


@pytest.mark.parametrize("filename", ["../../evil.pt", "/etc/passwd", "best.pt\x00.sh"])
def test_upload_name_never_reaches_the_disk(hub: HubServer, filename: str) -> None:
    model_id = create(hub)
    encoder = MultipartEncoder([("epoch", "0"), ("type", "epoch"), ("file", (filename, checkpoint()))])
    hub.ask("POST", wire.upload(model_id), data=encoder, headers={"content-type": encoder.content_type})
    assert not [path for path in hub.data_dir.parent.rglob("*") if "evil" in path.name or path.suffix == ".sh"]
    assert "-last-0.pt" in read(hub, model_id)["resume"]


@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\ncontent-disposition: form-data\r\n\r\n\r\n--x--\r\n"])
def test_upload_of_a_broken_form_is_refused(hub: HubServer, body: bytes) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = hub.send("POST", wire.upload(create(hub)), data=body, headers=headers)
    assert response.status_code == 422


def test_upload_that_is_no_form_is_refused(hub: HubServer) -> None:
    assert hub.send("POST", wire.upload(create(hub)), json={}).status_code == 422


def test_upload_that_is_refused_at_once_is_still_answered(hub: HubServer) -> None:
    """The refusal must reach a client that goes on sending, or it would take the line for broken and try for ever."""
    response = requests.post(
        hub.url + wire.upload(create(hub)), headers={"x-api-key": wire.new_key()}, data=bytes(50_000_000), timeout=30
    )
    assert (response.status_code, response.json()["success"]) == (401, False)


def send_big(hub: HubServer, model_id: str, path: Path) -> None:
    with path.open("rb") as file:
        form = MultipartEncoder([("epoch", "0"), ("type", "epoch"), ("last.pt", ("last.pt", file))])
        hub.ask("POST", wire.upload(model_id), data=form, headers={"content-type": form.content_type})


def sparse_checkpoint(path: Path, size_bytes: int) -> Path:
    """A file that begins and ends as a zip archive and takes no room on the disk."""
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.seek(size_bytes - 22)
        file.write(b"PK\x05\x06" + bytes(18))
    return path


def resident_bytes(hub: HubServer) -> int:
    status = Path(f"/proc/{hub.process.pid}/status").read_text()  # proc(5)
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def up_and_down(hub: HubServer, path: Path, size_bytes: int) -> None:
    model_id = create(hub)
    send_big(hub, model_id, sparse_checkpoint(path, size_bytes))
    with requests.get(read(hub, model_id)["resume"], stream=True, timeout=30) as response:
        assert sum(len(piece) for piece in response.iter_content(1 << 20)) == size_bytes


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux tells a process's memory in a file")
def test_upload_and_download_take_constant_memory(hub: HubServer, tmp_path: Path) -> None:
    for _ in range(3):
        up_and_down(hub, tmp_path / "small.pt", BIG_BYTES // 5)  # what is allocated once, by each of the threads, is
    before = resident_bytes(hub)
    up_and_down(hub, tmp_path / "big.pt", BIG_BYTES)
    assert resident_bytes(hub) - before < GROWTH_BYTES


@pytest.fixture
def stored(hub: HubServer) -> tuple[str, bytes]:
    """The URL of a checkpoint, and its bytes."""
    model_id, content = create(hub), checkpoint(bytes(range(256)))
    upload(hub, model_id, content)
    return read(hub, model_id)["resume"], content


def test_download_is_an_attachment_that_browsers_do_not_guess_about(stored: tuple[str, bytes]) -> None:
    headers = requests.get(stored[0], timeout=10).headers
    assert headers["content-disposition"].startswith("attachment; filename=")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"] == "application/octet-stream"


def test_download_head_tells_the_size(stored: tuple[str, bytes]) -> None:
    response = requests.head(stored[0], timeout=10)
    assert (response.status_code, response.headers["content-length"]) == (200, str(len(stored[1])))


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=10-", slice(10, None)),
        ("bytes=-5", slice(-5, None)),
        ("bytes=20-99999", slice(20, None)),
    ],
)
def test_download_gives_a_range(stored: tuple[str, bytes], asked: str, part: slice) -> None:
    response = requests.get(stored[0], headers={"range": asked}, timeout=10)
    assert (response.status_code, response.content) == (206, stored[1][part])


@pytest.mark.parametrize("headers", [{"range": "bytes=0-1,4-5"}, {"range": "lines=1-2"}, {"range": "bytes=-"}])
def test_download_gives_all_when_the_range_is_not_one(stored: tuple[str, bytes], headers: dict[str, str]) -> None:
    response = requests.get(stored[0], headers=headers, timeout=10)
    assert (response.status_code, response.content) == (200, stored[1])


def test_download_gives_all_when_the_file_is_another_by_now(stored: tuple[str, bytes]) -> None:
    response = requests.get(stored[0], headers={"range": "bytes=0-1", "if-range": '"other"'}, timeout=10)
    assert (response.status_code, response.content) == (200, stored[1])


def test_download_refuses_a_range_beyond_the_end(stored: tuple[str, bytes]) -> None:
    response = requests.get(stored[0], headers={"range": "bytes=999999-"}, timeout=10)
    assert (response.status_code, response.headers["content-range"]) == (416, f"bytes */{len(stored[1])}")


def test_download_refuses_a_forged_link(stored: tuple[str, bytes]) -> None:
    response = requests.get(stored[0][:-1] + "!", timeout=10)
    assert (response.status_code, response.json()["success"]) == (403, False)


def test_download_link_opens_no_other_checkpoint(hub: HubServer, stored: tuple[str, bytes]) -> None:
    model_id = create(hub)
    upload(hub, model_id, checkpoint(b"other"))
    token = urlsplit(stored[0]).query
    other = read(hub, model_id)["resume"].partition("?")[0]
    assert requests.get(f"{other}?{token}", timeout=10).status_code == 403


def test_hard_delete_removes_the_bytes(hub: HubServer, stored: tuple[str, bytes]) -> None:
    before = hub.blobs()
    model_id = urlsplit(stored[0]).path.rpartition("/")[2].partition("-")[0]
    hub.ask("DELETE", wire.model(model_id), params={"hard": "True"})
    assert len(before - hub.blobs()) == 1
    assert requests.get(stored[0], timeout=10).status_code == 404
