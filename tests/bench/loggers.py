"""Ourselves and our peers, each as it logs an epoch's row on the training thread, and what it has kept afterwards."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

Row = Mapping[str, float]


class Logger(Protocol):
    """One of them. Its constructor begins a run whose files lie under a folder."""

    def __init__(self, folder: Path) -> None: ...

    def prepare(self, step: int, row: Row) -> None:
        """What a training does anyway before it logs; not timed."""

    def log(self, step: int, row: Row) -> None:
        """Log the row; timed."""

    @staticmethod
    def kept(folder: Path) -> int:
        """How many rows are there after the process was killed, and its own recovery was done."""


class _Peer:
    def prepare(self, step: int, row: Row) -> None:
        """Nothing: a peer takes the row as it is."""


class Ours:
    """The whole callback as a trainer calls it, in an epoch's place among its events; courier and hub are at work."""

    def __init__(self, folder: Path) -> None:
        os.environ.update(HUB_CALLBACKS_DATA_DIR=str(folder / "data"), HUB_CALLBACKS_PORT="0")
        from hub_callbacks.callbacks import attach
        from hub_callbacks.testing import StubTrainer

        self._events: Any = attach
        self._trainer: Any = StubTrainer(folder / "train", epochs=10**6)
        self._trainer.metrics, self._trainer.best_fitness = {}, 0.0
        self._events.on_pretrain_routine_start(self._trainer)
        self._events.on_pretrain_routine_end(self._trainer)

    def prepare(self, step: int, row: Row) -> None:
        names = list(row)
        losses, metrics, rates = names[:3], names[3:12], names[12:]
        self._trainer.epoch = step
        self._trainer.tloss = {name.removeprefix("train/"): row[name] for name in losses}
        self._events.on_train_epoch_end(self._trainer)
        self._trainer.metrics = {name: row[name] for name in metrics}
        self._trainer.lr = {name: row[name] for name in rates}

    def log(self, step: int, row: Row) -> None:
        self._events.on_fit_epoch_end(self._trainer)

    @staticmethod
    def kept(folder: Path) -> int:
        """Rows that the hub has, after ``hub-callbacks sync``."""
        from hub_callbacks import wire
        from hub_callbacks.cli import main
        from hub_callbacks.courier import local_hub
        from hub_callbacks.transport import HubApi

        os.environ.update(HUB_CALLBACKS_DATA_DIR=str(folder / "data"), HUB_CALLBACKS_PORT="0")
        with contextlib.redirect_stdout(sys.stderr), contextlib.suppress(SystemExit):
            main(["sync"], standalone_mode=False)
        hub = local_hub.ensure(folder / "data", port=0)
        try:
            return _rows_on(HubApi(hub.url, hub.key), wire)
        finally:
            os.kill(hub.pid, 15)


def _rows_on(api: Any, wire: Any) -> int:
    (model,) = api._request("GET", wire.MODELS)["results"]
    series = api._request("GET", wire.metrics(model["id"]))
    return len({epoch for metric in series for epoch in metric["data"]})


class Write(_Peer):
    """No logger, but what the system takes for a row that outlives the process: one write(2) at a file's end."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "rows").open("ab", buffering=0)

    def log(self, step: int, row: Row) -> None:
        self._file.write(struct.pack(f"<{len(row)}d", *row.values()))

    @staticmethod
    def kept(folder: Path) -> int:
        return (folder / "rows").stat().st_size // struct.calcsize("<15d")


class Trackio(_Peer):
    def __init__(self, folder: Path) -> None:
        os.environ["TRACKIO_DIR"] = str(folder)
        self._trackio = import_module("trackio")
        self._trackio.init(project="bench", name="run")

    def log(self, step: int, row: Row) -> None:
        self._trackio.log(dict(row), step=step)

    @staticmethod
    def kept(folder: Path) -> int:
        return _count(folder / "bench.db")


class WandbOffline(_Peer):
    def __init__(self, folder: Path) -> None:
        os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true")
        self._run = import_module("wandb").init(project="bench", dir=str(folder))

    def log(self, step: int, row: Row) -> None:
        self._run.log(dict(row), step=step)

    @staticmethod
    def kept(folder: Path) -> int:
        """History records in the run's file, which is what ``wandb sync`` sends."""
        record = import_module("wandb.proto.wandb_internal_pb2").Record
        (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
        kinds = [record.FromString(text).WhichOneof("record_type") for text in _leveldb_log(file.read_bytes(), start=7)]
        return kinds.count("history")


class Mlflow(_Peer):
    is_synchronous = True

    def __init__(self, folder: Path) -> None:
        self._mlflow = import_module("mlflow")
        self._mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        self._mlflow.set_experiment("bench")
        self._mlflow.start_run()

    def log(self, step: int, row: Row) -> None:
        self._mlflow.log_metrics(dict(row), step=step, synchronous=self.is_synchronous)

    @staticmethod
    def kept(folder: Path) -> int:
        return _count(folder / "mlflow.db", column="DISTINCT step")


class MlflowAsync(Mlflow):
    is_synchronous = False


class Tensorboard(_Peer):
    """TensorBoard's own event writer, which is what torch's ``SummaryWriter`` writes with."""

    def __init__(self, folder: Path) -> None:
        self._event = import_module("tensorboard.compat.proto.event_pb2").Event
        self._summary = import_module("tensorboard.compat.proto.summary_pb2").Summary
        self._writer = import_module("tensorboard.summary.writer.event_file_writer").EventFileWriter(str(folder))

    def log(self, step: int, row: Row) -> None:
        for name, number in row.items():
            summary = self._summary(value=[self._summary.Value(tag=name, simple_value=number)])
            self._writer.add_event(self._event(wall_time=time.time(), step=step, summary=summary))

    @staticmethod
    def kept(folder: Path) -> int:
        """Steps of which every value is there."""
        loader = import_module("tensorboard.backend.event_processing.event_file_loader").EventFileLoader
        (file,) = folder.glob("events.out.tfevents.*")
        values = Counter(event.step for event in loader(str(file)).Load() if event.summary.value)
        return sum(count == max(values.values()) for count in values.values())


class Dvclive(_Peer):
    def __init__(self, folder: Path) -> None:
        os.chdir(folder)
        self._live = import_module("dvclive").Live("live", save_dvc_exp=False, dvcyaml=None)

    def log(self, step: int, row: Row) -> None:
        for name, number in row.items():
            self._live.log_metric(name, number)
        self._live.next_step()

    @staticmethod
    def kept(folder: Path) -> int:
        """Steps of which every value is there: lines but for the heading."""
        return min(len(file.read_text().splitlines()) - 1 for file in folder.rglob("*.tsv"))


LOGGERS: dict[str, type[Logger]] = {
    "hub-callbacks": Ours,
    "a bare write(2)": Write,
    "trackio": Trackio,
    "wandb offline": WandbOffline,
    "mlflow sqlite": Mlflow,
    "mlflow sqlite async": MlflowAsync,
    "tensorboard": Tensorboard,
    "dvclive": Dvclive,
}


def title(name: str) -> str:
    """The logger's name with its version."""
    if LOGGERS[name] is Write:
        return name
    package, _, rest = name.partition(" ")
    return f"{package} {version(package)} {rest}".rstrip()


def _count(database: Path, *, column: str = "*") -> int:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return int(connection.execute(f"SELECT count({column}) FROM metrics").fetchone()[0])  # noqa: S608 - ours


def _leveldb_log(text: bytes, *, start: int) -> Iterator[bytes]:
    """The whole records of a log in LevelDB's format: parts with a header of 7 bytes, none across a block's end.

    https://github.com/google/leveldb/blob/main/doc/log_format.md
    """
    block, header = 32768, struct.Struct("<IHB")
    position, record = start, b""
    while position + header.size <= len(text):
        if (room := block - position % block) < header.size:
            position += room
            continue
        _, length, kind = header.unpack_from(text, position)
        position += header.size
        if not kind or position + length > len(text):
            return
        record += text[position : position + length]
        position += length
        if kind in {1, 4}:  # full, or the last part
            yield record
            record = b""
