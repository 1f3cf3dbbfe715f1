"""Policy instruments and what they amount to in each period of a calendar.

One class per instrument. To add one: write a class with its fields and its `contribute`, name it in `Instruments`, and
give `Builder` and `PolicySchedule` the array it fills.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator

from reesim.errors import Problem, ScenarioError
from reesim.labels import Labels
from reesim.scenario.calendar import Days, years_between
from reesim.scenario.checking import Block, EndDate, Importer, Line, Refused, Share, StartDate, shown
from reesim.scenario.clashes import conflicts

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

DEFAULT_LEAKAGE = 0.05
_ESSENTIAL = (
    "rare earths are essential where epsilon is below 1, so a limit of zero has no equilibrium: "
    "give a small positive one"
)


class Instrument(Block):
    """A policy in force from `start` to `end`, inclusive; without an end it is in force for good."""

    start: StartDate
    end: EndDate | None = None
    note: Line = ""
    source: Line = ""

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: date | None, info: ValidationInfo) -> date | None:
        start = info.data.get("start")
        if start is not None and end is not None and end < start:
            raise Refused(f"the end {end} comes before the start {start}")
        return end

    @property
    def window(self) -> tuple[np.datetime64, np.datetime64]:
        """First day, and the day after the last."""
        last = np.datetime64(self.end or date.max, "D")
        return np.datetime64(self.start, "D"), last + np.timedelta64(1, "D")

    def contribute(self, builder: Builder) -> None:
        """Add this instrument to the arrays of a schedule."""
        raise NotImplementedError


class ExportTax(Instrument):
    """Ad-valorem tax on exports of rare earths, eq. (15), in place of the baseline year's; overlapping taxes add up.

    tau_tax = (1 + rate) / (1 + baseline_tax), so that tau_X = 3 without a baseline tax is rate 2.0.
    """

    type: Literal["export_tax"] = "export_tax"
    rate: float = Field(gt=-1.0)
    destinations: tuple[Importer, ...] | None = Field(default=None, strict=False)

    @field_validator("destinations")
    @classmethod
    def _once(cls, destinations: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if destinations is not None and not destinations:
            raise Refused("should name at least one destination", "leave it out for all")
        if destinations and len(set(destinations)) < len(destinations):
            raise Refused(f"a destination stands twice in {', '.join(destinations)}")
        return destinations

    def contribute(self, builder: Builder) -> None:
        """Add rate times days to every destination, and mark the days as taxed."""
        days_t = builder.days_in_force(self)
        for i in builder.importers(self.destinations):
            builder.rate_days_ti[:, i] += self.rate * days_t
            builder.taxed[i].append(self.window)


class ExportQuota(Instrument):
    """Cap on all exports of rare earths, eq. (15): `tonnes` over the window, or a `share` of baseline exports.

    Tonnes are a constant flow over the window, not bankable. `rent_to_importers` is the share of the quota's rent that
    the importers keep; the exporter's licence holders have the rest.
    """

    type: Literal["export_quota"] = "export_quota"
    tonnes: float | None = None
    share: Annotated[float | None, Field(validate_default=True)] = None
    rent_to_importers: Share = 0.0

    @field_validator("tonnes", "share")
    @classmethod
    def _positive(cls, limit: float | None) -> float | None:
        if limit is not None and limit <= 0.0:
            raise Refused(f"should be above 0, not {shown(limit)}", _ESSENTIAL)
        return limit

    @field_validator("tonnes")
    @classmethod
    def _over_a_window(cls, tonnes: float | None, info: ValidationInfo) -> float | None:
        if tonnes is not None and "end" in info.data and info.data["end"] is None:
            raise Refused("tonnes are spread over the window, which has no end", "give an end, or a share")
        return tonnes

    @field_validator("share")
    @classmethod
    def _one_limit(cls, share: float | None, info: ValidationInfo) -> float | None:
        if "tonnes" in info.data and (share is None) == (info.data["tonnes"] is None):
            raise Refused("a quota has either tonnes or a share of baseline exports, exactly one of the two")
        return share

    def flow(self, baseline_exports_tonnes: float) -> float:
        """Limit as a flow, in shares of baseline exports."""
        if self.tonnes is None or self.end is None:
            return float(self.share or 0.0)
        return self.tonnes / years_between(self.start, self.end) / baseline_exports_tonnes

    def contribute(self, builder: Builder) -> None:
        """Add limit times days and rent share times days."""
        days_t = builder.days_in_force(self)
        flow = self.flow(builder.baseline_exports_tonnes)
        builder.quota_days_t += days_t
        builder.quota_flow_t += days_t * flow
        builder.quota_slack_t += days_t * max(0.0, flow - 1.0)
        builder.quota_least_t = np.where(days_t > 0, np.minimum(builder.quota_least_t, flow), builder.quota_least_t)
        builder.rent_flow_t += days_t * self.rent_to_importers


class Embargo(Instrument):
    """Halt of exports to one destination, eq. (15): its imports stay below `leakage` times their baseline."""

    type: Literal["embargo"] = "embargo"
    destination: Importer
    leakage: float = DEFAULT_LEAKAGE

    @field_validator("leakage")
    @classmethod
    def _positive(cls, leakage: float) -> float:
        if leakage <= 0.0:
            raise Refused(f"should be above 0, not {shown(leakage)}", _ESSENTIAL)
        if leakage > 1.0:
            raise Refused(f"should be at most 1, the baseline's imports, not {shown(leakage)}")
        return leakage

    def contribute(self, builder: Builder) -> None:
        """Add limit times days to the destination."""
        days_t = builder.days_in_force(self)
        (i,) = builder.importers((self.destination,))
        builder.embargo_days_ti[:, i] += days_t
        builder.embargo_flow_ti[:, i] += days_t * self.leakage


Instruments = ExportTax | ExportQuota | Embargo
Policy = Annotated[Instruments, Field(discriminator="type")]
INSTRUMENTS: Mapping[str, type[Instrument]] = {
    "export_tax": ExportTax,
    "export_quota": ExportQuota,
    "embargo": Embargo,
}


@dataclass(frozen=True, slots=True, eq=False)
class PolicySchedule:
    """Policy in force by period, relative to the baseline; arrays are read-only.

    Attributes
    ----------
    tax_ti : ndarray, (period, region)
        Export-tax multiplier on what a destination pays; 1 without a change, and 1 for the exporter.
    quota_t : ndarray, (period,)
        Limit on exports as a share of baseline exports; inf where no quota is in force.
    embargo_ti : ndarray, (period, region)
        Limit on a destination's use as a share of its baseline; inf where no embargo is in force.
    rent_share_t : ndarray, (period,)
        Share of quota rents kept by importers; 0 where no quota is in force.
    """

    tax_ti: Floats
    quota_t: Floats
    embargo_ti: Floats
    rent_share_t: Floats

    def __post_init__(self) -> None:
        for array in (self.tax_ti, self.quota_t, self.embargo_ti, self.rent_share_t):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.quota_t)

    def after_baseline(self) -> PolicySchedule:
        """Schedule with a row before the first in which the baseline's own policy is in force."""
        regions = self.tax_ti.shape[1]
        return PolicySchedule(
            np.vstack((np.ones(regions), self.tax_ti)),
            np.append(np.inf, self.quota_t),
            np.vstack((np.full(regions, np.inf), self.embargo_ti)),
            np.append(0.0, self.rent_share_t),
        )


class Builder:
    """Sums of limits and rates times days, which the instruments add to and `finish` turns into averages."""

    def __init__(
        self,
        starts: Days,
        ends: Days,
        regions: Labels,
        exporter: str,
        baseline_tax: float,
        baseline_exports_tonnes: float,
    ) -> None:
        self.starts, self.ends = starts.astype("datetime64[D]"), ends.astype("datetime64[D]")
        self.regions, self.exporter = regions, regions.index(exporter)
        self.baseline_tax, self.baseline_exports_tonnes = baseline_tax, baseline_exports_tonnes
        periods, cells = len(starts), (len(starts), len(regions))
        self.rate_days_ti = np.zeros(cells)
        self.taxed: list[list[tuple[np.datetime64, np.datetime64]]] = [[] for _ in regions]
        self.quota_days_t, self.quota_flow_t = np.zeros(periods, np.int64), np.zeros(periods)
        self.quota_slack_t, self.quota_least_t = np.zeros(periods), np.full(periods, np.inf)
        self.rent_flow_t = np.zeros(periods)
        self.embargo_days_ti, self.embargo_flow_ti = np.zeros(cells, np.int64), np.zeros(cells)

    def days_in_force(self, policy: Instrument) -> Counts:
        """Days of each period that lie in a policy's window."""
        return self._overlap(*policy.window)

    def importers(self, destinations: Sequence[str] | None) -> list[int]:
        """Positions of the destinations, by default of every region but the exporter."""
        if destinations is None:
            return [i for i in range(len(self.regions)) if i != self.exporter]
        return [self.regions.index(label) for label in destinations]

    def _overlap(self, opening: np.datetime64, closing: np.datetime64) -> Counts:
        days: Counts = (np.minimum(self.ends, closing) - np.maximum(self.starts, opening)).astype(np.int64)
        return np.maximum(days, 0)

    def finish(self) -> PolicySchedule:
        """Average over the days of each period.

        Days without a quota count at the baseline's volume, days without an embargo at what the quota of the period leaves.
        """
        days_t = (self.ends - self.starts).astype(np.int64)
        taxed_days_ti = np.zeros(self.rate_days_ti.shape, np.int64)
        for i, windows in enumerate(self.taxed):
            for opening, closing in _merged(windows):
                taxed_days_ti[:, i] += self._overlap(opening, closing)
        base_days_ti = days_t[:, None] - taxed_days_ti
        rate_ti = (self.rate_days_ti + self.baseline_tax * base_days_ti) / days_t[:, None]
        # Exactly 1 where no tax is in force: the baseline must replicate to the last digit.
        tax_ti = np.where(taxed_days_ti > 0, (1.0 + rate_ti) / (1.0 + self.baseline_tax), 1.0)
        # What a slack quota would allow beyond the baseline's volume cannot be used under a tight one: it is not bankable.
        usable_t = self.quota_flow_t - np.where(self.quota_least_t < 1.0, self.quota_slack_t, 0.0)
        quota_t = _limit(usable_t, self.quota_days_t, days_t, 1.0)
        open_t = np.minimum(1.0, quota_t)[:, None]  # a destination's share on days without its embargo
        return PolicySchedule(
            tax_ti,
            quota_t,
            _limit(self.embargo_flow_ti, self.embargo_days_ti, days_t[:, None], open_t),
            np.divide(self.rent_flow_t, self.quota_days_t, out=np.zeros(len(days_t)), where=self.quota_days_t > 0),
        )


def _limit(flow: Floats, days_in_force: Counts, days: Counts, otherwise: float | Floats) -> Floats:
    """Limit averaged over a period's days, those without one counting as `otherwise`; inf if all are without."""
    average: Floats = (flow + otherwise * (days - days_in_force)) / days
    return np.where(days_in_force > 0, average, np.inf)


def _merged(windows: list[tuple[np.datetime64, np.datetime64]]) -> list[tuple[np.datetime64, np.datetime64]]:
    """Disjoint windows that cover the same days."""
    merged: list[tuple[np.datetime64, np.datetime64]] = []
    for opening, closing in sorted(windows):
        if merged and opening <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], closing)
        else:
            merged.append((opening, closing))
    return merged


def schedule(
    policies: Sequence[Instrument],
    starts: Days,
    ends: Days,
    regions: Labels,
    exporter: str,
    baseline_tax: float = 0.0,
    baseline_exports_tonnes: float = 43_900.0,
) -> PolicySchedule:
    """Policy in force in each period, eq. (19); an instrument that changes within a period is weighted by days.

    Parameters
    ----------
    policies : sequence of Instrument
        In any order.
    starts, ends : ndarray of datetime64[D], (period,)
        First day of each period, and the day after its last.
    regions : Labels
        Regions in the order of the arrays.
    exporter : str
        Region that levies the tax and issues the quota.
    baseline_tax : float
        Export tax t0 in force in the baseline year, and on every day without a tax instrument.
    baseline_exports_tonnes : float
        Exports of the baseline year, in tonnes.

    Raises
    ------
    ScenarioError
        If two instruments cannot be in force at once.
    LabelError
        If a region is not known.
    """
    clashes = list(conflicts([policy.model_dump() for policy in policies], regions))
    if clashes:
        raise ScenarioError(
            Problem(found.message, ".".join(map(str, found.path)), hint=found.hint) for found in clashes
        )
    builder = Builder(starts, ends, regions, exporter, baseline_tax, baseline_exports_tonnes)
    for policy in policies:
        policy.contribute(builder)
    return builder.finish()


def at(
    policies: Sequence[Instrument],
    start: date,
    end: date,
    regions: Labels,
    exporter: str,
    baseline_tax: float = 0.0,
    baseline_exports_tonnes: float = 43_900.0,
) -> PolicySchedule:
    """Policy in force on average from `start` to `end`, both inclusive: a schedule of one period.

    Parameters and errors are those of `schedule`; ``at(policies, *parse_window("2012-01"), ...)`` is January 2012.
    """
    first, last = np.array([start], "datetime64[D]"), np.array([end], "datetime64[D]")
    after = (last + np.timedelta64(1, "D")).astype("datetime64[D]")
    return schedule(policies, first, after, regions, exporter, baseline_tax, baseline_exports_tonnes)
