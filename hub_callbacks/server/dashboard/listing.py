"""The list of runs as an address says it: what is looked for, how it is sorted, what is shown of each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final, get_args
from urllib.parse import urlencode

from fastapi import Depends, Query, Request

from hub_callbacks.server.auth import cookie_name
from hub_callbacks.server.context import ThisHub
from hub_callbacks.server.queries import WHOLE
from hub_callbacks.server.store.runs import SORTS
from hub_callbacks.wire import JudgedState

STATES: Final[Sequence[JudgedState]] = get_args(JudgedState)
PAGE_SIZE: Final = 50
_MOST_PAGES = 1_000_000  # beyond any list: what SQL counts with must not overflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the table.

    Attributes:
        sort: What a click on its head sorts by; empty where it cannot be sorted.
        kind: Which cell the template makes: one of its own for the key, a ``metric``'s or an ``argument``'s.
        is_shown: Whether it is there until the reader says otherwise.
    """

    key: str
    title: str
    sort: str = ""
    kind: str = ""
    is_figure: bool = False
    is_shown: bool = True


def _metric(name: str, title: str) -> Column:
    return Column(key=name, title=title, sort=name, kind="metric", is_figure=True, is_shown=False)


def _argument(name: str) -> Column:
    return Column(key=f"arg.{name}", title=name, sort=name, kind="argument", is_figure=True, is_shown=False)


COLUMNS: Final = (
    Column(key="state", title="State", sort="state"),
    Column(key="progress", title="Progress", sort="progress"),
    Column(key="score", title="Best mAP50-95", sort="score", is_figure=True),
    Column(key="curve", title="Curve"),
    Column(key="model", title="Model", sort="model"),
    Column(key="dataset", title="Data set", sort="dataset"),
    Column(key="started", title="Started", sort="started"),
    Column(key="duration", title="Duration", sort="duration", is_figure=True),
    Column(key="project", title="Project", sort="project", is_shown=False),
    Column(key="task", title="Task", sort="task", is_shown=False),
    Column(key="epoch", title="Last epoch", sort="epoch", is_figure=True, is_shown=False),
    _metric("metrics/mAP50(B)", "Best mAP50"),
    _metric("metrics/precision(B)", "Best precision"),
    _metric("metrics/recall(B)", "Best recall"),
    *(_argument(name) for name in ("imgsz", "batch", "lr0", "seed", "optimizer")),
)
_BY_KEY: Final[Mapping[str, Column]] = {column.key: column for column in COLUMNS}
_SHOWN: Final = tuple(column.key for column in COLUMNS if column.is_shown)
_SORTS: Final = {*SORTS, *(column.sort for column in COLUMNS)} - {""}
_ASCENDING_FIRST: Final = {"name", "state", "model", "dataset", "project", "task"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one address of the list says.

    Attributes:
        inside: Id of a shared project.
        where: Conditions on values, as written.
        columns: Keys of the columns that are shown; the name always is.
        are_columns_given: Whether the address itself says so, and not the reader's cookie or nothing.
        page: Counted from 1.
    """

    text: str = ""
    states: tuple[str, ...] = ()
    project: str = ""
    inside: str = ""
    where: str = ""
    sort: str = "started"
    is_descending: bool = True
    page: int = 1
    columns: tuple[str, ...] = _SHOWN
    are_columns_given: bool = False

    @property
    def is_filtered(self) -> bool:
        """Whether not every run is wanted."""
        return bool(self.text or self.states or self.project or self.inside or self.where)

    @property
    def shown(self) -> list[Column]:
        """The columns that are shown, in their order."""
        return [column for column in COLUMNS if column.key in self.columns]

    def url(self, path: str = "/", **changes: object) -> str:
        """The address of the list with some things changed."""
        return _url(path, replace(self, **changes))  # type: ignore[arg-type] # the names are fields of ours

    def sorted_by(self, sort: str) -> str:
        """The address behind a column's head: sorted by it, or the other way round where it is so already."""
        is_descending = not self.is_descending if sort == self.sort else sort not in _ASCENDING_FIRST
        return self.url(sort=sort, is_descending=is_descending, page=1)

    def direction(self, sort: str) -> str:
        """The ``aria-sort`` of a column's head."""
        if not sort or sort != self.sort:
            return ""
        return "descending" if self.is_descending else "ascending"


def _url(path: str, listing: Listing) -> str:
    given: list[tuple[str, object]] = [
        ("q", listing.text),
        *(("state", state) for state in listing.states),
        ("project", listing.project),
        ("in", listing.inside),
        ("where", listing.where),
        ("sort", listing.sort if listing.sort != "started" else ""),
        ("dir", "" if listing.is_descending else "asc"),
        ("page", listing.page if listing.page > 1 else ""),
        *(("col", key) for key in listing.columns if listing.are_columns_given),
    ]
    query = urlencode([(name, value) for name, value in given if value])
    return f"{path}?{query}" if query else path


def columns_cookie(hub: ThisHub) -> str:
    """The name of the cookie that keeps a reader's columns."""
    return f"{cookie_name(hub)}_columns"


def listing_of(  # noqa: PLR0913 - a parameter of the address each
    request: Request,
    hub: ThisHub,
    *,
    q: str = "",
    state: Annotated[tuple[str, ...], Query(json_schema_extra={"items": {"enum": [*STATES]}})] = (),
    project: str = "",
    inside: Annotated[str, Query(alias="in")] = "",
    where: str = "",
    sort: str = "started",
    direction: Annotated[str, Query(alias="dir")] = "",
    page: Annotated[int, Query(ge=1, le=_MOST_PAGES), WHOLE] = 1,
    col: Annotated[tuple[str, ...], Query()] = (),
) -> Listing:
    """A dependency: what the address says; words that we do not know count for nothing."""
    kept = tuple(request.cookies.get(columns_cookie(hub), "").split("."))
    return Listing(
        text=q.strip(),
        states=tuple(one for one in STATES if one in state),
        project=project,
        inside=inside,
        where=where.strip(),
        sort=sort if sort in _SORTS else "started",
        is_descending=direction != "asc",
        page=page,
        columns=_known(col) or _known(_unpacked(kept)) or _SHOWN,
        are_columns_given=bool(_known(col)),
    )


def packed(listing: Listing) -> str:
    """The columns as a cookie keeps them: their places in the table."""
    return ".".join(str(place) for place, column in enumerate(COLUMNS) if column.key in listing.columns)


def _unpacked(places: Sequence[str]) -> tuple[str, ...]:
    return tuple(COLUMNS[int(place)].key for place in places if place.isdecimal() and int(place) < len(COLUMNS))


def _known(keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(key for key in _BY_KEY if key in keys)


ThisListing = Annotated[Listing, Depends(listing_of)]
