"""The metrics of runs as one file, in the columns of Ultralytics' results.csv: epochs from 1, metrics by name."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final, TypeAlias, get_args

from hub_callbacks.errors import HubCallbacksError
from hub_callbacks.records import finite
from hub_callbacks.server.dashboard.charts import is_curve
from hub_callbacks.server.store import Store
from hub_callbacks.server.store.rows import Model
from hub_callbacks.wire import ExportForm

MEDIA_TYPES: Final[Mapping[ExportForm, str]] = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}
_CHUNK = 500  # rows that are sent at once
_UNSAFE = re.compile(r"[^\w.-]+", re.ASCII)  # a header takes no other letters

Row: TypeAlias = dict[str, Any]


class NoParquetError(HubCallbacksError):
    """The hub has no library that writes Parquet."""


def forms() -> list[ExportForm]:
    """The forms that this hub can write: Parquet where polars is installed, as it is wherever Ultralytics is."""
    return [form for form in get_args(ExportForm) if form != "parquet" or find_spec("polars")]


def export(form: ExportForm, store: Store, models: Sequence[Model], *, is_named: bool) -> Iterator[bytes]:
    """The file, piece by piece. The rows are read as they are sent; only Parquet needs them all at once.

    Args:
        form: What to write.
        store: Where the rows are.
        models: Whose rows, in this order.
        is_named: Whether each row says its run, in the columns ``run_id`` and ``name``.

    Raises:
        NoParquetError: Parquet is asked for, and polars is not installed.
    """
    if form == "csv":
        return _csv(store, models, is_named=is_named)
    if form == "json":
        return _json(_rows(store, models, is_named=is_named))
    return _parquet(store, models, is_named=is_named)


def filename(form: ExportForm, models: Sequence[Model]) -> str:
    """What a browser saves the file as."""
    name = models[0].name or models[0].id if len(models) == 1 else f"{len(models)}-runs"
    return f"{_UNSAFE.sub('_', name)}.{form}"


def _rows(store: Store, models: Iterable[Model], *, is_named: bool) -> Iterator[Row]:
    for model in models:
        run: Row = {"run_id": model.id, "name": model.name} if is_named else {}
        for row in store.metrics(model.id):
            yield {**run, "epoch": row.epoch + 1, **{name: row.values[name] for name in row.values if is_curve(name)}}


def _csv(store: Store, models: Sequence[Model], *, is_named: bool) -> Iterator[bytes]:
    columns = _columns(_rows(store, models, is_named=is_named), is_named=is_named)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for number, row in enumerate(_rows(store, models, is_named=is_named)):
        writer.writerow({name: value for name, value in row.items() if name in columns})  # a row may just have come
        if number % _CHUNK == _CHUNK - 1:
            yield _taken(text)
    yield _taken(text)


def _columns(rows: Iterable[Row], *, is_named: bool) -> dict[str, None]:
    """Every name, in the order in which it first comes."""
    columns = dict.fromkeys(["run_id", "name", "epoch"] if is_named else ["epoch"])
    for row in rows:
        columns |= dict.fromkeys(row)
    return columns


def _taken(text: io.StringIO) -> bytes:
    taken = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return taken


def _json(rows: Iterable[Row]) -> Iterator[bytes]:
    """An array of objects; NaN and infinities are the words that `records.finite` makes of them."""
    yield b"["
    for number, row in enumerate(rows):
        numbers = finite({name: value for name, value in row.items() if isinstance(value, float)})
        yield (",\n" if number else "\n").encode() + json.dumps({**row, **numbers}).encode()
    yield b"\n]\n"


def _parquet(store: Store, models: Sequence[Model], *, is_named: bool) -> Iterator[bytes]:
    if "parquet" not in forms():
        raise NoParquetError('Parquet needs polars on the hub\'s machine: pip install "hub-callbacks[parquet]"')
    import polars

    frames = [
        polars.DataFrame(list(_rows(store, [model], is_named=is_named)), infer_schema_length=None) for model in models
    ]
    told = [frame for frame in frames if frame.height]
    file = io.BytesIO()
    whole = polars.concat(told, how="diagonal_relaxed") if told else polars.DataFrame({"epoch": []})
    whole.write_parquet(file)
    return iter([file.getvalue()])
