"""Annualised growth of a value: from year to year, and over windows before and after a date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from reesim.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Measure = Literal["log", "midpoint"]
MEASURES = ("log", "midpoint")


def annual_growth(
    frame: pd.DataFrame, units: Sequence[str], column: str = "value", measure: Measure = "log"
) -> tuple[pd.Series, tuple[str, ...]]:
    """Growth from the year before.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns `units`, ``year`` and `column`; rows in any order.
    units : sequence of str
        What is followed over time.
    column : str
        Value that grows, 0 or more.
    measure : {"log", "midpoint"}
        log v(t) − log v(t−1), which flows that begin or end do not have; or 2 (v(t) − v(t−1)) / (v(t) + v(t−1)), which is
        2 where a flow begins, −2 where it ends, and equals the former up to third order.

    Returns
    -------
    growth : pandas.Series
        By the index of the frame; nan in a unit's first year, after a gap, and where the measure has no value.
    notes : tuple of str
        How many flows are without growth, and why.

    Raises
    ------
    DataError
        If there is no such measure.
    """
    import pandas as pd

    _check(measure)
    ordered = frame.sort_values([*units, "year"], kind="stable")
    groups = ordered.groupby(list(units), sort=False)
    before = groups[column].shift().where(groups["year"].diff() == 1)
    now = ordered[column]
    growth = _growth(before.to_numpy(dtype=np.float64), now.to_numpy(dtype=np.float64), measure)
    return pd.Series(growth, index=ordered.index, name="growth").reindex(frame.index), _told(before, now, measure)


def window_growth(
    frame: pd.DataFrame, units: Sequence[str], windows: Mapping[str, tuple[int, int]], column: str = "value"
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Annualised growth over windows: (log v(last) − log v(first)) / (last − first).

    Parameters
    ----------
    frame, units, column
        As in `annual_growth`.
    windows : mapping of str to (int, int)
        First and last year by name, such as ``{"pre": (2000, 2009), "post": (2009, 2011)}``.

    Returns
    -------
    growth : pandas.DataFrame
        A row for each unit and window: units, ``window``, ``year`` (the last of the window), ``growth``; nan where a
        value at an end is missing or zero.
    notes : tuple of str
        How many, by window.

    Raises
    ------
    DataError
        If a window does not end after it begins.
    """
    import pandas as pd

    table = frame.set_index([*units, "year"])[column].unstack("year")
    parts, notes = [], []
    for name, (first, last) in windows.items():
        if not first < last:
            raise DataError(f"window {name!r}: {last} is not after {first}")
        ends = table.reindex(columns=[first, last])
        growth = _growth(ends[first].to_numpy(), ends[last].to_numpy(), "log") / (last - first)
        parts.append(pd.DataFrame({"window": name, "year": last, "growth": growth}, index=ends.index).reset_index())
        notes += [f"Window {name}, {first} to {last}: {text}" for text in _told(ends[first], ends[last], "log")]
    return pd.concat(parts, ignore_index=True), tuple(notes)


def _check(measure: str) -> None:
    if measure not in MEASURES:
        raise DataError(f"no measure of growth {measure!r}; known: {', '.join(MEASURES)}")


def _growth(before: np.ndarray, now: np.ndarray, measure: Measure) -> np.ndarray:
    growth = np.full(len(now), np.nan)
    there = np.isfinite(before) & np.isfinite(now)
    if measure == "log":
        there &= np.where(there, (before > 0.0) & (now > 0.0), False)
        growth[there] = np.log(now[there]) - np.log(before[there])
    else:
        there &= np.where(there, before + now > 0.0, False)
        growth[there] = 2.0 * (now[there] - before[there]) / (before[there] + now[there])
    return growth


def _told(before: pd.Series, now: pd.Series, measure: Measure) -> tuple[str, ...]:
    begun = int(((before == 0.0) & (now > 0.0)).sum())
    ended = int(((before > 0.0) & (now == 0.0)).sum())
    idle = int(((before == 0.0) & (now == 0.0)).sum())
    parts = [f"{idle:,} pairs of zeros have no growth"] if idle else []
    if begun or ended:
        fate = "have no growth in logs" if measure == "log" else "count as growth of 2 and −2"
        parts.append(f"{begun:,} flows that begin and {ended:,} that end {fate}")
    return (f"{'; '.join(parts)}.",) if parts else ()
