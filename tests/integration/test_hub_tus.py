"""Uploads in parts, against a real hub: tus 1.0.0 (tus.io/protocols/resumable-upload)."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest
import requests

from hub_callbacks import wire

if TYPE_CHECKING:
    from tests.integration.conftest import TusClient

VERSION = {wire.TUS_RESUMABLE_HEADER: wire.TUS_VERSION}


def test_options_tell_what_the_hub_can(tus: TusClient) -> None:
    reply = requests.options(tus.hub.url + wire.uploads(tus.model_id), timeout=10)
    assert reply.status_code == 204
    assert reply.headers["Tus-Version"] == "1.0.0"
    assert set(reply.headers["Tus-Extension"].split(",")) == {"creation", "expiration", "checksum", "termination"}
    assert reply.headers["Tus-Checksum-Algorithm"].split(",") == ["sha256", "sha1"]
    assert int(reply.headers["Tus-Max-Size"]) > 10**10


def test_upload_in_parts_is_published_with_the_last(tus: TusClient) -> None:
    content = tus.content
    location = tus.begin(content)
    assert tus.offset(location) == 0
    assert tus.published() == []
    for start in range(0, len(content), 4000):
        reply = tus.patch(location, start, content[start : start + 4000])
        assert reply.status_code == 204, reply.text
        assert int(reply.headers[wire.UPLOAD_OFFSET_HEADER]) == min(start + 4000, len(content))
        assert reply.headers[wire.TUS_RESUMABLE_HEADER] == "1.0.0"
    (found,) = tus.published()
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
    assert tus.hub.ask("GET", wire.model(tus.model_id))["status"] == "training"


def test_head_tells_length_metadata_and_expiry_and_is_not_stored(tus: TusClient) -> None:
    content = tus.content
    reply = tus.head(tus.begin(content, type="final", map=0.5, filename="best.pt"))
    assert reply.headers[wire.UPLOAD_LENGTH_HEADER] == str(len(content))
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers[wire.UPLOAD_EXPIRES_HEADER].endswith("GMT")
    said = wire.parse_upload_metadata(reply.headers[wire.UPLOAD_METADATA_HEADER])
    assert (said["filename"], said["type"], said["map"]) == ("best.pt", "final", "0.5")


def test_map_that_is_no_number_is_taken_as_none_is(tus: TusClient) -> None:
    location = tus.begin(tus.content, type="final", map="nan", filename="best.pt")
    said = wire.parse_upload_metadata(tus.head(location).headers[wire.UPLOAD_METADATA_HEADER])
    assert said["map"] == "0.0"
    assert tus.patch(location, 0, tus.content).status_code == 204


def test_finished_upload_says_so_to_a_client_that_lost_the_reply(tus: TusClient) -> None:
    content = tus.content
    location = tus.begin(content)
    tus.patch(location, 0, content)
    assert tus.offset(location) == len(content)
    assert tus.patch(location, 0, content).status_code == 409


def test_same_checkpoint_is_not_sent_twice(tus: TusClient) -> None:
    content = tus.content
    tus.patch(tus.begin(content), 0, content)
    before = tus.files()
    assert tus.offset(tus.begin(content)) == len(content)
    assert (len(tus.published()), tus.files()) == (1, before)


def test_checkpoint_that_came_as_a_form_is_not_sent_again(tus: TusClient) -> None:
    content = tus.content
    form = {"epoch": "3", "type": "epoch", "isBest": "True"}
    tus.hub.ask("POST", wire.upload(tus.model_id), data=form, files={"last.pt": content})
    assert tus.offset(tus.begin(content)) == len(content)


def test_checkpoint_of_another_kind_or_epoch_or_model_is_another(tus: TusClient) -> None:
    content = tus.content
    tus.patch(tus.begin(content), 0, content)
    other = tus.with_new_model()
    begun = [tus.begin(content, epoch=4), tus.begin(content, type="final"), other.begin(content)]
    assert [tus.head(location).headers.get(wire.UPLOAD_OFFSET_HEADER) for location in begun[:2]] == ["0", "0"]
    assert other.offset(begun[2]) == 0


def test_upload_that_was_begun_is_found_again_by_a_client_that_forgot_it(tus: TusClient) -> None:
    content = tus.content
    location = tus.begin(content)
    tus.patch(location, 0, content[:5000])
    assert tus.begin(content) == location
    assert tus.offset(location) == 5000


def test_wrong_offset_is_refused_with_the_right_one(tus: TusClient) -> None:
    content = tus.content
    location = tus.begin(content)
    tus.patch(location, 0, content[:5000])
    for offset in (0, 4999, 5001, len(content)):
        reply = tus.patch(location, offset, content[offset : offset + 10])
        assert (reply.status_code, reply.json()["success"]) == (409, False)
        assert reply.headers[wire.UPLOAD_OFFSET_HEADER] == "5000"


def test_damaged_chunk_is_discarded(tus: TusClient) -> None:
    content = tus.content
    location = tus.begin(content)
    tus.patch(location, 0, content[:5000])
    reply = tus.patch(location, 5000, content[5000:], Upload_Checksum=wire.upload_checksum(bytes(32)))
    assert (reply.status_code, reply.json()["success"]) == (wire.TUS_CHECKSUM_MISMATCH, False)
    assert tus.offset(location) == 5000
    assert tus.patch(location, 5000, content[5000:]).status_code == 204
    assert requests.get(tus.published()[0]["url"], timeout=10).content == content


def test_chunk_may_come_with_sha1_or_without_a_checksum(tus: TusClient) -> None:
    content = tus.content
    location = tus.begin(content)
    sha1 = base64.b64encode(hashlib.sha1(content[:5000], usedforsecurity=False).digest()).decode()
    assert tus.patch(location, 0, content[:5000], Upload_Checksum=f"sha1 {sha1}").status_code == 204
    assert tus.patch(location, 5000, content[5000:], Upload_Checksum=None).status_code == 204
    assert len(tus.published()) == 1


def test_file_that_is_not_what_it_claims_is_discarded(tus: TusClient) -> None:
    content, before = tus.content, tus.files()
    location = tus.begin(content, sha256="0" * 64)
    reply = tus.patch(location, 0, content)
    assert (reply.status_code, reply.json()["success"]) == (wire.TUS_CHECKSUM_MISMATCH, False)
    assert tus.head(location).status_code == 404
    assert (tus.published(), tus.files()) == ([], before)


def test_file_that_is_no_zip_is_discarded(tus: TusClient) -> None:
    content, before = b"MZ no zip" * 100, tus.files()
    location = tus.begin(content)
    reply = tus.patch(location, 0, content)
    assert (reply.status_code, reply.json()["success"]) == (422, False)
    assert tus.head(location).status_code == 404
    assert (tus.published(), tus.files()) == ([], before)


def test_bytes_beyond_the_end_are_refused_and_nothing_of_them_stays(tus: TusClient) -> None:
    content = tus.content
    location = tus.begin(content)
    assert tus.patch(location, 0, content + b"more").status_code == 413
    assert tus.offset(location) == 0
    assert tus.patch(location, 0, content).status_code == 204


@pytest.mark.parametrize(
    ("length", "fields", "status"),
    [
        ("many", {}, 400),
        ("", {}, 400),
        ("-5", {}, 400),
        ("0", {}, 422),
        (1 << 40, {}, 413),
        (10, {"sha256": "../../etc"}, 422),
        (10, {"epoch": "x"}, 422),
        (10, {"type": "other"}, 422),
        (10, {"map": "high", "type": "final"}, 422),
    ],
)
def test_upload_that_is_announced_wrongly_is_refused(
    tus: TusClient, length: object, fields: dict[str, str], status: int
) -> None:
    said = {"epoch": "1", "type": "epoch", wire.SHA256_FIELD: "0" * 64, **fields}
    reply = tus.announce(length, wire.upload_metadata(said))
    assert (reply.status_code, reply.json()["success"]) == (status, False)
    assert reply.headers[wire.TUS_RESUMABLE_HEADER] == "1.0.0"


def test_metadata_that_cannot_be_read_are_refused(tus: TusClient) -> None:
    assert tus.announce(10, "epoch ???").status_code == 422


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
def test_chunk_with_wrong_headers_is_refused(tus: TusClient, headers: dict[str, str], status: int) -> None:
    content = tus.content
    location = tus.begin(content)
    reply = tus.patch(location, 0, content, **headers)
    assert (reply.status_code, reply.json()["success"]) == (status, False)
    assert tus.offset(location) == 0


def test_upload_is_not_reached_through_another_model(tus: TusClient) -> None:
    location = tus.begin(tus.content)
    other = location.replace(tus.model_id, tus.with_new_model().model_id)
    assert tus.head(other).status_code == 404


def test_upload_that_is_given_up_leaves_nothing(tus: TusClient) -> None:
    content, before = tus.content, tus.files()
    location = tus.begin(content)
    tus.patch(location, 0, content[:5000])
    assert tus.hub.send("DELETE", location, headers=VERSION).status_code == 204
    assert tus.head(location).status_code == 404
    assert tus.files() == before


def test_reset_and_delete_take_unfinished_uploads_with_them(tus: TusClient) -> None:
    before = tus.files()
    for method, path, body in (("POST", "/model-reset", {"modelId": tus.model_id}), ("DELETE", "", {})):
        location = tus.begin(tus.content)
        tus.patch(location, 0, tus.content[:5000])
        tus.hub.ask(method, path or f"{wire.model(tus.model_id)}?hard=True", json=body)
        assert tus.head(location).status_code == 404
        assert tus.files() == before
