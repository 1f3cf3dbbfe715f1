"""The calibrated baseline: balanced flows, shares and elasticities, from a world table and a scenario's parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from reesim.errors import CalibrationError
from reesim.labels import Labels

if TYPE_CHECKING:
    from reesim.data.tables import WorldTable
    from reesim.scenario import Scenario

Array = npt.NDArray[np.float64]

LARGEST_MU = 1e15
"""Stands for an infinite mu: profits of one part in 1e15 of value added are below the rounding of the accounts."""

GOODS_TOLERANCE = 1e-12
"""Spending may differ from its parts by rounding alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A baseline in which every account balances. Arrays are read-only; flows are million USD a year.

    Parameters
    ----------
    year : int
        Year of the flows.
    regions, sectors : Labels
        Labels of the axes; N regions, S sectors.
    exporter : str
        Code of the region whose mines supply the world.
    trade_jis : (N, N, S) ndarray
        Flow of s from j to i; its sums over i are sales, so markets clear to the last digit.
    materials_iks : (N, S, S) ndarray
        Spending of sector k of region i on composite s.
    final_is : (N, S) ndarray
        Final demand.
    ree_share_is : (N, S) ndarray
        Share of the R bundle in value added, (23).
    sigma_s, epsilon_s, gamma_s : (S,) ndarray
        Elasticities and weights; gamma is kept for the record, the shares carry it.
    rho, mu, theta : float
        Elasticities of (12) and (3), and (4)'s exponent.
    baseline_tax : float
        Export tax of the baseline year, whose revenue is part of the accounts.
    baseline_exports_tonnes : float
        What baseline foreign use stands for.
    entry_cost : {"labour", "final_good"}
        Unit W of (7).
    deficit : {"world_labour_share", "own_income_share", "removed"}
        Closure of (16).
    choices : mapping of str to str
        What was chosen, in words, for every result to repeat.
    """

    year: int
    regions: Labels
    sectors: Labels
    exporter: str
    trade_jis: Array
    materials_iks: Array
    final_is: Array
    ree_share_is: Array
    sigma_s: Array
    epsilon_s: Array
    gamma_s: Array
    rho: float
    mu: float
    theta: float
    baseline_tax: float = 0.0
    baseline_exports_tonnes: float = 43_900.0
    entry_cost: str = "labour"
    deficit: str = "world_labour_share"
    choices: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, s = len(self.regions), len(self.sectors)
        shapes = {
            "trade_jis": (n, n, s), "materials_iks": (n, s, s), "final_is": (n, s), "ree_share_is": (n, s),
            "sigma_s": (s,), "epsilon_s": (s,), "gamma_s": (s,),
        }  # fmt: skip
        for name, shape in shapes.items():
            array = np.array(getattr(self, name), dtype=np.float64)
            if array.shape != shape or not np.isfinite(array).all():
                raise CalibrationError(f"{name} should be finite with shape {shape}, not {array.shape}")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        self._require_accounts()

    def _require_accounts(self) -> None:
        for name in ("trade_jis", "materials_iks", "final_is"):
            if (getattr(self, name) < 0.0).any():
                raise CalibrationError(f"{name}: {self._cell(name, getattr(self, name).argmin())} is negative")
        spent = self.materials_iks.sum(axis=1) + self.final_is
        gap = np.abs(self.expenditure_is - spent)
        if (gap > GOODS_TOLERANCE * np.maximum(spent, 1.0)).any():
            raise CalibrationError(
                f"imports and uses differ by {gap.max():.3g}: {self._cell('final_is', gap.argmax())}"
            )
        for name, array in (("revenue", self.revenue_is), ("value added", self.value_added_is)):
            if not (array > 0.0).all():
                raise CalibrationError(
                    f"{name} should be positive everywhere: {self._cell('final_is', array.argmin())} has "
                    f"{array.min():g}. Aggregate that sector or region with a neighbour"
                )
        if not ((self.ree_share_is >= 0.0) & (self.ree_share_is < 1.0)).all():
            raise CalibrationError("shares of rare earths in value added should lie in [0, 1)")

    def _cell(self, name: str, flat: np.integer) -> str:
        cell = np.unravel_index(int(flat), getattr(self, name).shape)
        labels = [self.regions.codes[cell[0]], self.sectors.codes[cell[-1]]]
        if name == "trade_jis":
            labels.insert(1, self.regions.codes[cell[1]])
        elif name == "materials_iks":
            labels.insert(1, self.sectors.codes[cell[1]])
        return ", ".join(labels)

    @property
    def supplier(self) -> int:
        """Position of the exporter of rare earths."""
        return self.regions.index(self.exporter)

    @property
    def revenue_is(self) -> Array:
        """Sales of each sector, (N, S): row sums of all uses, (14)."""
        total: Array = self.trade_jis.sum(axis=1)
        return total

    @property
    def expenditure_is(self) -> Array:
        """Spending on each composite, (N, S), (13)."""
        total: Array = self.trade_jis.sum(axis=0)
        return total

    @property
    def value_added_is(self) -> Array:
        """Sales minus materials, (N, S)."""
        added: Array = self.revenue_is - self.materials_iks.sum(axis=2)
        return added

    @property
    def ree_value_i(self) -> Array:
        """Rare earths used, at user prices, (N,), (15)."""
        value: Array = (self.mu - 1.0) / self.mu * (self.ree_share_is * self.value_added_is).sum(axis=1)
        return value

    @property
    def tax_factor_i(self) -> Array:
        """1 + export tax of the baseline year by destination, (N,); 1 at home."""
        factor = np.full(len(self.regions), 1.0 + self.baseline_tax)
        factor[self.supplier] = 1.0
        return factor

    @property
    def research_i(self) -> Array:
        """Payments to research, (N,): the share 1/mu of value added, (7)."""
        paid: Array = self.value_added_is.sum(axis=1) / self.mu
        return paid

    @property
    def labour_income_i(self) -> Array:
        """Labour income, (N,), research included when entry is paid in labour, (17)."""
        income: Array = self.value_added_is.sum(axis=1) - self.ree_value_i
        return income - self.research_i if self.entry_cost == "final_good" else income

    @property
    def own_income_i(self) -> Array:
        """Final demand before the deficit, (N,): value added less rare earths bought abroad plus those sold, (16)."""
        income: Array = self.value_added_is.sum(axis=1) - self.ree_value_i
        income[self.supplier] += self.ree_value_i.sum()
        return income

    @property
    def deficit_i(self) -> Array:
        """Trade deficits, (N,), which add up to zero: the residual of (16)."""
        gap: Array = self.final_is.sum(axis=1) - self.own_income_i
        return gap

    def hash(self) -> str:
        """BLAKE2b over every number and label, 32 hexadecimal digits."""
        digest = hashlib.blake2b(digest_size=16)
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name == "choices":
                continue
            data = (
                np.ascontiguousarray(value, dtype="<f8").tobytes()
                if isinstance(value, np.ndarray)
                else repr(value).encode()
            )
            digest.update(entry.name.encode() + data)
        return digest.hexdigest()

    def replace(self, **changes: object) -> Calibration:
        """Return a copy with fields changed and all accounts checked again."""
        return replace(self, **changes)  # type: ignore[arg-type]


def bundle_share(gamma: Array, epsilon: Array) -> Array:
    """Share of the R bundle in value added at a baseline relative price of one, (23). Zero where gamma is zero."""
    gamma, epsilon = np.asarray(gamma, dtype=float), np.asarray(epsilon, dtype=float)
    uses = gamma > 0.0
    odds = np.where(uses, gamma, 0.5) / (1.0 - np.where(uses, gamma, 0.5))
    share: Array = np.where(uses, odds**epsilon / (1.0 + odds**epsilon), 0.0)
    return share


def accounts_share(pattern_is: Array, value_added_is: Array, mu: float, value_i: Array) -> Array:
    """Scale a pattern of shares by one factor a region so that rare-earth use has given values, (23) [ours].

    Parameters
    ----------
    pattern_is, value_added_is : (N, S)
    value_i : (N,)
        Rare-earth use at user prices, million USD.
    """
    use = (mu - 1.0) / mu * (pattern_is * value_added_is).sum(axis=1)
    return pattern_is * (value_i / use)[:, None]


def calibrate(scenario: Scenario, table: WorldTable | None = None) -> Calibration:
    """Calibrate the baseline that a scenario asks for (before deficits are removed, which needs a solver).

    Parameters
    ----------
    scenario : Scenario
        Its ``calibration``, ``parameters``, ``entry_cost`` and ``deficit`` are read.
    table : WorldTable, optional
        By default the embedded table of 2009.

    Raises
    ------
    CalibrationError
        If the table and the parameters do not give a balanced baseline.
    """
    from reesim.data import tables

    table = table or tables.embedded()
    parameters, block = scenario.parameters, scenario.calibration
    elasticities = tables.load_elasticities().set_index("sector")
    codes = table.sectors.codes
    epsilon = np.array([parameters.epsilon.get(code, elasticities["epsilon"][code]) for code in codes], dtype=float)
    gamma = np.array([parameters.gamma.get(code, elasticities["gamma"][code]) for code in codes], dtype=float)
    pattern = np.broadcast_to(bundle_share(gamma, epsilon), (len(table.regions), len(codes)))
    choices = {
        "table": f"{table.source}, {table.year}",
        "rare-earth shares": "deck: (23) at a relative price of one everywhere",
        "entry cost": f"paid in {'labour' if scenario.entry_cost == 'labour' else 'the final good'} [ours]",
        "deficits": scenario.deficit.replace("_", " "),
        "delta": f"{parameters.delta:g} [ours: the deck gives no value]",
        "adjustment half-lives": "entry {entry:g}, prices {prices:g}, trade {trade:g} years [ours]".format(
            **{name: getattr(scenario.adjustment, name) for name in ("entry", "prices", "trade")}
        ),
    }
    if block.ree_shares == "accounts":
        accounts = tables.load_rare_earth_accounts().set_index("key")["value"]
        split = np.array([accounts[f"use_share.{code}"] for code in table.regions.codes], dtype=float)
        value = float(accounts["market_value"]) * split / split.sum()
        pattern = accounts_share(pattern, table.value_added_is, min(parameters.mu, LARGEST_MU), value)
        choices["rare-earth shares"] = (
            "accounts: (23) scaled by region to observed use [ours; regional split unverified]"
        )
    return Calibration(
        year=table.year, regions=table.regions, sectors=table.sectors, exporter=scenario.world.exporter,
        trade_jis=table.trade_jis, materials_iks=table.materials_iks, final_is=table.final_is, ree_share_is=pattern,
        sigma_s=np.array(parameters.sigma_of(table.sectors)), epsilon_s=epsilon, gamma_s=gamma,
        rho=parameters.rho, mu=min(parameters.mu, LARGEST_MU), theta=parameters.theta,
        baseline_tax=block.baseline_tax, baseline_exports_tonnes=block.baseline_exports_tonnes,
        entry_cost=scenario.entry_cost, deficit=scenario.deficit, choices=choices,
    )  # fmt: skip
