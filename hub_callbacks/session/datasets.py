"""A data set of the hub as Ultralytics takes it: fetched, unpacked with care, its YAML file found."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from filelock import FileLock

from hub_callbacks.errors import DatasetError

READY = "hub_callbacks.yaml"  # beside what was unpacked: written last, and what Ultralytics is given
_NOTE = ".json"  # beside the folder: what it is
_MOST_FILES = 2_000_000
_FREELY_BYTES = 1 << 30  # below this an archive may unpack to any multiple of its size
_MOST_TIMES = 100  # images hardly shrink; labels by ten
_BLOCK_BYTES = 1 << 20
_YAML = {".yaml", ".yml"}
_NOT_OURS = ("path", "download", "yaml_file")  # where it lay elsewhere, and code that Ultralytics would run


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """A data set on this machine.

    Attributes:
        name: What the hub calls it.
        size_bytes: What it takes of the disk.
        used_at: When a training last began with it, Unix time.
        folder: Where it lies.
    """

    name: str
    size_bytes: int
    used_at: float
    folder: Path


def unpacked(under: Path) -> list[Unpacked]:
    """The data sets that `unpack` has made in a folder, and that are still there; which was used last is the first."""
    found = []
    for note in under.glob(f"*{_NOTE}"):
        folder = note.with_suffix("")
        if folder.is_dir():
            said = json.loads(note.read_text(encoding="utf-8"))
            found.append(Unpacked(**said, used_at=note.stat().st_mtime, folder=folder))
    return sorted(found, key=lambda one: one.used_at, reverse=True)


def note_use(folder: Path) -> None:
    """Note that a training begins with a data set."""
    with suppress(OSError):  # somebody else's, or deleted
        os.utime(f"{folder}{_NOTE}")


def unpack(archive: Path, folder: Path, *, name: str = "") -> str:
    """Unpack a data set once; what Ultralytics takes as ``data``.

    Args:
        archive: The zip file; it is never written to again.
        folder: Where it is unpacked; complete on disk, or not there at all.
        name: What the hub calls it.

    Returns:
        A YAML file with the folder's absolute path, whatever its own said; for a data set of folders by class, the
        folder that holds ``train``.

    Raises:
        DatasetError: It is no zip file, not safe to unpack, or holds no data set.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}."))
            try:
                _extract(archive, staging)
                _prepare(archive, staging, folder)
                said = {"name": name or archive.name, "size_bytes": sum(_sizes(staging))}
                Path(f"{folder}{_NOTE}").write_text(json.dumps(said), encoding="utf-8")
                staging.replace(folder)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    return found_in(folder)


def _extract(archive: Path, staging: Path) -> None:
    """Unpack plain files only, below the folder, and no more than was announced."""
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            _check(archive, members, free_bytes=shutil.disk_usage(staging).free)
            for member in members:
                target = staging / _safe_path(member)
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, target.open("xb") as file:
                    _copy(source, file, member)
    except (zipfile.BadZipFile, RuntimeError, EOFError, OSError, zlib.error) as error:
        raise DatasetError(
            f"The data set {archive.name!r} cannot be unpacked: {error}. Upload it to the hub again."
        ) from error


def _check(archive: Path, members: list[zipfile.ZipInfo], *, free_bytes: int) -> None:
    size_bytes = sum(member.file_size for member in members)
    if len(members) > _MOST_FILES:
        raise DatasetError(
            f"The data set {archive.name!r} holds {len(members)} files; at most {_MOST_FILES} are unpacked."
        )
    if size_bytes > max(_FREELY_BYTES, _MOST_TIMES * archive.stat().st_size):
        raise DatasetError(
            f"The data set {archive.name!r} would unpack to {size_bytes} bytes, more than {_MOST_TIMES} times its size:"
            " no images shrink like that, and it is not unpacked."
        )
    if size_bytes > free_bytes:
        raise DatasetError(
            f"The data set {archive.name!r} unpacks to {size_bytes / 1e9:.1f} GB, and {free_bytes / 1e9:.1f} GB are"
            " free on the disk of the data folder. Make room, or move it: hub-callbacks settings data_dir=FOLDER."
        )


def _safe_path(member: zipfile.ZipInfo) -> PurePosixPath:
    """Where a member belongs below the folder.

    Raises:
        DatasetError: It is a link or another special file, or its name leads elsewhere.
    """
    path = PurePosixPath(member.filename.replace("\\", "/"))
    kind = stat.S_IFMT(member.external_attr >> 16)
    is_elsewhere = not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]
    if is_elsewhere or kind not in {0, stat.S_IFREG}:
        raise DatasetError(f"The data set is not safe to unpack: it holds {member.filename!r}. Upload it without that.")
    return path


def _copy(source: Any, file: Any, member: zipfile.ZipInfo) -> None:
    left_bytes = member.file_size
    while block := source.read(_BLOCK_BYTES):
        left_bytes -= len(block)
        if left_bytes < 0:
            raise DatasetError(f"The data set is not safe to unpack: {member.filename!r} is longer than it says.")
        file.write(block)


def _prepare(archive: Path, staging: Path, folder: Path) -> None:
    """Write the YAML file that Ultralytics is given, where the data set has one."""
    for found in sorted(_yaml_files(staging), key=lambda path: (len(path.parts), path.stem != "data", path.name)):
        said = _said(found)
        if said is not None:
            root = _root(said, found.parent, staging)
            kept = {name: value for name, value in said.items() if name not in _NOT_OURS}
            kept["path"] = str(folder / root.relative_to(staging))
            (staging / READY).write_text(yaml.safe_dump(kept, sort_keys=False, allow_unicode=True), encoding="utf-8")
            return
    if not any(_class_folders(staging)):
        raise DatasetError(
            f"The data set {archive.name!r} holds neither a YAML file with 'train' and 'names' nor a folder 'train'."
        )


def _said(path: Path) -> dict[str, Any] | None:
    """What a YAML file says of a data set; None when it is about something else.

    Raises:
        DatasetError: It leads out of the data set.
    """
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return None
    if not isinstance(said, dict) or "train" not in said or not {"names", "nc"} & said.keys():
        return None
    for split in ("train", "val", "test"):
        for entry in _entries(said.get(split)):
            if PurePosixPath(entry).is_absolute() or ".." in PurePosixPath(entry.removeprefix("../")).parts:
                raise DatasetError(
                    f"The data set's {path.name} leads out of it: {split}: {entry!r}. Upload it without."
                )
    return said


def _entries(value: Any) -> list[str]:
    return [entry for entry in (value if isinstance(value, list) else [value]) if isinstance(entry, str)]


def _root(said: dict[str, Any], beside: Path, staging: Path) -> Path:
    """The folder that the data set's paths are relative to: its own ``path`` where that is inside, else beside it."""
    own = (beside / str(said.get("path") or ".")).resolve()
    is_inside = own.is_dir() and own.is_relative_to(staging.resolve())
    return staging / own.relative_to(staging.resolve()) if is_inside else beside


def _yaml_files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix.lower() in _YAML and path.is_file())


def _sizes(folder: Path) -> Iterator[int]:
    return (path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _class_folders(folder: Path) -> Iterator[Path]:
    return (path.parent for path in sorted(folder.rglob("train")) if path.is_dir() and "images" not in path.parts)


def found_in(folder: Path) -> str:
    """What Ultralytics takes as ``data``, of a folder that `unpack` has made."""
    if (folder / READY).exists():
        return str(folder / READY)
    return str(next(_class_folders(folder)))
