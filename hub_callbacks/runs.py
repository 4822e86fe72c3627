"""The runs on a hub, for scripts and notebooks: plain rows, and data frames where pandas or polars is there.

The words are those of W&B's public API, where it has one: ``filters``, ``order``, ``config``, ``summary``, ``history``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import islice
from typing import Any, Literal, TypeAlias, overload

from hub_callbacks import wire
from hub_callbacks.errors import HubCallbacksError
from hub_callbacks.session.access import address, asking
from hub_callbacks.session.addresses import web_root
from hub_callbacks.settings import Settings
from hub_callbacks.transport import HubApi

_PAGE = 100
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

Library: TypeAlias = Literal["pandas", "polars"]


class NoFrameError(HubCallbacksError, ImportError):
    """Neither pandas nor polars is installed, or not the one that was asked for."""


class Rows(list[dict[str, Any]]):
    """Rows as plain dictionaries."""

    def to_frame(self, library: Library | None = None) -> Any:
        """The rows as a data frame.

        Args:
            library: Whose; where it is None, pandas' if it is installed, else polars'.

        Raises:
            NoFrameError: It is not installed.
        """
        wanted: Sequence[str] = [library] if library else ["pandas", "polars"]
        for name in wanted:
            if find_spec(name):
                return _frame(name, self)
        raise NoFrameError(f"A data frame needs {' or '.join(wanted)}: pip install {wanted[0]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, as it was when it was asked for.

    Attributes:
        id: 20 letters and digits.
        state: How it stands; ``reason`` says why, and may be empty.
        config: The training arguments.
        summary: The best value of each metric that has a direction; over it, what best.pt scored in the end.
        last: The values of the last epoch.
        metadata: What it ran on.
        epochs: Number of epochs planned; None when unknown.
        epoch: Epochs done, the last one with a row counted from 1; 0 before the first.
        created_at: Unix time, seconds; as are ``started_at`` and ``finished_at``, None before.
        url: Its page.
    """

    id: str
    name: str
    state: str
    reason: str
    project: str
    task: str
    dataset: str
    model: str
    config: Mapping[str, Any]
    summary: Mapping[str, float]
    last: Mapping[str, float]
    metadata: Mapping[str, Any]
    epochs: int | None
    epoch: int
    created_at: float
    started_at: float | None
    finished_at: float | None
    url: str
    _settings: Settings = field(repr=False, compare=False)

    def history(self, keys: Sequence[str] | None = None) -> Rows:
        """A row for each epoch, in the columns of results.csv: ``epoch`` from 1, metrics by their names.

        Args:
            keys: The metrics that are wanted; all when None.

        Raises:
            TransportError: The hub does not answer, or refuses.
        """
        with asking(self._settings, self.url) as api:
            return _chosen(_rows(api.export("json", {}, model_id=self.id)), keys)


class Runs:
    """The runs on the hub of the settings, page by page as they are iterated.

    Each iteration asks anew. With no hub configured it is the local one, which is started for it.

    Args:
        filters: Conditions as in the table: ``mAP50-95 > 0.5, imgsz = 640``.
        order: A column of the table, or the name of a metric or an argument; with ``-`` before it, the greatest first.
        search: Words that are all in a run's name, project, model or data set.
        project: Its runs alone.
        state: Runs that stand so, in one of these words.
        settings: Those of the environment and the user's file, when None.
    """

    def __init__(
        self,
        filters: str = "",
        *,
        order: str = "-started",
        search: str = "",
        project: str = "",
        state: Sequence[str] = (),
        settings: Settings | None = None,
    ) -> None:
        self._settings = settings or Settings.load()
        self._query = query(filters, order=order, search=search, project=project, state=state)

    def __iter__(self) -> Iterator[Run]:
        """Every run.

        Raises:
            TransportError: The hub does not answer, refuses, or cannot read the filters.
        """
        page, seen = 1, 0
        while True:
            found = self._ask(page=page, limit=_PAGE)
            yield from (_run(told, self._settings) for told in found["results"])
            page, seen = page + 1, seen + len(found["results"])
            if not found["results"] or seen >= found["total"]:
                return

    def __len__(self) -> int:
        """How many there are."""
        return self._ask(page=1, limit=1)["total"]

    @overload
    def __getitem__(self, place: int) -> Run: ...

    @overload
    def __getitem__(self, place: slice) -> list[Run]: ...

    def __getitem__(self, place: int | slice) -> Run | list[Run]:
        """The run at a place, or the runs of a slice; places below 0 count from the end.

        Raises:
            IndexError: There are not so many.
            TransportError: As for iterating.
        """
        if isinstance(place, slice):
            return self._slice(place)
        page = place + 1 if place >= 0 else len(self) + place + 1
        found = self._ask(page=page, limit=1)["results"] if page > 0 else []
        if not found:
            raise IndexError(f"There is no run at {place}: there are {len(self)}.")
        return _run(found[0], self._settings)

    def _slice(self, places: slice) -> list[Run]:
        """A beginning is read as far as it goes; for all else every run is."""
        ends = (places.start or 0, places.stop or 0, places.step or 1)
        stop = None if places.stop is None or min(ends) < 0 else places.stop
        return list(islice(self, stop))[places]

    def __repr__(self) -> str:
        """What was asked for; the hub is not."""
        asked = ", ".join(f"{name}={value!r}" for name, value in self._query.items() if value)
        return f"<Runs: {asked}>"

    def get(self, run_id: str) -> Run:
        """The run of that ID, whatever the filters say.

        Raises:
            ModelNotFoundError: There is none that the key may see.
            TransportError: The hub does not answer, or refuses.
        """
        with asking(self._settings, web_root(self._settings) + wire.page(run_id)) as api:
            return _run(api.run(run_id), self._settings)

    def histories(self, keys: Sequence[str] | None = None) -> Rows:
        """The rows of all these runs; each says its run, in ``run_id`` and ``name``.

        Args:
            keys: The metrics that are wanted; all when None.

        Raises:
            TransportError: The hub does not answer, refuses, or cannot read the filters.
        """
        with self._api() as api:
            return _chosen(_rows(api.export("json", self._query)), keys)

    def to_frame(self, library: Library | None = None) -> Any:
        """A data frame with a row for each run: what it is, and its ``config`` and ``summary`` in columns of their own.

        Raises:
            NoFrameError: As for `Rows.to_frame`.
            TransportError: As for iterating.
        """
        return Rows(_flat(run) for run in self).to_frame(library)

    @contextmanager
    def _api(self) -> Iterator[HubApi]:
        hub = address(self._settings)
        api = HubApi(hub["api_url"], hub["api_key"])
        try:
            yield api
        finally:
            api.close()

    def _ask(self, *, page: int, limit: int) -> wire.RunList:
        with self._api() as api:
            return api.runs({**self._query, "page": page, "limit": limit})


def query(
    filters: str = "", *, order: str = "-started", search: str = "", project: str = "", state: Sequence[str] = ()
) -> wire.RunQuery:
    """What to ask a hub for; the arguments are those of `Runs`."""
    is_descending = order.startswith("-")
    return {
        "q": search,
        "where": filters,
        "project": project,
        "state": [state] if isinstance(state, str) else list(state),
        "sort": order.removeprefix("-"),
        "dir": "desc" if is_descending else "asc",
    }


def _run(told: Mapping[str, Any], settings: Settings) -> Run:
    last_epoch = told["lastEpoch"]
    return Run(
        **{name: told[name] or "" for name in ("id", "name", "state", "reason", "project", "task", "dataset")},
        model=told["parent"] or told["architecture"] or "",
        config=told["args"],
        summary={**_floats(told["best"]), **_floats(told["summary"])},
        last=_floats(told["last"]),
        metadata=told["environment"],
        epochs=told["epochs"],
        epoch=0 if last_epoch is None else last_epoch + 1,
        created_at=told["createdAt"],
        started_at=told["startedAt"],
        finished_at=told["finishedAt"],
        url=web_root(settings) + wire.page(told["id"]),
        _settings=settings,
    )


def _flat(run: Run) -> dict[str, Any]:
    plain = ("id", "name", "state", "project", "task", "dataset", "model", "epoch", "epochs", "started_at", "url")
    config = {f"config/{name}": value for name, value in run.config.items()}
    summary = {f"summary/{name}": value for name, value in run.summary.items()}
    return {**{name: getattr(run, name) for name in plain}, **config, **summary}


def _rows(pieces: Iterator[bytes]) -> Rows:
    return Rows(_floats(row) for row in json.loads(b"".join(pieces)))


def _chosen(rows: Rows, keys: Sequence[str] | None) -> Rows:
    if keys is None:
        return rows
    wanted = ("run_id", "name", "epoch", *keys)
    return Rows({name: row[name] for name in wanted if name in row} for row in rows)


def _floats(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with NaN and infinities as numbers: JSON has only words for them."""
    return {name: value if name == "name" else _NOT_FINITE.get(value, value) for name, value in row.items()}


def _frame(library: str, rows: Rows) -> Any:
    if library == "pandas":
        import pandas

        return pandas.DataFrame(rows)
    import polars

    told = [{name: _cell(value) for name, value in row.items()} for row in rows]
    return polars.DataFrame(told, infer_schema_length=None, strict=False)


def _cell(value: Any) -> Any:
    """A value as polars takes it beside others of its column: arguments may be lists in one run and none in another."""
    return value if value is None or isinstance(value, str | int | float) else json.dumps(value)
