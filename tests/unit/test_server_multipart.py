"""Forms, taken apart at every place where the network may break them."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from hub_callbacks.server.blobs import FolderBlobs
from hub_callbacks.server.multipart import FormError, UploadForm

if TYPE_CHECKING:
    from pathlib import Path

TYPE = "multipart/form-data; boundary=edge"
CONTENT = b"PK\x03\x04 line\r\n--edg \r\n--edge\x00 PK\x05\x06" + bytes(18)


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    suffix = f'; filename="{filename}"' if filename is not None else ""
    return f'--edge\r\nContent-Disposition: form-data; name="{name}"{suffix}\r\n\r\n'.encode() + value + b"\r\n"


BODY = part("epoch", b"3") + part("type", b"epoch") + part("last.pt", CONTENT, "last.pt") + b"--edge--\r\n"


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, len(BODY)])
def test_form_is_the_same_however_it_is_cut(blobs: FolderBlobs, size: int) -> None:
    form = UploadForm(TYPE, blobs.writer, limit_bytes=1 << 20)
    for start in range(0, len(BODY), size):
        form.take([BODY[start : start + size]])
    writer = form.finish()
    assert form.fields == {"epoch": "3", "type": "epoch"}
    assert (form.filename, form.head, form.tail) == ("last.pt", CONTENT[:16], CONTENT[-22:])
    assert (writer.size_bytes, writer.sha256()) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert b"".join(blobs.read(writer.publish(), 0, len(CONTENT))) == CONTENT


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (BODY[:-9], "too early"),
        (part("epoch", b"3") + b"--edge--\r\n", "no file"),
        (part("a", b"1", "a") + part("b", b"2", "b") + b"--edge--\r\n", "more than one file"),
        (part("a", b"x" * 5000) + b"--edge--\r\n", "longer than"),
        (b"".join(part(str(n), b"") for n in range(40)) + b"--edge--\r\n", "more than 32 fields"),
        (b"no form at all", "broken"),
        (b'--edge\r\ncontent-disposition: form-data; filename="a"\r\n\r\nx\r\n--edge--\r\n', "no name"),
    ],
)
def test_form_that_is_wrong_says_how(blobs: FolderBlobs, body: bytes, message: str) -> None:
    form = UploadForm(TYPE, blobs.writer, limit_bytes=1 << 20)
    with pytest.raises(FormError, match=message):
        take(form, body)
    form.discard()


def take(form: UploadForm, body: bytes) -> None:
    form.take([body])
    form.finish()


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=x"])
def test_form_of_another_type_is_refused(blobs: FolderBlobs, content_type: str) -> None:
    with pytest.raises(FormError, match="multipart/form-data"):
        UploadForm(content_type, blobs.writer, limit_bytes=1 << 20)


def test_blob_that_was_discarded_leaves_nothing(blobs: FolderBlobs, tmp_path: Path) -> None:
    writer = blobs.writer()
    writer.write(b"x")
    writer.discard()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_blobs_of_an_interrupted_upload_are_removed_at_the_next_start(blobs: FolderBlobs, tmp_path: Path) -> None:
    writer = blobs.writer()
    writer.write(b"half a checkpoint")
    FolderBlobs(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    writer.discard()


@pytest.mark.skipif(os.name == "nt", reason="Windows does not delete open files")
def test_blob_can_be_read_on_while_it_is_deleted(blobs: FolderBlobs) -> None:
    writer = blobs.writer()
    writer.write(b"abc")
    name = writer.publish()
    pieces = blobs.read(name, 1, 3)
    blobs.delete(name)
    assert b"".join(pieces) == b"bc"
