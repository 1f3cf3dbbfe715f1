"""What all policy instruments share: the base class, and the day whose policy they make."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationInfo, field_validator

from reesim.labels import Labels
from reesim.scenario.checking import Block, EndDate, Line, Refused, StartDate, World
from reesim.scenario.regimes import Floats, RateChange, Regime

Positions = NDArray[np.intp]


class Instrument(Block):
    """A policy in force from `start` to `end`, inclusive; without an end it is in force for good."""

    on_rare_earths: ClassVar[bool] = False

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

    @property
    def words(self) -> str:
        """Say what the instrument does, in a few words."""
        raise NotImplementedError

    def contribute(self, day: Day) -> None:
        """Put this instrument into the policy of a day on which it is in force."""
        raise NotImplementedError


class Rates:
    """Ad-valorem rates of a day by flow, as the instruments set them and add to them."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.set_jis, self.value_jis = np.zeros(shape), np.zeros(shape)

    def put(self, where: tuple[Positions, ...] | NDArray[np.bool_], rate: float | Floats) -> None:
        """Replace the baseline's rate on some flows."""
        self.set_jis[where] = 1.0
        self.value_jis[where] += rate

    def add(self, where: NDArray[np.bool_], rate: float) -> None:
        """Add to the rate on some flows."""
        self.value_jis[where] += rate


class Day:
    """Policy of one day. The instruments in force on it change what they touch; `regime` reads it off.

    The attributes are those of `Regime`, with three exceptions that are read off at the end: export taxes as the sum of
    rates and the mark of a tax, output subsidies as rates, tariffs and export taxes on goods as `Rates`.
    """

    def __init__(self, world: World, baseline_tax: float, baseline_exports_tonnes: float) -> None:
        self.regions, self.sectors = world.regions, world.sectors
        self.exporter = None if world.exporter is None else world.regions.index(world.exporter)
        self.baseline_tax, self.baseline_exports_tonnes = baseline_tax, baseline_exports_tonnes
        n, s = len(self.regions), len(self.sectors)
        self.tax_rate_i, self.taxed_i = np.zeros(n), np.zeros(n, bool)
        self.quota, self.rent_share, self.embargo_i = np.inf, 0.0, np.full(n, np.inf)
        self.ree_supply, self.ree_limit_share, self.ree_limit_tonnes = 1.0, np.inf, 0.0
        self.mine_share_ji, self.mine_tonnes_ji = np.zeros((n, n)), np.zeros((n, n))
        self.labour_i, self.productivity_is = np.ones(n), np.ones((n, s))
        self.output_rate_is = np.zeros((n, s))
        self.entry_subsidy_is = {bundle: np.zeros((n, s)) for bundle in ("R", "L")}
        self.tariff: Rates | None = None
        self.export_tax: Rates | None = None
        self.iceberg_jis: Floats | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of exporters, importers and sectors."""
        return len(self.regions), len(self.regions), len(self.sectors)

    def importers(self, destinations: Sequence[str] | None) -> list[int]:
        """Positions of the destinations of rare earths, by default of every region but the exporter."""
        if destinations is None:
            return [i for i in range(len(self.regions)) if i != self.exporter]
        return [self.regions.index(label) for label in destinations]

    def cells(self, regions: Sequence[str] | None, sectors: Sequence[str] | None) -> tuple[NDArray[np.intp], ...]:
        """Index of the cells of some regions and sectors in an (N, S) array; none named means all."""
        return np.ix_(positions(self.regions, regions), positions(self.sectors, sectors))

    def flows(
        self, exporters: Sequence[str] | None, importers: Sequence[str] | None, sectors: Sequence[str] | None
    ) -> NDArray[np.bool_]:
        """Mark the flows between some regions in some sectors, (N, N, S); none named means all, own trade is never."""
        mask = np.zeros(self.shape, bool)
        axes = (
            positions(self.regions, exporters),
            positions(self.regions, importers),
            positions(self.sectors, sectors),
        )
        mask[np.ix_(*axes)] = True
        own = np.arange(len(self.regions))
        mask[own, own] = False
        return mask

    def regime(self) -> Regime:
        """Policy of the day."""
        # Exactly 1 where no tax is in force: the baseline must replicate to the last digit.
        tax_i = np.where(self.taxed_i, (1.0 + self.tax_rate_i) / (1.0 + self.baseline_tax), 1.0)
        return Regime(
            tax_i=tax_i, quota=self.quota, embargo_i=self.embargo_i, rent_share=self.rent_share,
            ree_supply=self.ree_supply, ree_limit_share=self.ree_limit_share, ree_limit_tonnes=self.ree_limit_tonnes,
            mine_share_ji=self.mine_share_ji, mine_tonnes_ji=self.mine_tonnes_ji, labour_i=self.labour_i,
            productivity_is=self.productivity_is, output_subsidy_is=1.0 + self.output_rate_is,
            entry_subsidy_R_is=self.entry_subsidy_is["R"], entry_subsidy_L_is=self.entry_subsidy_is["L"],
            tariff=_change(self.tariff), export_tax=_change(self.export_tax), iceberg_jis=self.iceberg_jis,
        )  # fmt: skip


def positions(labels: Labels, named: Sequence[str] | None) -> list[int]:
    """Positions of some labels, of all where none are named."""
    return list(range(len(labels))) if named is None else [labels.index(label) for label in named]


def _change(rates: Rates | None) -> RateChange | None:
    return None if rates is None else RateChange(rates.set_jis, rates.value_jis)


def listed(*groups: Sequence[str] | None) -> str:
    """Name groups of labels in a few words: ``CHN, USA; TRA``, and nothing where all are meant."""
    return "; ".join(", ".join(group) for group in groups if group)
