"""Instruments at home: productivity, labour, subsidies for production and for innovation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reesim.scenario.checking import Positive, RegionCodes, SectorCodes
from reesim.scenario.instruments import Day, Instrument, listed, positions


class Productivity(Instrument):
    """Factor on a sector's productivity Psi, eq. (1); overlapping factors multiply."""

    type: Literal["productivity"] = "productivity"
    factor: Positive
    regions: RegionCodes = None
    sectors: SectorCodes = None

    @property
    def words(self) -> str:
        """Say what the instrument does, in a few words."""
        return f"productivity times {self.factor:g} {listed(self.regions, self.sectors)}".strip()

    def contribute(self, day: Day) -> None:
        """Multiply productivity."""
        day.productivity_is[day.cells(self.regions, self.sectors)] *= self.factor


class LabourEndowment(Instrument):
    """Factor on a region's labour, eq. (17); overlapping factors multiply."""

    type: Literal["labour_endowment"] = "labour_endowment"
    factor: Positive
    regions: RegionCodes = None

    @property
    def words(self) -> str:
        """Say what the instrument does, in a few words."""
        return f"labour times {self.factor:g} {listed(self.regions)}".strip()

    def contribute(self, day: Day) -> None:
        """Multiply labour."""
        day.labour_i[positions(day.regions, self.regions)] *= self.factor


class ProductionSubsidy(Instrument):
    """Share of the price that producers get on top of it from local households; below 0 a tax. Overlaps add up."""

    type: Literal["production_subsidy"] = "production_subsidy"
    rate: float = Field(gt=-1.0)
    regions: RegionCodes = None
    sectors: SectorCodes = None

    @property
    def words(self) -> str:
        """Say what the instrument does, in a few words."""
        return f"production subsidy {self.rate:.1%} {listed(self.regions, self.sectors)}".strip()

    def contribute(self, day: Day) -> None:
        """Add the rate."""
        day.output_rate_is[day.cells(self.regions, self.sectors)] += self.rate


class InnovationSubsidy(Instrument):
    """Share of the entry cost of varieties, eq. (7), that local households pay. Overlaps add up."""

    type: Literal["innovation_subsidy"] = "innovation_subsidy"
    rate: float = Field(ge=0.0, lt=1.0)
    bundle: Literal["R", "L", "both"] = "both"
    regions: RegionCodes = None
    sectors: SectorCodes = None

    @property
    def words(self) -> str:
        """Say what the instrument does, in a few words."""
        bundles = "both bundles" if self.bundle == "both" else f"bundle {self.bundle}"
        return f"innovation subsidy {self.rate:.1%} for {bundles} {listed(self.regions, self.sectors)}".strip()

    def contribute(self, day: Day) -> None:
        """Add the rate to each bundle that it is for."""
        for bundle in ("R", "L") if self.bundle == "both" else (self.bundle,):
            day.entry_subsidy_is[bundle][day.cells(self.regions, self.sectors)] += self.rate
