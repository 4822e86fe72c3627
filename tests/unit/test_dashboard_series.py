from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from hub_callbacks.server.dashboard.series import Points, points, rounded, thin
from hub_callbacks.server.store.rows import MetricsRow

VALUES = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=400)


def rows(values: dict[int, dict[str, float]]) -> list[MetricsRow]:
    return [MetricsRow(epoch=epoch, values=row) for epoch, row in values.items()]


def line(y: list[float | None]) -> Points:
    return Points(x=list(range(1, len(y) + 1)), y=y)


def test_points_count_epochs_from_1() -> None:
    assert points(rows({0: {"a": 0.5}, 1: {"a": 0.25}}), "a") == Points(x=[1, 2], y=[0.5, 0.25])


def test_points_break_where_epochs_are_missing_and_where_a_value_is_not_finite() -> None:
    told = rows({0: {"a": 1.0}, 3: {"a": 2.0}, 4: {"a": math.nan}, 5: {"a": 3.0}})
    assert points(told, "a") == Points(x=[1, 2, 4, 5, 6], y=[1.0, None, 2.0, None, 3.0])


def test_points_pass_over_epochs_in_which_the_metric_was_not_measured() -> None:
    told = rows({0: {"a": 1.0}, 1: {"b": 9.0}, 2: {"a": 2.0}})
    assert points(told, "a") == Points(x=[1, 3], y=[1.0, 2.0])


@given(VALUES, st.integers(5, 60))
def test_thin_keeps_ends_extremes_and_order_within_the_limit(y: list[float | None], most: int) -> None:
    whole = line(y)
    thinned = thin(whole, most)
    assert len(thinned.x) <= most
    assert thinned.x == sorted(set(thinned.x))
    assert set(zip(thinned.x, thinned.y, strict=True)) <= set(zip(whole.x, whole.y, strict=True))
    assert thinned.x[:1] + thinned.x[-1:] == whole.x[:1] + whole.x[-1:]
    finite, kept = ([value for value in one.y if value is not None] for one in (whole, thinned))
    if finite:
        assert (min(kept), max(kept)) == (min(finite), max(finite))


def test_thin_leaves_a_short_line_alone() -> None:
    whole = line([1.0, None, 3.0])
    assert thin(whole, 5) is whole


def test_thin_keeps_a_peak_and_a_break_of_one_epoch() -> None:
    y: list[float | None] = [0.5] * 1000
    y[437], y[801] = 9.0, None
    thinned = thin(line(y), 100)
    assert (438, 9.0) in zip(thinned.x, thinned.y, strict=True)
    assert (802, None) in zip(thinned.x, thinned.y, strict=True)


def test_rounded_keeps_six_digits_and_breaks() -> None:
    assert rounded([0.123456789, None, 1234567.0, 1e-9]) == [0.123457, None, 1234570.0, 1e-9]
