"""Blobs in a folder and in a bucket: whole or not there, in parts over restarts, and swept when nobody names them."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hub_callbacks.server.blobs import Blobs, FolderBlobs
from hub_callbacks.server.bucket import PART_BYTES, object_store, open_bucket
from hub_callbacks.server.objects import BucketError
from hub_callbacks.server.readiness import GOOD_FOR_S, Readiness
from hub_callbacks.server.store import Store, open_store
from hub_callbacks.server.store.rows import NewCheckpoint
from hub_callbacks.server.upkeep import sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.stores import Bucket

CONTENT = bytes(range(256)) * (PART_BYTES // 100)  # two parts and a half of a bucket


@pytest.fixture
def bucket(create_bucket: Callable[[], Bucket], monkeypatch: pytest.MonkeyPatch) -> Bucket:
    bucket = create_bucket()
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value)
    return bucket


@pytest.fixture(params=["folder", "bucket"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "folder":
        return FolderBlobs(tmp_path / "blobs")
    return open_bucket(request.getfixturevalue("bucket").url)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path / "hub.db")
    yield store
    store.close()


def read(blobs: Blobs, name: str, start: int = 0, stop: int = len(CONTENT)) -> bytes:
    return b"".join(blobs.read(name, start, stop))


def all_names(blobs: Blobs) -> set[str]:
    return set(blobs.names(before=time.time() + 60))


def written(blobs: Blobs) -> str:
    writer = blobs.writer()
    writer.write(CONTENT)
    return writer.publish()


def test_blob_is_read_in_any_part(blobs: Blobs) -> None:
    name = written(blobs)
    assert read(blobs, name) == CONTENT
    assert blobs.size_bytes(name) == len(CONTENT)
    start, stop = PART_BYTES - 3, 2 * PART_BYTES + 5
    assert read(blobs, name, start, stop) == CONTENT[start:stop]


def test_blob_is_not_there_until_it_is_published(blobs: Blobs) -> None:
    part = blobs.partial("name")
    part.truncate(0)
    part.write(CONTENT)
    part.flush()
    assert blobs.size_bytes("name") is None
    with pytest.raises(FileNotFoundError):
        blobs.read("name", 0, 1)
    assert part.publish() == "name"
    assert read(blobs, "name") == CONTENT


def test_blob_that_was_given_up_or_deleted_leaves_nothing(blobs: Blobs) -> None:
    writer = blobs.writer()
    writer.write(CONTENT)
    writer.discard()
    blobs.delete(written(blobs))
    blobs.delete("that was never there")
    assert all_names(blobs) == set()


def test_partial_blob_goes_on_where_another_process_left_it(blobs: Blobs) -> None:
    first = blobs.partial("name")
    first.truncate(0)
    first.write(CONTENT[:1000])
    first.flush()
    first.write(CONTENT[1000:2000])
    first.flush()
    first.close()
    assert blobs.partial_bytes("name", len(CONTENT)) == 2000
    second = blobs.partial("name")
    second.truncate(1000)
    second.write(CONTENT[1000:])
    assert b"".join(second.read()) == CONTENT
    second.publish()
    assert read(blobs, "name") == CONTENT


@pytest.mark.parametrize("can_splice", [True, False])
def test_system_is_left_to_move_bytes_only_where_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_splice: bool
) -> None:
    monkeypatch.setattr(os, "splice", None, raising=False)
    if not can_splice:
        monkeypatch.delattr(os, "splice")
    with closing(FolderBlobs(tmp_path).partial("name")) as partial:
        assert (partial.file is not None) == can_splice


def test_sweep_deletes_what_nobody_names(blobs: Blobs, store: Store) -> None:
    named, orphan, fresh = written(blobs), written(blobs), written(blobs)
    new = NewCheckpoint(
        filename="last.pt", epoch=0, is_best=False, is_final=False, map=0.0, size_bytes=1, sha256="a" * 64, blob=named
    )
    model_id = store.create_model({}, owner=store.create_user("admin", "admin").user_id).id
    store.add_checkpoint(model_id, new)
    store.create_upload(model_id, replace(new, epoch=1, blob="begun"))
    assert sweep(store, blobs, before=time.time() - 60) == 0
    assert all_names(blobs) == {named, orphan, fresh}
    assert sweep(store, blobs, before=time.time() + 60) == 2
    assert all_names(blobs) == {named}


def test_folder_sweeps_by_the_last_write(tmp_path: Path, store: Store) -> None:
    blobs = FolderBlobs(tmp_path / "blobs")
    old, new = written(blobs), written(blobs)
    os.utime(tmp_path / "blobs" / old[:2] / old, (0, 0))
    sweep(store, blobs, before=1000.0)
    assert all_names(blobs) == {new}


def test_part_that_a_late_writer_leaves_is_not_in_the_blob(bucket: Bucket) -> None:
    blobs = open_bucket(bucket.url)
    late, own = blobs.partial("name"), blobs.partial("name")
    own.truncate(0)
    own.write(b"own")
    own.flush()
    late.write(b"l8!")
    late.flush()
    own.publish()
    assert b"".join(blobs.read("name", 0, 3)) == b"own"


def test_blob_that_lost_a_part_is_not_whole(bucket: Bucket) -> None:
    blobs = open_bucket(bucket.url)
    name = written(blobs)
    blobs.partial(name).truncate(0)  # deletes the parts, and leaves the list of them
    assert blobs.size_bytes(name) is None


@pytest.mark.parametrize(
    ("url", "environ", "reason"),
    [
        ("s3://nothing-there", {}, r"NoSuchBucket: The specified bucket does not exist$"),
        ("s3://hub", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "error sending request$"),
        ("ftp://host/path", {}, "s3://, gs:// or az://"),
        ("s3://", {}, "cannot be used"),
    ],
)
def test_bucket_that_cannot_be_used_says_why_on_one_line(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, url: str, environ: dict[str, str], reason: str
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BucketError, match=reason) as caught:
        open_bucket(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "environ", "kind", "config"),
    [
        ("s3://name/some/prefix", {}, "S3Store", {"bucket": "name"}),
        ("gs://name/some/prefix", {}, "GCSStore", {"bucket": "name"}),
        (
            "az://name/some/prefix",
            {"AZURE_STORAGE_ACCOUNT_NAME": "account", "AZURE_STORAGE_ACCOUNT_KEY": "a2V5"},
            "AzureStore",
            {"container_name": "name"},
        ),
    ],
)
def test_address_leads_to_the_bucket_and_the_prefix_that_it_names(
    monkeypatch: pytest.MonkeyPatch, url: str, environ: dict[str, str], kind: str, config: dict[str, str]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    store: Any = object_store(url)
    assert (type(store).__name__, store.config, store.prefix) == (kind, config, "some/prefix")


def test_azure_without_its_account_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(BucketError, match=r"The bucket 'az://name' cannot be used: .*Account must be specified$"):
        open_bucket("az://name")


def test_bucket_without_its_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.exceptions", None)
    with pytest.raises(BucketError, match=r'^For a bucket, install "hub-callbacks\[cloud\]"\.$'):
        open_bucket("s3://bucket")


def test_folder_that_cannot_be_written_fails_its_check(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "blobs")
    blobs.check()
    (tmp_path / "blobs" / "incoming").rmdir()
    with pytest.raises(OSError, match="incoming"):
        blobs.check()


def test_readiness_is_asked_for_anew_after_a_moment(tmp_path: Path) -> None:
    blobs, now = FolderBlobs(tmp_path / "blobs"), [0.0]
    with closing(open_store(tmp_path / "hub.db")) as store:
        readiness = Readiness(store, blobs, clock=lambda: now[0])
        assert readiness.silent() is None
        (tmp_path / "blobs" / "incoming").rmdir()
        now[0] = GOOD_FOR_S - 0.1
        assert readiness.silent() is None
        now[0] = GOOD_FOR_S
        assert readiness.silent() == "store of files"
        (tmp_path / "blobs" / "incoming").mkdir()
        assert readiness.silent() == "store of files"
        now[0] = 2 * GOOD_FOR_S
        assert readiness.silent() is None
