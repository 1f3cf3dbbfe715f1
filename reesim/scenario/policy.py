"""Policy in force in each period of a calendar, from dated instruments.

One class per instrument: those on rare earths in `rare_earths`, on trade in `trade`, at home in `domestic`. To add one,
write a class with its fields, its `words` and its `contribute`, which puts it into the policy of one day; name it in
`Instruments` and `INSTRUMENTS`, and give `Day` and `Regime` what it fills. A period is an average over its days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from math import gcd
from typing import Annotated

import numpy as np
from pydantic import Field

from reesim.errors import Problem, ScenarioError
from reesim.scenario.calendar import Days
from reesim.scenario.checking import Found, World
from reesim.scenario.clashes import conflicts, file_conflicts
from reesim.scenario.domestic import InnovationSubsidy, LabourEndowment, ProductionSubsidy, Productivity
from reesim.scenario.instruments import Day, Instrument
from reesim.scenario.rare_earths import Embargo, ExportQuota, ExportTax, Mine, ProductionQuota, ReeSupply
from reesim.scenario.regimes import PolicySchedule, RateChange, Regime, average
from reesim.scenario.trade import GoodsExportTax, Iceberg, Tariff

__all__ = [
    "INSTRUMENTS", "Embargo", "ExportQuota", "ExportTax", "GoodsExportTax", "Iceberg", "InnovationSubsidy",
    "Instrument", "LabourEndowment", "Mine", "Policy", "PolicySchedule", "ProductionQuota", "ProductionSubsidy",
    "Productivity", "RateChange", "ReeSupply", "Regime", "Tariff", "at", "schedule",
]  # fmt: skip

Instruments = (
    ExportTax
    | ExportQuota
    | Embargo
    | ReeSupply
    | Mine
    | ProductionQuota
    | Tariff
    | GoodsExportTax
    | Iceberg
    | Productivity
    | LabourEndowment
    | ProductionSubsidy
    | InnovationSubsidy
)
Policy = Annotated[Instruments, Field(discriminator="type")]
INSTRUMENTS: Mapping[str, type[Instrument]] = {
    "export_tax": ExportTax,
    "export_quota": ExportQuota,
    "embargo": Embargo,
    "ree_supply": ReeSupply,
    "mine": Mine,
    "production_quota": ProductionQuota,
    "tariff": Tariff,
    "goods_export_tax": GoodsExportTax,
    "iceberg": Iceberg,
    "productivity": Productivity,
    "labour_endowment": LabourEndowment,
    "production_subsidy": ProductionSubsidy,
    "innovation_subsidy": InnovationSubsidy,
}

_Mix = tuple[tuple[int, int], ...]
"""Combinations of instruments that a period knows, and on how many of its days; reduced to lowest terms."""


class _Spells:
    """Stretches of days with the same instruments in force, and the policy of each such combination."""

    def __init__(self, policies: Sequence[Instrument]) -> None:
        windows = [policy.window for policy in policies]
        self.edges = np.unique(np.array([day for window in windows for day in window], "datetime64[D]"))
        # The stretch before the first edge, one after each edge.
        openings = [np.datetime64(date.min, "D"), *self.edges]
        self.combinations: list[tuple[int, ...]] = []
        known: dict[tuple[int, ...], int] = {}
        self.combination_of: list[int] = []
        for opening in openings:
            active = tuple(k for k, (first, after) in enumerate(windows) if first <= opening < after)
            if active not in known:
                known[active] = len(self.combinations)
                self.combinations.append(active)
            self.combination_of.append(known[active])

    def mix(self, opening: np.datetime64, closing: np.datetime64) -> _Mix:
        """Combinations in force from one day to the day before another."""
        inside = self.edges[(self.edges > opening) & (self.edges < closing)]
        bounds = [opening, *inside, closing]
        stretch = int(np.searchsorted(self.edges, opening, side="right"))
        days: dict[int, int] = {}
        for k, (first, after) in enumerate(pairwise(bounds)):
            combination = self.combination_of[stretch + k]
            days[combination] = days.get(combination, 0) + int((after - first).astype(int))
        divisor = gcd(*days.values())
        return tuple((combination, count // divisor) for combination, count in sorted(days.items()))


class _Averages:
    """Policy of any stretch of days; what has been worked out once is kept, so that equal periods share a regime."""

    def __init__(
        self, policies: Sequence[Instrument], world: World, baseline_tax: float, baseline_exports_tonnes: float
    ) -> None:
        self._policies, self._spells = policies, _Spells(policies)
        self._baseline = world, baseline_tax, baseline_exports_tonnes
        self._of_day: dict[int, Regime] = {}
        self._of_mix: dict[_Mix, Regime] = {}

    def of(self, opening: np.datetime64, closing: np.datetime64) -> Regime:
        """Policy from one day to the day before another."""
        mix = self._spells.mix(opening, closing)
        if mix not in self._of_mix:
            regimes = [self._on_a_day(combination) for combination, _ in mix]
            self._of_mix[mix] = average(regimes, [days for _, days in mix])
        return self._of_mix[mix]

    def _on_a_day(self, combination: int) -> Regime:
        if combination not in self._of_day:
            day = Day(*self._baseline)
            for k in self._spells.combinations[combination]:
                self._policies[k].contribute(day)
            self._of_day[combination] = day.regime()
        return self._of_day[combination]


def schedule(
    policies: Sequence[Instrument],
    starts: Days,
    ends: Days,
    world: World,
    baseline_tax: float = 0.0,
    baseline_exports_tonnes: float = 43_900.0,
) -> PolicySchedule:
    """Policy in force in each period, eq. (19); what changes within a period is weighted by days.

    Parameters
    ----------
    policies : sequence of Instrument
        In any order, which does not matter to the last bit.
    starts, ends : ndarray of datetime64[D], (period,)
        First day of each period, and the day after its last.
    world : World
        Regions and sectors in the order of the arrays, and the exporter of rare earths.
    baseline_tax : float
        Export tax t0 in force in the baseline year, and on every day without a tax instrument.
    baseline_exports_tonnes : float
        Exports of the baseline year, in tonnes.

    Raises
    ------
    ScenarioError
        If two instruments cannot be in force at once, or one is on rare earths in a world without them.
    LabelError
        If a region or a sector is not known.
    """
    _refuse(policies, world)
    # One order whatever the user's: sums are then the same to the last bit.
    ordered = sorted(policies, key=lambda policy: policy.model_dump_json())
    policy = _Averages(ordered, world, baseline_tax, baseline_exports_tonnes)
    windows = zip(starts.astype("datetime64[D]"), ends.astype("datetime64[D]"), strict=True)
    return PolicySchedule.of([policy.of(opening, closing) for opening, closing in windows])


def _refuse(policies: Sequence[Instrument], world: World) -> None:
    items = [policy.model_dump() for policy in policies]
    found = [
        *conflicts(items, world.regions, world.sectors),
        *file_conflicts(items, files(policies), world.regions, world.sectors),
    ]
    problems = [Problem(item.message, ".".join(map(str, item.path)), hint=item.hint) for item in found]
    if world.exporter is None:
        problems += [
            Problem("there are no rare earths in this world", f"policies.{k}.type")
            for k, policy in enumerate(policies)
            if policy.on_rare_earths
        ]
    if problems:
        raise ScenarioError(problems)


def files(policies: Sequence[object]) -> dict[int, frozenset[tuple[str, str, str]]]:
    """Flows of the tariffs that name a file, by position among the policies."""
    return {
        k: frozenset(policy.rates.flows)
        for k, policy in enumerate(policies)
        if isinstance(policy, Tariff) and policy.rates is not None
    }


def at(
    policies: Sequence[Instrument],
    start: date,
    end: date,
    world: World,
    baseline_tax: float = 0.0,
    baseline_exports_tonnes: float = 43_900.0,
) -> PolicySchedule:
    """Policy in force on average from `start` to `end`, both inclusive: a schedule of one period.

    Parameters and errors are those of `schedule`; ``at(policies, *parse_window("2012-01"), ...)`` is January 2012.
    """
    first, last = np.array([start], "datetime64[D]"), np.array([end], "datetime64[D]")
    after = (last + np.timedelta64(1, "D")).astype("datetime64[D]")
    return schedule(policies, first, after, world, baseline_tax, baseline_exports_tonnes)


def out_of_place(items: Iterable[object], world: World | None, technology: object) -> Iterator[Found]:
    """Instruments on what is not in the model: rare earths, research. Works on items as they stand in a file."""
    for k, item in enumerate(items):
        kind = item.get("type") if isinstance(item, Mapping) else None
        known = INSTRUMENTS.get(kind) if isinstance(kind, str) else None
        if world is not None and world.exporter is None and known is not None and known.on_rare_earths:
            message = "there are no rare earths in this world"
            yield Found(("policies", k, "type"), message, "give calibration.exporter and parameters.gamma by sector")
        if kind == "innovation_subsidy" and technology == "none":
            yield Found(
                ("policies", k, "type"), "there is no research where technology is none", "take fixed or endogenous"
            )
