"""Dates, partial dates and the periods of a run.

A partial date means its whole period: ``2010-07`` begins on 1 July and ends, inclusive, on 31 July.

Rows of a path. Stocks are dated at the opening of a period, flows at its start. The first row of every path is the
baseline: the calendar's first period if no policy is in force in it, otherwise a row dated one step earlier.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reesim.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Days = NDArray[np.datetime64]

FORMS = "write a date as 2010, 2010Q3, 2010-07 or 2010-07-08"
STEP_YEARS = {"day": 1 / 365.25, "week": 7 / 365.25, "month": 1 / 12, "quarter": 1 / 4, "year": 1.0}
"""Nominal length of each step in years; every month counts as one twelfth, whatever its days."""

_STEP_DAYS = {"day": 1, "week": 7}
_STEP_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_PARTIAL = re.compile(r"(?P<year>\d{4})(?:-?[Qq](?P<quarter>\d)|-(?P<month>\d{2})(?:-(?P<day>\d{2}))?)?", re.ASCII)
_ONE_DAY = timedelta(days=1)


def parse_window(value: object) -> tuple[date, date]:
    """Read a partial date as its first and its last day, both inclusive.

    Parameters
    ----------
    value : int, str, datetime.date, pandas.Timestamp or numpy.datetime64
        ``2010``, ``"2010Q3"``, ``"2010-07"``, ``"2010-07-08"``.

    Raises
    ------
    ValueError
        If there is no such date; the message is a sentence that says which forms are read.
    """
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[D]").item()
    if isinstance(value, datetime):
        value = value.date()
    if isinstance(value, date):
        return value, value
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{_show(value)} is not a date; {FORMS}")
    match = _PARTIAL.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(f"{_show(value)} is not a date; {FORMS}")
    return _period_of(value, {name: int(part) for name, part in match.groupdict().items() if part is not None})


def _period_of(value: object, parts: dict[str, int]) -> tuple[date, date]:
    year = parts["year"]
    months = range(1, 13)
    if "quarter" in parts:
        if not 1 <= parts["quarter"] <= 4:
            raise ValueError(f"{_show(value)} is not a date: there is no quarter {parts['quarter']}")
        months = range(3 * parts["quarter"] - 2, 3 * parts["quarter"] + 1)
    elif "month" in parts:
        if not 1 <= parts["month"] <= 12:
            raise ValueError(f"{_show(value)} is not a date: there is no month {parts['month']}")
        months = range(parts["month"], parts["month"] + 1)
    if year < 1:
        raise ValueError(f"{_show(value)} is not a date: there is no year 0")
    if "day" not in parts:
        return date(year, months[0], 1), _last_of_month(year, months[-1])
    last = _last_of_month(year, months[0])
    if not 1 <= parts["day"] <= last.day:
        raise ValueError(f"{_show(value)} is not a date: {year}-{last.month:02d} has {last.day} days")
    return (last.replace(day=parts["day"]),) * 2


def _last_of_month(year: int, month: int) -> date:
    # 31 December is written out because the day after it may lie beyond the last year a date can hold.
    return date(year, 12, 31) if month == 12 else date(year, month + 1, 1) - _ONE_DAY


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def parse_start(value: object) -> date:
    """First day of a partial date.

    Raises
    ------
    ValueError
        If there is no such date.
    """
    return parse_window(value)[0]


def parse_end(value: object) -> date:
    """Last day, inclusive, of a partial date.

    Raises
    ------
    ValueError
        If there is no such date.
    """
    return parse_window(value)[1]


def one_period(data: Mapping[str, Any]) -> dict[str, object]:
    """Calendar of a scenario that gives none: the year from the day on which the last of its policies starts."""
    starts = []
    policies = data.get("policies")
    for item in policies if isinstance(policies, list) else ():
        try:
            starts.append(parse_start(item["start"]))
        except (ValueError, KeyError, TypeError):
            continue  # said by the check of the item itself
    return {"calendar": {"start": max(starts), "end": max(starts), "step": "year"}} if starts else {}


def years_between(first: date, last: date) -> float:
    """Length in years of a window given by its first and last day: days over the days of their own calendar year.

    A whole calendar year is exactly 1, leap or not.
    """
    if first.year == last.year:
        return ((last - first).days + 1) / _days_in(first.year)
    opening = ((date(first.year, 12, 31) - first).days + 1) / _days_in(first.year)
    closing = ((last - date(last.year, 1, 1)).days + 1) / _days_in(last.year)
    return (last.year - first.year - 1) + opening + closing


def _days_in(year: int) -> int:
    return (date(year, 12, 31) - date(year, 1, 1)).days + 1


class _Dated(Protocol):
    """What has a first day and perhaps a last one: every policy instrument."""

    @property
    def start(self) -> date: ...
    @property
    def end(self) -> date | None: ...


class _Window(Protocol):
    """The `calendar` block of a scenario."""

    @property
    def start(self) -> date: ...
    @property
    def end(self) -> date: ...
    @property
    def step(self) -> Any: ...


class _Plan(Protocol):
    """What `Calendar.for_scenario` needs to know of a scenario."""

    @property
    def calendar(self) -> _Window: ...
    @property
    def policies(self) -> Sequence[_Dated]: ...


@dataclass(frozen=True, slots=True)
class Calendar:
    """The periods of a run: period k starts k steps after `start`, as long as that is not after `end`.

    Parameters
    ----------
    start, end : datetime.date or partial date
        First day of the first period; last day on which a period may start.
    step : {"day", "week", "month", "quarter", "year"}
        Length of a period.
    has_extra_baseline : bool
        Whether a baseline row, dated one step before `start`, stands before the periods.

    Attributes
    ----------
    starts, ends : ndarray of datetime64[D], shape (rows,)
        First day of each row's period and the day after its last; read-only.

    Raises
    ------
    InputError
        If a date or the step is not known, or the end comes before the start.
    """

    start: date
    end: date
    step: str = "month"
    has_extra_baseline: bool = False
    starts: Days = field(init=False, repr=False, compare=False)
    ends: Days = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.step not in STEP_YEARS:
            raise InputError(f"no step {_show(self.step)}; choose one of {', '.join(STEP_YEARS)}")
        try:
            object.__setattr__(self, "start", parse_start(self.start))
            object.__setattr__(self, "end", parse_end(self.end))
        except ValueError as error:
            raise InputError(f"calendar: {error}") from error
        if self.end < self.start:
            raise InputError(f"calendar: the end {self.end} comes before the start {self.start}")
        edges = _edges(self.start, self.end, self.step, first=-1 if self.has_extra_baseline else 0)
        edges.flags.writeable = False
        object.__setattr__(self, "starts", edges[:-1])
        object.__setattr__(self, "ends", edges[1:])

    @classmethod
    def for_scenario(cls, scenario: _Plan) -> Calendar:
        """Rows of a scenario's path: its periods, behind a baseline row if a policy is in force in the first."""
        block = scenario.calendar
        plain = cls(block.start, block.end, block.step)
        opening = plain.ends[0]
        busy = any(
            np.datetime64(policy.start) < opening and (policy.end is None or policy.end >= plain.start)
            for policy in scenario.policies
        )
        return cls(block.start, block.end, block.step, has_extra_baseline=True) if busy else plain

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def dt(self) -> float:
        """Nominal length of a period in years."""
        return STEP_YEARS[self.step]

    @property
    def times(self) -> pd.DatetimeIndex:
        """Dates of the rows."""
        import pandas as pd

        return pd.DatetimeIndex(self.starts, name="time")

    def index_of(self, when: object) -> int:
        """Row whose period contains a date (of a partial date, its first day).

        Raises
        ------
        InputError
            If there is no such date, or it lies outside the calendar.
        """
        try:
            day = parse_start(when)
        except ValueError as error:
            raise InputError(str(error)) from error
        row = int(np.searchsorted(self.starts, np.datetime64(day), side="right")) - 1
        if row < 0 or np.datetime64(day) >= self.ends[-1]:
            last = self.ends[-1] - np.timedelta64(1, "D")
            raise InputError(f"{day} lies outside the calendar, which runs from {self.starts[0]} to {last}")
        return row


def _edges(start: date, end: date, step: str, first: int) -> Days:
    """Return the starts of the periods from the `first` on and the end of the last, each computed from `start`."""
    if step in _STEP_DAYS:
        length = _STEP_DAYS[step]
        count = (end - start).days // length + 1
        return np.datetime64(start, "D") + length * np.arange(first, count + 1)
    length = _STEP_MONTHS[step]
    count = ((end.year - start.year) * 12 + end.month - start.month) // length + 1
    months = np.datetime64(start, "M") + length * np.arange(first, count + 1)
    opening: Days = months.astype("datetime64[D]")
    last_day = (months + 1).astype("datetime64[D]") - opening - 1
    # A run that starts on the 31st keeps to the last day of shorter months.
    edges: Days = opening + np.minimum(np.timedelta64(start.day - 1, "D"), last_day)
    beyond = int(np.searchsorted(edges, np.datetime64(end), side="right"))
    return edges[: beyond + 1]
