"""The economy as objects: regions, sectors and firm varieties that name places in shared arrays.

Each number lives once, in the rows of the core; a `Region`, `Sector` or `FirmVariety` only knows where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from reesim import network
from reesim._core.condense import Condensed
from reesim._core.layout import POLICY, ROW, Layout, Parameters, no_policy
from reesim._core.regional import RegionalCorrection
from reesim.calibration import Calibration
from reesim.errors import LabelError
from reesim.labels import Labels
from reesim.network import Flows
from reesim.outcomes import Outcomes

if TYPE_CHECKING:
    import networkx as nx

Array = npt.NDArray[np.float64]

GRAPH_LIMIT = 200_000
"""Edges above which flows are lowered directly instead of through a graph; the two give the same arrays."""

BUNDLES = {"R": "rare earths", "L": "equipped labour"}


class Economy:
    """An economy at one point of its path, assembled from its input-output graph.

    Parameters
    ----------
    calibration : Calibration
    flows : Flows, optional
        Lowered from the calibration's graph by default.
    deficits : bool
        Whether regions receive their baseline deficits; without them the baseline is not an equilibrium.
    clip : bool
        Whether final demand below zero counts as zero; with it the baseline is not an equilibrium either.

    Attributes
    ----------
    parameters : layout.Parameters
        The block of the core.
    """

    def __init__(
        self, calibration: Calibration, flows: Flows | None = None, *, deficits: bool = True, clip: bool = False
    ) -> None:
        self.calibration = calibration
        self.parameters = _parameters(calibration, flows or _lowered(calibration), deficits, clip)
        self._row = self.baseline_row()
        self._policy = no_policy(self.parameters)
        self._residual = 0.0

    @classmethod
    def from_graph(cls, graph: nx.DiGraph[Any], calibration: Calibration) -> Economy:
        """Assemble from a graph whose flows replace the calibration's, which keeps labels, shares and elasticities.

        Raises
        ------
        CalibrationError
            If the graph's flows do not balance.
        """
        flows = network.lower(graph, calibration.regions, calibration.sectors)
        changed = calibration.replace(
            trade_jis=flows.trade_jis, materials_iks=flows.materials_iks, final_is=flows.final_is
        )
        return cls(changed, flows)

    def __repr__(self) -> str:
        cal = self.calibration
        size = f"{len(cal.regions)} regions x {len(cal.sectors)} sectors"
        return f"<Economy {cal.year}: {size}, rare earths from {cal.exporter}, calibration {cal.hash()[:12]}>"

    # labels and objects ------------------------------------------------------------------------------------------------

    @property
    def regions(self) -> Labels:
        """Labels of the regions."""
        return self.calibration.regions

    @property
    def sectors(self) -> Labels:
        """Labels of the sectors."""
        return self.calibration.sectors

    def region(self, label: str) -> Region:
        """Return a region by code or name. Raises LabelError if there is none."""
        return Region(self, self.regions.index(label))

    def sector(self, region: str, sector: str) -> Sector:
        """Return a sector of a region, each by code or name. Raises LabelError if there is none."""
        return Sector(self, self.regions.index(region), self.sectors.index(sector))

    def __iter__(self) -> Iterator[Region]:
        return (Region(self, position) for position in range(len(self.regions)))

    # numbers -----------------------------------------------------------------------------------------------------------

    def baseline_row(self) -> Array:
        """Row of the core with every state at the baseline; the equilibrium part is for a solver to fill."""
        n, s = self.parameters.regions, self.parameters.sectors
        row = np.zeros(Layout(ROW, n, s).size)
        views = Layout(ROW, n, s).views(row)
        for name in ("A_R", "A_L", "posted_price", "wage", "ree_price", "ree_mine_price", "price_consumption"):
            views[name][...] = 1.0
        for name in ("price_index", "unit_cost", "value_added_price"):
            views[name][...] = 1.0
        cal = self.calibration
        views["trade_share"][...] = self.parameters.views()["trade_share0"]
        views["ree_share"][...], views["final_demand"][...] = cal.ree_share_is, cal.final_is.sum(axis=1)
        views["revenue"][...] = views["spending"][...] = cal.revenue_is
        views["expenditure"][...] = cal.expenditure_is
        return row

    @cached_property
    def condensed(self) -> Condensed | None:
        """The same economy without sectors that are not traded, for solving it with technology given; None if not exact."""
        return Condensed.of(self.parameters)

    @cached_property
    def correction(self) -> RegionalCorrection:
        """What speeds up static solvers of this economy, whatever the policy."""
        return RegionalCorrection.of(self.parameters)

    def place(self, row: Array, policy: Array, residual: float) -> None:
        """Put the economy at a solved row; what the objects say follows."""
        self._row, self._policy, self._residual = row, policy, residual

    @property
    def outcomes(self) -> Outcomes:
        """All variables of the registry where the economy stands, each with a leading axis of length one."""
        return Outcomes(
            self.parameters, self.calibration, self._row[None], self._policy[None], np.array([self._residual])
        )

    def value(self, name: str) -> Array:
        """Return a variable where the economy stands, without a time axis."""
        array: Array = self.outcomes[name][0]
        return array

    @property
    def graph(self) -> nx.DiGraph[Any]:
        """Snapshot of the input-output graph with the flows of the moment, built on request."""
        views = Layout(ROW, self.parameters.regions, self.parameters.sectors).views(self._row)
        policy = Layout(POLICY, self.parameters.regions, self.parameters.sectors).views(self._policy)
        phi = self.parameters.views()["phi"]
        materials = phi * views["spending"][:, :, None]
        cal = self.calibration
        factor = (cal.mu - 1.0) / cal.mu
        flows = Flows(
            trade_jis=views["trade_share"] * views["expenditure"][None] / (policy["tariff"] * policy["export_tax"]),
            materials_iks=materials,
            final_is=views["expenditure"] - materials.sum(axis=1),
            ree_is=factor * views["ree_share"] * self.parameters.views()["phi_va"] * views["spending"],
        )
        return network.build(flows, self.regions, self.sectors, cal.exporter, title=f"World economy, {cal.year}")


def _lowered(calibration: Calibration) -> Flows:
    n, s = len(calibration.regions), len(calibration.sectors)
    factor = (calibration.mu - 1.0) / calibration.mu
    ree = factor * calibration.ree_share_is * calibration.value_added_is
    flows = Flows(calibration.trade_jis, calibration.materials_iks, calibration.final_is, ree)
    if calibration.signed or n * n * s + n * s * s > GRAPH_LIMIT:  # a graph has no edge for a negative flow
        return flows
    graph = network.build(flows, calibration.regions, calibration.sectors, calibration.exporter)
    return network.lower(graph, calibration.regions, calibration.sectors)


def _parameters(calibration: Calibration, flows: Flows, deficits: bool, clip: bool) -> Parameters:
    """Shares and baseline values of the core from the lowered flows.

    What is not made has a share of value added of one, so that it has a price, and what nobody buys is priced at home.
    """
    n, mu, share = len(calibration.regions), calibration.mu, calibration.ree_share_is
    revenue, expenditure = flows.trade_jis.sum(axis=1), calibration.expenditure_is
    bought, made = expenditure > 0.0, revenue > 0.0
    final = np.maximum(flows.final_is, 0.0) if clip else flows.final_is
    added = revenue - flows.materials_iks.sum(axis=2)
    at_home = np.broadcast_to(np.eye(n)[:, :, None], flows.trade_jis.shape)
    spent = np.where(bought[None], calibration.spending_jis, at_home)
    output = np.where(made, revenue, 1.0)
    tax, use = calibration.tax_factor_i, calibration.ree_value_i / calibration.tax_factor_i
    supply = np.zeros(n)
    supply[calibration.supplier] = use.sum()
    deficit = calibration.deficit_i if deficits else np.zeros(n)
    return Parameters.build(
        {
            "trade_share0": spent / np.where(bought, expenditure, 1.0)[None],
            "tariff0": 1.0 + calibration.tariff_jis,
            "export_tax0": 1.0 + calibration.export_tax_jis,
            "phi_va": np.where(made, added / output, 1.0),
            "phi": flows.materials_iks / output[:, :, None],
            "alpha": final / final.sum(axis=1)[:, None],
            "ree_share0": share,
            "revenue0": revenue,
            "expenditure0": expenditure,
            "research_R0": share * added / mu,
            "research_L0": (1.0 - share) * added / mu,
            "labour0": calibration.labour_income_i,
            "deficit0": deficit,
            "deficit_share": deficit / calibration.own_income_i,
            "ree_use0": use,
            "ree_supply": supply,
            "ree_elasticity": calibration.ree_elasticity_i,
            "tax0": tax,
            "sigma": calibration.sigma_s,
            "epsilon": calibration.epsilon_s,
            "rho": calibration.rho,
            "mu": mu,
            "theta": calibration.theta,
        },
        supplier=calibration.supplier,
        entry_in_final_good=calibration.entry_cost == "final_good",
        deficit_follows_income=calibration.deficit == "own_income_share",
    )


class _Place:
    """Reads variables of an economy at one place."""

    __slots__ = ()
    _where: tuple[int, ...]
    economy: Economy

    def _read(self, name: str) -> float:
        return float(self.economy.value(name)[self._where])

    def __repr__(self) -> str:
        kind, sizes = type(self).__name__, (len(self.economy.regions), len(self.economy.sectors))
        if not all(0 <= at < size for at, size in zip(self._where, sizes, strict=False)):
            return f"<{kind} at {self._where}, where {self.economy!r} has nothing>"
        with np.errstate(all="ignore"):  # a look at an economy that is broken should not break as well
            return f"<{kind} {self._told()}>"

    def _told(self) -> str:
        """Say in one line which place it is and how it stands."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, repr=False)
class Region(_Place):
    """One region: a name over the economy's arrays."""

    economy: Economy
    position: int

    @property
    def _where(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.position,)

    def _told(self) -> str:
        welfare = f"{100.0 * self.welfare:z.4f} %"
        return f"{self.code} ({self.name}): wage {self.wage:.5f}, welfare {welfare}"

    @property
    def code(self) -> str:
        """Short code."""
        return self.economy.regions.codes[self.position]

    @property
    def name(self) -> str:
        """Full name."""
        return self.economy.regions.names[self.position]

    @property
    def sectors(self) -> Mapping[str, Sector]:
        """Sectors of the region by code."""
        return {code: Sector(self.economy, self.position, s) for s, code in enumerate(self.economy.sectors.codes)}

    @property
    def wage(self) -> float:
        """Wage, baseline 1, (17)."""
        return self._read("wage")

    @property
    def price_consumption(self) -> float:
        """Price index of consumption, baseline 1, (12)."""
        return self._read("price_consumption")

    @property
    def income(self) -> float:
        """Household income, million USD a year, (16)."""
        return self._read("income")

    @property
    def welfare(self) -> float:
        """Change of real income as a share of the baseline."""
        return self._read("welfare")

    @property
    def real_gdp(self) -> float:
        """Real gross domestic product, million USD a year at baseline prices."""
        return self._read("real_gdp")

    @property
    def ree_price(self) -> float:
        """Price of rare earths paid by users, baseline 1, (15)."""
        return self._read("ree_price")

    @property
    def ree_use(self) -> float:
        """Use of rare earths, tonnes a year, (15)."""
        return self._read("ree_use")

    @property
    def ree_wedge(self) -> float:
        """User price over mine price, tau in (15)."""
        return self._read("ree_wedge")


@dataclass(frozen=True, slots=True, repr=False)
class Sector(_Place):
    """One sector of one region: a name over the economy's arrays."""

    economy: Economy
    position: int
    index: int

    @property
    def _where(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.position, self.index)

    def _told(self) -> str:
        stands = f"unit cost {self.unit_cost:.5f}, posted price {self.posted_price:.5f}"
        return f"{self.region.code} {self.code} ({self.name}): {stands}, revenue {self.revenue:,.0f} million USD a year"

    @property
    def code(self) -> str:
        """Short code."""
        return self.economy.sectors.codes[self.index]

    @property
    def name(self) -> str:
        """Full name."""
        return self.economy.sectors.names[self.index]

    @property
    def region(self) -> Region:
        """Region the sector is in."""
        return Region(self.economy, self.position)

    def variety(self, bundle: Literal["R", "L"]) -> FirmVariety:
        """Return the representative firm of a bundle: ``"R"`` rare earths, ``"L"`` equipped labour.

        Raises
        ------
        LabelError
            If there is no such bundle.
        """
        if bundle not in BUNDLES:
            raise LabelError(f"no bundle {bundle!r}: 'R' is {BUNDLES['R']}, 'L' is {BUNDLES['L']}")
        return FirmVariety(self.economy, self.position, self.index, bundle)

    @property
    def unit_cost(self) -> float:
        """Unit cost, baseline 1, (6)."""
        return self._read("unit_cost")

    @property
    def posted_price(self) -> float:
        """Price posted by producers, baseline 1, (21)."""
        return self._read("posted_price")

    @property
    def price_index(self) -> float:
        """Price of the composite good where it is used, baseline 1, (20)."""
        return self._read("price_index")

    @property
    def revenue(self) -> float:
        """Sales, million USD a year, (14)."""
        return self._read("revenue")

    @property
    def exports(self) -> float:
        """Sales abroad, million USD a year, (14)."""
        return self._read("exports")

    @property
    def ree_share(self) -> float:
        """Share of the R bundle in value added, (5)."""
        return self._read("ree_share")


@dataclass(frozen=True, slots=True, repr=False)
class FirmVariety(_Place):
    """The representative firm of one bundle of one sector: its price, profit, output, and the measure of firms like it."""

    economy: Economy
    position: int
    index: int
    bundle: Literal["R", "L"]

    @property
    def _where(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.position, self.index)

    def _told(self) -> str:
        sector = Sector(self.economy, self.position, self.index)
        place = f"{sector.region.code} {sector.code}, {BUNDLES[self.bundle]}"
        if not self.exists:
            return f"{place}: none, the sector does not use this bundle"
        return f"{place}: measure {self.measure:.5f}, profit {self.profit:.5f}, entry cost {self.entry_cost:.5f}"

    @property
    def exists(self) -> bool:
        """Whether the sector uses this bundle at all."""
        return float(self.economy.parameters.views()[f"research_{self.bundle}0"][self._where]) > 0.0

    @property
    def measure(self) -> float:
        """Measure of such firms A_v, baseline 1, (3)."""
        return self._read(f"A_{self.bundle}")

    @property
    def price(self) -> float:
        """Price of one variety, a constant markup on its factor's price, baseline 1, (4)."""
        name = "ree_price" if self.bundle == "R" else "wage"
        return float(self.economy.value(name)[self.position])

    @property
    def profit(self) -> float:
        """Profit of one variety, baseline 1, (7)."""
        return self._read(f"profit_{self.bundle}")

    @property
    def entry_cost(self) -> float:
        """Cost of keeping a variety in operation, baseline 1: profit equals it under free entry, (7)."""
        return float(self.economy.outcomes.entry_cost()[0, self.position])

    @property
    def output(self) -> float:
        """Output of one variety, baseline 1: profit over price, since the markup is constant."""
        return self.profit / self.price
