"""The calibrated baseline: balanced flows, shares and elasticities, from a world table and a scenario's parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from reesim import shares
from reesim.errors import CalibrationError
from reesim.labels import Labels

if TYPE_CHECKING:
    from reesim.data.composite import TradeTable
    from reesim.data.tables import WorldTable
    from reesim.scenario import Scenario
    from reesim.scenario.checking import World

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
    exporter : str or None
        Code of the region whose mines supply the world; None if nobody uses rare earths.
    trade_jis : (N, N, S) ndarray
        Flow of s from j to i at producer prices; its sums over i are sales, so markets clear to the last digit.
    materials_iks : (N, S, S) ndarray
        Spending of sector k of region i on composite s, at user prices.
    final_is : (N, S) ndarray
        Final demand, at user prices.
    ree_share_is : (N, S) ndarray
        Share of the R bundle in value added, (23).
    sigma_s, epsilon_s, gamma_s : (S,) ndarray
        Elasticities and weights; gamma is kept for the record, the shares carry it. Where the shares come from
        requirements gamma is what the world's share of each sector implies, (23).
    rho, mu, theta : float
        Elasticities of (12) and (3), and (4)'s exponent.
    baseline_tax : float
        Export tax of the baseline year, whose revenue is part of the accounts.
    baseline_exports_tonnes : float
        What baseline foreign use stands for.
    tariff_jis, export_tax_jis : (N, N, S) ndarray, optional
        Ad-valorem rates of the baseline, zero by default: tariffs paid to i on the delivered value, taxes on exports paid
        to j on the producer's.
    ree_elasticity_i : (N,) ndarray, optional
        Elasticity of the supply of rare earths from mines owned in i, (15); zero by default.
    entry_cost : {"labour", "final_good"}
        Unit W of (7).
    deficit : {"world_labour_share", "own_income_share", "removed"}
        Closure of (16).
    signed : bool
        Whether negative materials and final demand are allowed, because the table was told to keep them.
    choices : mapping of str to str
        What was chosen, in words, for every result to repeat.
    """

    year: int
    regions: Labels
    sectors: Labels
    exporter: str | None
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
    tariff_jis: Array = None  # type: ignore[assignment]  # zeros
    export_tax_jis: Array = None  # type: ignore[assignment]
    ree_elasticity_i: Array = None  # type: ignore[assignment]
    entry_cost: str = "labour"
    deficit: str = "world_labour_share"
    signed: bool = False
    choices: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, s = len(self.regions), len(self.sectors)
        shapes = {
            "trade_jis": (n, n, s), "materials_iks": (n, s, s), "final_is": (n, s), "ree_share_is": (n, s),
            "sigma_s": (s,), "epsilon_s": (s,), "gamma_s": (s,), "tariff_jis": (n, n, s), "export_tax_jis": (n, n, s),
            "ree_elasticity_i": (n,),
        }  # fmt: skip
        for name, shape in shapes.items():
            given = getattr(self, name)
            array = np.zeros(shape) if given is None else np.array(given, dtype=np.float64)
            if array.shape != shape or not np.isfinite(array).all():
                raise CalibrationError(f"{name} should be finite with shape {shape}, not {array.shape}")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        self._require_accounts()

    def _require_accounts(self) -> None:
        for name in ("trade_jis",) if self.signed else ("trade_jis", "materials_iks", "final_is"):
            if (getattr(self, name) < 0.0).any():
                raise CalibrationError(f"{name}: {self._cell(name, getattr(self, name).argmin())} is negative")
        for name in ("tariff_jis", "export_tax_jis"):
            if not (getattr(self, name) > -1.0).all():
                raise CalibrationError(f"{name}: {self._cell(name, getattr(self, name).argmin())} is -100 % or less")
        spent = self.materials_iks.sum(axis=1) + self.final_is
        gap = np.abs(self.expenditure_is - spent)
        if (gap > GOODS_TOLERANCE * np.maximum(self.expenditure_is, 1.0)).any():
            raise CalibrationError(
                f"imports and uses differ by {gap.max():.3g}: {self._cell('final_is', gap.argmax())}"
            )
        made, added = self.revenue_is > 0.0, self.value_added_is
        lacking = (made & ~(added > 0.0)) | (~made & (np.abs(self.materials_iks).sum(axis=2) > 0.0))
        if lacking.any():
            raise CalibrationError(
                f"value added should be positive wherever something is sold: {self._cell('final_is', lacking.argmax())} has "
                f"{added.flat[lacking.argmax()]:g}. Aggregate that sector or region with a neighbour"
            )
        if not made.any(axis=1).all():
            raise CalibrationError(f"region {self.regions.codes[int((~made.any(axis=1)).argmax())]} sells nothing")
        if not ((self.ree_share_is >= 0.0) & (self.ree_share_is < 1.0)).all():
            raise CalibrationError("shares of rare earths in value added should lie in [0, 1)")
        if self.exporter is None and self.ree_share_is.any():
            raise CalibrationError("sectors use rare earths, and no region supplies them: name an exporter")

    def _cell(self, name: str, flat: np.integer) -> str:
        cell = np.unravel_index(int(flat), getattr(self, name).shape)
        labels = [self.regions.codes[cell[0]], self.sectors.codes[cell[-1]]]
        if name in ("trade_jis", "tariff_jis", "export_tax_jis"):
            labels.insert(1, self.regions.codes[cell[1]])
        elif name == "materials_iks":
            labels.insert(1, self.sectors.codes[cell[1]])
        return ", ".join(labels)

    @property
    def supplier(self) -> int:
        """Position of the exporter of rare earths; 0 where there is none, and nothing to sell."""
        return 0 if self.exporter is None else self.regions.index(self.exporter)

    @property
    def revenue_is(self) -> Array:
        """Sales of each sector, (N, S): row sums of all uses, (14)."""
        total: Array = self.trade_jis.sum(axis=1)
        return total

    @property
    def expenditure_is(self) -> Array:
        """Spending on each composite at user prices, (N, S), (13)."""
        total: Array = self.spending_jis.sum(axis=0)
        return total

    @property
    def spending_jis(self) -> Array:
        """What i spends on s from j, taxes included, (N, N, S)."""
        spent: Array = self.trade_jis * (1.0 + self.tariff_jis) * (1.0 + self.export_tax_jis)
        return spent

    @property
    def goods_taxes_i(self) -> Array:
        """Revenue from tariffs and taxes on exports of goods, (N,), (16)."""
        delivered = self.trade_jis * (1.0 + self.export_tax_jis)
        taxes: Array = (self.tariff_jis * delivered).sum(axis=(0, 2)) + (self.export_tax_jis * self.trade_jis).sum(
            axis=(1, 2)
        )
        return taxes

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
    def baseline_supply_tonnes(self) -> float:
        """The world's baseline supply in the tonnes that baseline exports are counted in; 0 if nobody abroad uses any."""
        use = self.ree_value_i / self.tax_factor_i
        abroad = float(use.sum() - use[self.supplier])
        return self.baseline_exports_tonnes * float(use.sum()) / abroad if abroad > 0.0 else 0.0

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
        """Final demand before the deficit, (N,): value added, taxes on goods, rare earths sold less those bought, (16)."""
        income: Array = self.value_added_is.sum(axis=1) + self.goods_taxes_i - self.ree_value_i
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


def calibrate(scenario: Scenario, table: WorldTable | TradeTable | None = None) -> Calibration:
    """Calibrate the baseline that a scenario asks for (before anything is solved again: see `equilibrium.baseline`).

    Parameters
    ----------
    scenario : Scenario
        Its ``calibration``, ``parameters``, ``technology``, ``entry_cost`` and ``deficit`` are read.
    table : WorldTable or TradeTable, optional
        By default the one that the scenario names.

    Raises
    ------
    CalibrationError
        If the table is not the one that the scenario speaks of, or it and the parameters do not give a balanced baseline
        or not the rare earths of the accounts.
    """
    from reesim.data import tables

    composite = tables.composite(scenario.table_path if table is None else table).balanced()
    world, block, elasticities = scenario.world, scenario.calibration, scenario.elasticities()
    if (composite.regions.codes, composite.sectors.codes) != (world.regions.codes, world.sectors.codes):
        raise CalibrationError(
            f"the scenario speaks of {_size(world)}, and the table has {_size(composite)} or others: "
            "name the table in calibration.table"
        )
    mu = min(elasticities.mu, LARGEST_MU)
    share, gamma = shares.of_scenario(scenario, composite, elasticities, mu)
    return Calibration(
        year=composite.year, regions=composite.regions, sectors=composite.sectors, exporter=world.exporter,
        trade_jis=composite.trade_jis, materials_iks=composite.materials_iks, final_is=composite.final_is,
        ree_share_is=share, sigma_s=np.array(elasticities.sigma_s), epsilon_s=np.array(elasticities.epsilon_s),
        gamma_s=gamma,
        rho=elasticities.rho, mu=mu, theta=elasticities.theta,
        baseline_tax=block.baseline_tax, baseline_exports_tonnes=block.baseline_exports_tonnes,
        tariff_jis=composite.tariff_jis, ree_elasticity_i=np.array(elasticities.ree_supply_i),
        entry_cost=scenario.entry_cost, deficit=scenario.deficit, signed=composite.keeps_negatives,
        choices=_choices(scenario, composite),
    )  # fmt: skip


def _size(labels: World | TradeTable) -> str:
    return f"{len(labels.regions)} regions x {len(labels.sectors)} sectors"


def _requirement_words(scenario: Scenario) -> str:
    needed = scenario.world.requirements
    doubt = f"; {needed.doubt}" if needed is not None and needed.doubt else ""
    return (
        f"io_table: {needed}, scaled by region to observed use, gamma implied by (23) "
        f"[ours; regional split unverified{doubt}]"
    )


def _estimate_words(scenario: Scenario) -> str:
    """Which file epsilon and gamma are from, and where the scenario does not follow it."""
    elasticities, parameters = scenario.elasticities(), scenario.parameters
    told = elasticities.estimated
    if told is None:
        raise CalibrationError("this scenario was put together by hand and has read no estimates: load it")
    words = [f"{Path(told.file).name}, {told.digest}: {told.source}, at mu {told.mu:g} and delta {told.delta:g}"]
    if elasticities.gamma_s is None:
        words.append("gamma not the file's but implied by (23)")
    own = [name for name in ("epsilon", "gamma") if set(getattr(parameters, name)) & set(told.sectors)]
    if own:
        words.append(f"some {' and '.join(own)} replaced by the scenario")
    if scenario.technology != "none" and (parameters.mu, parameters.delta) != (told.mu, told.delta):
        words.append(
            f"the scenario has mu {parameters.mu:g} and delta {parameters.delta:g}, at which epsilon would differ"
        )
    return "; ".join(words)


def _choices(scenario: Scenario, table: TradeTable) -> dict[str, str]:
    """What every result repeats."""
    words = {
        "deck": "deck: (23) at a relative price of one everywhere",
        "accounts": "accounts: (23) scaled by region to observed use [ours; regional split unverified]",
        "io_table": _requirement_words(scenario),
        "none": "none",
    }
    choices = {"table": f"{table.source}, {table.year}"}
    if table.treatments:
        choices["treatments"] = "; ".join(table.treatments)
    rare = scenario.world.exporter is not None
    choices["rare-earth shares"] = (
        words[scenario.calibration.ree_shares] if rare else "none: no sector uses rare earths"
    )
    if scenario.estimates_path is not None:
        choices["elasticities"] = _estimate_words(scenario)
    choices["deficits"] = scenario.deficit.replace("_", " ")
    if scenario.technology == "none":
        return choices
    return choices | {
        "entry cost": f"paid in {'labour' if scenario.entry_cost == 'labour' else 'the final good'} [ours]",
        "delta": f"{scenario.parameters.delta:g} [ours: the deck gives no value]",
        "adjustment half-lives": "entry {entry:g}, prices {prices:g}, trade {trade:g} years [ours]".format(
            **{name: getattr(scenario.adjustment, name) for name in ("entry", "prices", "trade")}
        ),
    }
