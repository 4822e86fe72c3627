"""Data sets of a hub on this machine: found by Ultralytics, and nothing of them anywhere else."""

from __future__ import annotations

import io
import os
import shutil
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub_callbacks.errors import DatasetError
from hub_callbacks.session import datasets

YAML = b"train: images/train\nval: images/val\nnames: {0: cat}\n"
GOOD = {"coco/data.yaml": YAML, "coco/images/train/1.png": b"1", "coco/images/val/2.png": b"2"}


def packed(members: Mapping[str, bytes], **options: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of its own, so that a test sees whatever is written beside it."""
    folder = tmp_path / "place" / "datasets"
    folder.mkdir(parents=True)
    return folder


def unpack(place: Path, content: bytes) -> Path:
    archive = place.parent.parent / "set.zip"
    archive.write_bytes(content)
    return Path(datasets.unpack(archive, place / "set"))


def said(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def assert_nothing_is_left(place: Path) -> None:
    """Not beside the data sets, and not among them, but for the lock."""
    assert [path.name for path in place.parent.rglob("*")] in (["datasets", "set.lock"], ["datasets"])


def test_data_set_is_found_where_it_was_unpacked(place: Path) -> None:
    found = said(unpack(place, packed(GOOD)))
    assert (found["path"], found["train"], found["names"]) == (
        str(place / "set" / "coco"), "images/train", {0: "cat"},
    )  # fmt: skip
    assert (place / "set/coco/images/val/2.png").read_bytes() == b"2"


def test_data_set_is_unpacked_once(place: Path) -> None:
    first = unpack(place, packed(GOOD))
    (place / "set/coco/images/train/1.png").write_bytes(b"changed here")
    assert unpack(place, packed(GOOD)) == first
    assert (place / "set/coco/images/train/1.png").read_bytes() == b"changed here"


@pytest.mark.parametrize("path", ["path: .", "path: ../datasets/coco", "path: /home/ada/coco", "path: C:\\coco"])
def test_place_that_the_yaml_names_is_that_of_another_machine(place: Path, path: str) -> None:
    found = unpack(place, packed({**GOOD, "coco/data.yaml": YAML + path.encode()}))
    assert said(found)["path"] == str(place / "set" / "coco")


def test_code_that_ultralytics_would_run_is_left_out(place: Path) -> None:
    found = unpack(place, packed({**GOOD, "coco/data.yaml": YAML + b"download: import os\n"}))
    assert "download" not in said(found)


def test_data_set_may_lie_at_the_archives_root(place: Path) -> None:
    found = unpack(place, packed({name.removeprefix("coco/"): content for name, content in GOOD.items()}))
    assert said(found)["path"] == str(place / "set")


def test_data_set_for_classification_is_a_folder(place: Path) -> None:
    assert unpack(place, packed({"pets/train/cat/1.png": b"1", "pets/val/cat/2.png": b"2"})) == place / "set" / "pets"


@pytest.mark.parametrize(
    ("others", "folder"),
    [
        ({"coco/hyp.yaml": b"lr0: 0.1\n", ".github/ci.yaml": b"on: push\n"}, "coco"),  # about something else
        ({"coco/other.yaml": YAML}, "coco"),  # beside data.yaml
        ({"coco/deep/down/data.yaml": YAML}, "coco"),  # deeper
        ({"coco/broken.yaml": b"{", "coco/latin.yaml": b"\xff"}, "coco"),
    ],
)
def test_yaml_of_the_data_set_is_chosen_among_several(place: Path, others: Mapping[str, bytes], folder: str) -> None:
    own = {**GOOD, "coco/data.yaml": YAML.replace(b"cat", b"own")}
    found = said(unpack(place, packed({**others, **own})))
    assert (found["path"], found["names"]) == (str(place / "set" / folder), {0: "own"})


@pytest.mark.parametrize(
    "name", ["../evil", "coco/../../evil", "/evil", "..\\evil", "C:\\evil", "c:evil", "//h/evil", "."]
)
def test_member_that_leads_elsewhere_is_refused(place: Path, name: str) -> None:
    with pytest.raises(DatasetError, match=r"not safe to unpack.*Upload it without that"):
        unpack(place, packed({**GOOD, name: b"evil"}))
    assert_nothing_is_left(place)


@pytest.mark.parametrize("kind", [0o120777, 0o010644, 0o020644, 0o060644], ids=["link", "pipe", "device", "disk"])
def test_member_that_is_no_plain_file_is_refused(place: Path, kind: int) -> None:
    file = io.BytesIO(packed(GOOD))
    with zipfile.ZipFile(file, "a") as archive:
        member = zipfile.ZipInfo("coco/images/train/link")
        member.external_attr = kind << 16
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(DatasetError, match=r"holds 'coco/images/train/link'"):
        unpack(place, file.getvalue())
    assert_nothing_is_left(place)


@pytest.mark.parametrize("split", ["train: /etc", "train: ../../../etc", "val: [images/val, /etc]"])
def test_yaml_that_leads_out_of_the_data_set_is_refused(place: Path, split: str) -> None:
    text = "\n".join(["names: {0: cat}", *([] if split.startswith("train") else ["train: images/train"]), split])
    with pytest.raises(DatasetError, match="leads out of it"):
        unpack(place, packed({**GOOD, "coco/data.yaml": text.encode()}))
    assert_nothing_is_left(place)


def test_data_sets_are_listed_with_size_and_last_use_until_they_are_deleted(place: Path, tmp_path: Path) -> None:
    archive = tmp_path / "set.zip"
    archive.write_bytes(packed(GOOD))
    for number, name in enumerate(["old", "new", "gone"]):
        datasets.unpack(archive, place / name, name=f"pets of {name}")
        os.utime(place / f"{name}.json", (number, number))
    shutil.rmtree(place / "gone")
    on_disk = sum(path.stat().st_size for path in (place / "old").rglob("*") if path.is_file())
    old, new = datasets.unpacked(place)[::-1]
    assert (old.name, old.size_bytes, old.used_at, old.folder) == ("pets of old", on_disk, 0, place / "old")
    assert new.name == "pets of new"
    datasets.note_use(place / "old")
    assert [one.name for one in datasets.unpacked(place)] == ["pets of old", "pets of new"]
    assert datasets.unpacked(place / "none") == []


def test_bomb_by_what_it_declares_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "_FREELY_BYTES", 1000)
    with pytest.raises(DatasetError, match="more than 100 times its size"):
        unpack(place, packed({**GOOD, "coco/zeros": bytes(10_000_000)}))
    assert_nothing_is_left(place)


def test_bomb_that_declares_less_than_it_holds_is_refused(place: Path) -> None:
    bomb = bytearray(packed({"a.bin": bytes(5_000_000), **GOOD}))
    size = struct.pack("<I", 5_000_000)
    assert bomb.count(size) == 2  # the member's own header, and the directory at the end
    with pytest.raises(DatasetError, match="unpacked"):
        unpack(place, bytes(bomb.replace(size, struct.pack("<I", 1000))))
    assert_nothing_is_left(place)


def test_more_files_than_any_data_set_has_are_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "_MOST_FILES", 2)
    with pytest.raises(DatasetError, match="holds 3 files; at most 2"):
        unpack(place, packed(GOOD))


def test_disk_that_is_too_small_is_said_before_anything_is_written(place: Path, mocker: Any) -> None:
    mocker.patch("shutil.disk_usage", return_value=mocker.Mock(free=10))
    with pytest.raises(DatasetError, match="data_dir=FOLDER"):
        unpack(place, packed(GOOD))
    assert_nothing_is_left(place)


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>Sign in</html>", packed(GOOD)[:-40], packed(GOOD).replace(b"names", b"NAMES", 1)[:200]],
    ids=["empty", "portal", "cut off", "cut off early"],
)
def test_archive_that_is_none_is_refused(place: Path, content: bytes) -> None:
    with pytest.raises(DatasetError, match=r"'set\.zip' cannot be unpacked: .* Upload it to the hub again"):
        unpack(place, content)
    assert_nothing_is_left(place)


def test_archive_with_a_password_is_refused(place: Path) -> None:
    content = bytearray(packed({"data.yaml": YAML}))
    content[6] |= 1  # the member's own flag, and that in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DatasetError, match="encrypted"):
        unpack(place, bytes(content))
    assert_nothing_is_left(place)


def test_two_members_of_one_name_are_refused(place: Path) -> None:
    content = packed({**GOOD, "coco/data.YAML": YAML}).replace(b"data.YAML", b"data.yaml")
    with pytest.raises(DatasetError, match="cannot be unpacked"):
        unpack(place, content)
    assert_nothing_is_left(place)


def test_damaged_member_is_refused(place: Path) -> None:
    content = bytearray(packed({**GOOD, "a.bin": bytes(range(256)) * 50}))
    start = content.index(b"a.bin") + len("a.bin")
    content[start : start + 40] = b"\xff" * 40
    with pytest.raises(DatasetError, match="cannot be unpacked"):
        unpack(place, bytes(content))
    assert_nothing_is_left(place)


def test_archive_without_a_data_set_is_refused(place: Path) -> None:
    with pytest.raises(DatasetError, match="neither a YAML file with 'train' and 'names' nor a folder 'train'"):
        unpack(place, packed({"readme.txt": b"hello", "hyp.yaml": b"lr0: 0.1"}))
    assert_nothing_is_left(place)
