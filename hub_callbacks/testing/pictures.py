"""Pictures as Ultralytics names them: real ones, small, and different from each other."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

# As ultralytics 8.4.190 writes them for a detection with ``plots=True`` (8.0 to 8.3: some of them).
PLOTS: Final = (
    "results.png",
    "labels.jpg",
    "confusion_matrix.png",
    "confusion_matrix_normalized.png",
    "BoxPR_curve.png",
    "BoxF1_curve.png",
    "BoxP_curve.png",
    "BoxR_curve.png",
)
IMAGES: Final = ("train_batch0.jpg", "val_batch0_labels.jpg", "val_batch0_pred.jpg")

_JPEG: Final = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDACgcHiMeGSgjISMtKygwPGRBPDc3PHtYXUlkkYCZlo+AjIqgtObDoKrarYqMyP/L2u71////m8H////6"
    "/+b9//j/wAALCAAgACABAREA/8QAFwAAAwEAAAAAAAAAAAAAAAAAAAIFAf/EACEQAAIDAAIBBQEAAAAAAAAAAAECAAMRBEFRISIxMmGh/9oACAEB"
    "AAA/AJsIQhLHE4q0oCRth9ST1+CPyOOl6EMMbpuxIrKVYqwwg4Zkt8a9b6gwPuH2HgxrbUprLucA/siOxd2c/LHTkWarFTqkgjsGazs512LHyTsW"
    "f//Z"
)


def picture(name: str) -> bytes:
    """A picture for a file of that name, PNG or JPEG, with the name within its bytes."""
    return _png(name) if name.endswith(".png") else _jpeg(name)


def write_pictures(folder: Path) -> None:
    """Write every one of `PLOTS` and `IMAGES`."""
    for name in (*PLOTS, *IMAGES):
        (folder / name).write_bytes(picture(name))


def validator() -> Any:
    """What a trainer's ``validator`` knows at the end of the training: curves and the confusion matrix, as lists."""
    at = [index / 999 for index in range(1000)]
    falling, rising = [1 - x for x in at], list(at)
    curves = [[at, [falling, rising], "Recall", "Precision"], [at, [rising, falling], "Confidence", "F1"]]
    titles = ["Precision-Recall(B)", "F1-Confidence(B)"]
    metrics = SimpleNamespace(curves=titles, curves_results=curves, ap_class_index=[0, 1])
    matrix = SimpleNamespace(matrix=[[5, 1, 2], [0, 7, 1], [3, 0, 0]])
    return SimpleNamespace(metrics=metrics, confusion_matrix=matrix, names={0: "disc", 1: "square"}, plots={})


def _jpeg(name: str) -> bytes:
    comment = name.encode()
    return _JPEG[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + _JPEG[2:]


def _png(name: str, *, width: int = 48, height: int = 32) -> bytes:
    shade = zlib.crc32(name.encode()) % 200
    rows = b"".join(b"\x00" + bytes((shade + x) % 256 for x in range(width)) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"tEXt", b"Title\x00" + name.encode()),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
