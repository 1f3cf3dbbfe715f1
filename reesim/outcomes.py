"""Outcomes, section 5 of the model: what is read off rows of the core, for paths and static equilibria alike.

Every function is vectorised over the leading axis of rows (dates); nothing here iterates over regions or sectors, and over
time only by regimes and where memory asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from reesim._core.layout import POLICY, ROW, Layout, Parameters

if TYPE_CHECKING:
    from reesim.calibration import Calibration
    from reesim.labels import Labels

Array = npt.NDArray[np.float64]


DOUBTFUL = 0.002
"""Gap between the halves of the Fisher index, Laspeyres and Paasche, above which all outputs say not to read real GDP."""


def real_gdp_alert(doubt_ti: Array, regions: Labels, dates: Sequence[str]) -> tuple[str, ...]:
    """Say where real GDP is not to be read, in one sentence; nothing if its index is sound everywhere.

    Parameters
    ----------
    doubt_ti : (T, N) ndarray
        As `Outcomes.real_gdp_doubt` gives it.
    """
    worst = doubt_ti.max(axis=0)
    places = [
        f"{regions.codes[i]} ({dates[int(doubt_ti[:, i].argmax())]}: "
        + (f"{100.0 * worst[i]:.2g} %)" if np.isfinite(worst[i]) else "no value)")
        for i in np.flatnonzero(worst > DOUBTFUL)
    ]
    if not places:
        return ()
    return (
        "real GDP is not to be read where trade moves far at prices far from the baseline's, since "
        f"its Laspeyres and Paasche halves differ by more than {100.0 * DOUBTFUL:g} %: {', '.join(places)}; read welfare",
    )


BATCH = 4_000_000
"""Trade flows that are looked at together: what memory a long path of a large world takes."""


@dataclass(frozen=True, slots=True)
class _Goods:
    """What goods traded between regions amount to at the border, (T, N) or (T, N, S); imports are sums over exporters and goods.

    Values are at the border: what the importer pays before its tariff. The ``_base`` legs are baseline quantities at border
    prices in force.
    """

    exports: Array
    exports_real: Array
    exports_base: Array
    imports: Array
    imports_real: Array
    imports_base: Array
    tariffs: Array
    export_taxes: Array


class Outcomes:
    """All variables of the registry at rows of an economy, each computed when first asked for.

    Parameters
    ----------
    parameters : layout.Parameters
    calibration : Calibration
        Baseline values.
    rows : (T, row size) ndarray
    policies : (M, policy size) ndarray
        Policy blocks, each once.
    residual : (T,) ndarray
        Certificates of the rows.
    regimes : (T,) ndarray of int, optional
        Position in ``policies`` of what is in force in each row; by default each row has its own block.
    """

    def __init__(
        self,
        parameters: Parameters,
        calibration: Calibration,
        rows: Array,
        policies: Array,
        residual: Array,
        regimes: npt.NDArray[np.int64] | None = None,
    ) -> None:
        n, s = parameters.regions, parameters.sectors
        self._par = parameters.views()
        self._cal = calibration
        self._row = Layout(ROW, n, s).views(rows)
        self._policies = Layout(POLICY, n, s).views(policies)
        self._regimes = np.arange(len(rows)) if regimes is None else np.asarray(regimes)
        if self._regimes.shape != (len(rows),):
            raise ValueError(f"{len(rows)} rows need as many regimes, not {self._regimes.shape}")
        self._residual = residual
        self._own = np.arange(n)
        self._abroad = self._own != calibration.supplier

    def __getitem__(self, name: str) -> Array:
        """Return a variable of the registry, (T, *axes)."""
        if name == "residual":
            return self._residual
        if name in self._row:
            return self._row[name]
        value: Array = getattr(self, f"_{name}")()
        return value

    def collect(self, names: Iterable[str]) -> dict[str, Array]:
        """Return several variables, as copies."""
        return {name: np.array(self[name]) for name in names}

    def _in_force(self, name: str) -> Array:
        """Policy by row, (T, *axes); not for what has three axes, which is looked at by regime."""
        value: Array = self._policies[name][self._regimes]
        return value

    # trade in goods ----------------------------------------------------------------------------------------------------

    def _batches(self) -> Iterator[tuple[slice, int]]:
        """Rows that follow each other under one regime, few enough to hold their trade flows at once."""
        size = max(1, BATCH // self._par["trade_share0"].size)
        ends = np.flatnonzero(np.diff(self._regimes)) + 1
        for first, last in zip([0, *ends], [*ends, len(self._regimes)], strict=True):
            for start in range(first, last, size):
                yield slice(start, min(start + size, last)), int(self._regimes[start])

    @cached_property
    def _goods(self) -> _Goods:
        n, s = self._par["alpha"].shape
        dates = len(self._regimes)
        found = _Goods(*(np.empty((dates, n, s) if k < 2 else (dates, n)) for k in range(8)))
        for rows, regime in self._batches():
            self._add_up_goods(found, rows, regime)
        return found

    def _add_up_goods(self, found: _Goods, rows: slice, regime: int) -> None:
        """Fill in the rows of one batch."""
        own, price = self._own, self._row["posted_price"][rows]
        tariff, tax, iceberg = (self._policies[name][regime] for name in ("tariff", "export_tax", "iceberg"))
        delivered = self._row["trade_share"][rows] * self._row["expenditure"][rows, None]
        if (tariff != 1.0).any() or (tax != 1.0).any():
            delivered /= tariff
            found.tariffs[rows] = np.einsum("tjis,jis->ti", delivered, tariff - 1.0)
            found.export_taxes[rows] = np.einsum("tjis,jis->tj", delivered, 1.0 - 1.0 / tax)
        else:
            found.tariffs[rows], found.export_taxes[rows] = 0.0, 0.0
        delivered[:, own, own] = 0.0
        found.exports[rows] = delivered.sum(axis=2)
        found.imports[rows] = delivered.sum(axis=(1, 3))
        delivered /= price[:, :, None]
        border = iceberg * (tax / self._par["export_tax0"])  # over the producer's price, baseline 1
        if (border != 1.0).any():
            delivered /= border
        found.exports_real[rows] = delivered.sum(axis=2)
        found.imports_real[rows] = delivered.sum(axis=(1, 3))
        base = self._delivered0 * border
        found.exports_base[rows] = np.einsum("tjs,js->tj", price, base.sum(axis=1))
        found.imports_base[rows] = np.einsum("tjs,jis->ti", price, base)

    @cached_property
    def _delivered0(self) -> Array:
        """Baseline trade between regions at the border, (N, N, S)."""
        value: Array = self._cal.trade_jis * (1.0 + self._cal.export_tax_jis)
        value[self._own, self._own] = 0.0
        return value

    def _exports(self) -> Array:
        return self._goods.exports

    def _exports_real(self) -> Array:
        return self._goods.exports_real

    def _tariff_revenue(self) -> Array:
        return self._goods.tariffs

    def _export_tax_revenue(self) -> Array:
        return self._goods.export_taxes

    def _policy_tariff(self) -> Array:
        weight = self._delivered0
        total = weight.sum(axis=(0, 2))
        paid = np.einsum("mjis,jis->mi", self._policies["tariff"], weight) - total
        average: Array = np.divide(paid, total, out=np.zeros_like(paid), where=total > 0.0)
        return average[self._regimes]

    # incomes -----------------------------------------------------------------------------------------------------------

    def _research_units(self, weight_R: Array | float = 1.0, weight_L: Array | float = 1.0) -> Array:
        """Payments f A to varieties in the unit of entry, (T, N)."""
        outlay = weight_R * self._par["research_R0"] * self._row["A_R"]
        units: Array = (outlay + weight_L * self._par["research_L0"] * self._row["A_L"]).sum(axis=2)
        return units

    def _research_spending(self) -> Array:
        """Final good that research buys, (T, N); nothing when entry is paid in labour."""
        if self._cal.entry_cost != "final_good":
            return np.zeros_like(self._row["wage"])
        return self._row["price_consumption"] * self._research_units()

    def _income(self) -> Array:
        return self._row["final_demand"] - self._research_spending()

    def _income0(self) -> Array:
        final = self._cal.final_is.sum(axis=1)
        return final - self._cal.research_i if self._cal.entry_cost == "final_good" else final

    def _welfare(self) -> Array:
        return self._income() / self._income0() / self._row["price_consumption"] - 1.0

    def _welfare_usd(self) -> Array:
        return self._welfare() * self._income0()

    def _subsidy_cost(self) -> Array:
        """What households pay to producers and to varieties, (T, N)."""
        output = ((self._in_force("output_subsidy") - 1.0) * self._row["revenue"]).sum(axis=2)
        entry = self._research_units(self._in_force("entry_subsidy_R"), self._in_force("entry_subsidy_L"))
        cost: Array = output + self.entry_cost() * entry
        return cost

    def _deficit(self) -> Array:
        if self._cal.deficit != "own_income_share":
            return np.broadcast_to(self._par["deficit0"], self._row["wage"].shape)
        demand = self._row["final_demand"]
        return demand - demand / (1.0 + self._par["deficit_share"] - self._rebalancing())

    def _rebalancing(self) -> Array:
        """What is taken off all deficit shares so that deficits add to zero, (T, 1), (16).

        Final demand is own income times 1 + share - m, and adds to the same total. The sum of demand / (1 + share - m) rises
        and is convex in m up to its first pole, so that Newton's method, kept below the pole, finds the only root.
        """
        demand, share = self._row["final_demand"], self._par["deficit_share"]
        total, pole = demand.sum(axis=1, keepdims=True), 1.0 + share.min()
        m = np.zeros((len(demand), 1))
        for _ in range(100):
            own = demand / (1.0 + share - m)
            step = (total - own.sum(axis=1, keepdims=True)) / (own / (1.0 + share - m)).sum(axis=1, keepdims=True)
            m = np.where(m + step < pole, m + step, 0.5 * (m + pole))
            if (np.abs(step) <= 1e-16).all():
                break
        return m

    def _gdp(self) -> Array:
        return self._row["final_demand"] - self._deficit()

    def _real_gdp(self) -> Array:
        """Nominal GDP over the Fisher index of final absorption plus net exports, rare earths included."""
        paasche, laspeyres = self._gdp_deflators()
        square = np.where((paasche > 0.0) & (laspeyres > 0.0), paasche * laspeyres, np.nan)
        return self._gdp() / np.sqrt(square)

    def real_gdp_doubt(self) -> Array:
        """How far the two legs of the Fisher index are apart, |log Paasche / Laspeyres|, (T, N); inf where one is not positive.

        Imports that collapse at a price many times the baseline's weigh more in the one than in the other: real GDP then
        says little.
        """
        paasche, laspeyres = self._gdp_deflators()
        sound = (paasche > 0.0) & (laspeyres > 0.0)
        return np.where(sound, np.abs(np.log(np.where(sound, paasche / laspeyres, 1.0))), np.inf)

    def _gdp_deflators(self) -> tuple[Array, Array]:
        """Paasche and Laspeyres indices of final absorption plus net exports at border prices, (T, N)."""
        row, cal, goods = self._row, self._cal, self._goods
        price = row["price_index"]
        final = row["expenditure"] - np.einsum("iks,tik->tis", self._par["phi"], row["spending"])
        value, real, base = self._rare_earth_balance()
        value = value + final.sum(axis=2) + goods.exports.sum(axis=2) - goods.imports
        real = real + (final / price).sum(axis=2) + goods.exports_real.sum(axis=2) - goods.imports_real
        base = base + (price * cal.final_is).sum(axis=2) + goods.exports_base - goods.imports_base
        base0 = cal.final_is.sum(axis=1) + self._delivered0.sum(axis=(1, 2)) - self._delivered0.sum(axis=(0, 2))
        bought = np.where(self._abroad, cal.ree_value_i, 0.0)
        base0 -= bought
        base0[cal.supplier] += bought.sum()
        return value / real, base / base0

    def _fob(self) -> Array:
        """FOB price by destination: what the importer pays less any rent it keeps, baseline 1, (T, N)."""
        kept = self._in_force("rent_share") * self._row["ree_wedge_quota"] * self._row["ree_mine_price"]
        return self._row["ree_price"] - np.where(self._abroad, kept[:, None], 0.0)

    def _rare_earth_balance(self) -> tuple[Array, Array, Array]:
        """Net exports of rare earths, (T, N): FOB, at baseline user prices, and the baseline's at prices in force."""
        fob, supplier, cal = self._fob(), self._cal.supplier, self._cal
        price = self._row["ree_price"]
        mined = self._mined() * self._par["tax0"]
        mined[:, self._own, self._own] = 0.0
        bought = np.where(self._abroad, self._ree_bought() * self._par["tax0"], 0.0)
        before = np.where(self._abroad, cal.ree_value_i, 0.0)
        receipts = mined * price[:, None]
        value = receipts.sum(axis=2) - receipts.sum(axis=1) - fob * bought
        real = mined.sum(axis=2) - mined.sum(axis=1) - bought
        base = -fob * before
        value[:, supplier] += (fob * bought).sum(axis=1)
        real[:, supplier] += bought.sum(axis=1)
        base[:, supplier] += (fob * before).sum(axis=1)
        return value, real, base

    # rare earths -------------------------------------------------------------------------------------------------------

    def _ree_value(self) -> Array:
        """Spending on rare earths at user prices, (T, N)."""
        mu = self._cal.mu
        value: Array = (
            (mu - 1.0) / mu * (self._row["ree_share"] * self._par["phi_va"] * self._row["spending"]).sum(axis=2)
        )
        return value

    def _use(self) -> Array:
        """Use at baseline mine prices, (T, N)."""
        return self._ree_value() / (self._par["tax0"] * self._row["ree_price"])

    def _mined(self) -> Array:
        """Output of mines other than the supplier's by owner and market, at baseline mine prices, (T, N, N), (15)."""
        capacity = self._in_force("mine_supply")
        if not capacity.any():
            return np.zeros_like(capacity)
        relative = self._row["ree_price"][:, None, :] / self._row["wage"][:, :, None]
        mined: Array = capacity * self._par["ree_supply"].sum() * relative ** self._par["ree_elasticity"][:, None]
        return mined

    def _ree_bought(self) -> Array:
        """What each region takes from the supplier's mines, the supplier too, at baseline mine prices, (T, N), (15)."""
        use = self._use()
        mined = self._mined().sum(axis=1)
        return np.where(mined > 0.0, np.maximum(use - mined, 0.0), use)

    def _tonnes(self) -> float:
        """Tonnes a unit of use, from baseline exports; zero when nobody abroad uses any."""
        abroad = float(self._par["ree_use0"].sum() - self._par["ree_use0"][self._cal.supplier])
        return self._cal.baseline_exports_tonnes / abroad if abroad > 0.0 else 0.0

    def _ree_use(self) -> Array:
        return self._use() * self._tonnes()

    def _ree_imports(self) -> Array:
        return np.where(self._abroad, self._ree_bought(), 0.0) * self._tonnes()

    def _ree_exports(self) -> Array:
        total: Array = self._ree_imports().sum(axis=1)
        return total

    def _ree_mined(self) -> Array:
        mined: Array = self._mined().sum(axis=2)
        mined[:, self._cal.supplier] += self._ree_bought().sum(axis=1)
        return mined * self._tonnes()

    def _ree_wedge(self) -> Array:
        return self._row["ree_price"] / self._row["ree_mine_price"][:, None]

    def _ree_wedge_tax(self) -> Array:
        return self._in_force("tax")

    def _wedge_income(self, wedge: Array) -> Array:
        return np.where(self._abroad, self._ree_bought() * self._row["ree_mine_price"][:, None] * wedge, 0.0)

    def _ree_tax_revenue(self) -> Array:
        return self._wedge_income(self._par["tax0"] * self._in_force("tax") - 1.0)

    def _ree_quota_rent(self) -> Array:
        return self._wedge_income(self._par["tax0"] * self._row["ree_wedge_quota"][:, None])

    def _ree_embargo_rent(self) -> Array:
        return self._wedge_income(self._par["tax0"] * self._row["ree_wedge_embargo"])

    # sectors -----------------------------------------------------------------------------------------------------------

    def _profit(self, share: Array, outlay: Array, measure: Array) -> Array:
        paid = share * self._par["phi_va"] * self._row["spending"] / self._cal.mu
        return np.divide(paid, outlay * measure, out=np.ones_like(paid), where=outlay * measure > 0.0)

    def _profit_R(self) -> Array:
        return self._profit(self._row["ree_share"], self._par["research_R0"], self._row["A_R"])

    def _profit_L(self) -> Array:
        return self._profit(1.0 - self._row["ree_share"], self._par["research_L0"], self._row["A_L"])

    def entry_cost(self) -> Array:
        """Price of the unit in which entry is paid, W of (7), (T, N)."""
        return self._row["price_consumption"] if self._cal.entry_cost == "final_good" else self._row["wage"]

    def _revenue_real(self) -> Array:
        return self._row["revenue"] / self._row["posted_price"]

    # certificates and policy -------------------------------------------------------------------------------------------

    def _policy_tax(self) -> Array:
        return self._in_force("tax")

    def _limit(self, name: str) -> Array:
        limit = self._in_force(name)
        return np.where(np.isinf(limit), np.nan, limit)

    def _policy_quota(self) -> Array:
        return self._limit("quota")

    def _policy_embargo(self) -> Array:
        return self._limit("embargo")

    def _policy_rent_share(self) -> Array:
        return self._in_force("rent_share")

    def _labour(self) -> Array:
        return self._in_force("labour")
