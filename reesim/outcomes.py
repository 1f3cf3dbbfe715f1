"""Outcomes, section 5 of the model: what is read off rows of the core, for paths and static equilibria alike.

Every function is vectorised over the leading axis of rows (dates); nothing here iterates over time, regions or sectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from reesim._core.layout import POLICY, ROW, Layout, Parameters

if TYPE_CHECKING:
    from reesim.calibration import Calibration
    from reesim.labels import Labels

Array = npt.NDArray[np.float64]


DOUBTFUL = 0.002
"""Gap between the legs of the Fisher index above which every output says that real GDP is not to be read."""


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
        "real GDP is not to be read where rare-earth imports collapse at a price far from the baseline's, since the two legs "
        f"of its Fisher index part: {', '.join(places)}; read welfare",
    )


class Outcomes:
    """All variables of the registry at rows of an economy, each computed when first asked for.

    Parameters
    ----------
    parameters : layout.Parameters
    calibration : Calibration
        Baseline values.
    rows : (T, row size) ndarray
    policies : (T, policy size) ndarray
    residual : (T,) ndarray
        Certificates of the rows.
    """

    def __init__(
        self, parameters: Parameters, calibration: Calibration, rows: Array, policies: Array, residual: Array
    ) -> None:
        n, s = parameters.regions, parameters.sectors
        self._par = parameters.views()
        self._cal = calibration
        self._row = Layout(ROW, n, s).views(rows)
        self._policy = Layout(POLICY, n, s).views(policies)
        self._residual = residual
        self._own = np.arange(n)

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

    # incomes -----------------------------------------------------------------------------------------------------------

    def _research_spending(self) -> Array:
        """Final good that research buys, (T, N); nothing when entry is paid in labour."""
        if self._cal.entry_cost != "final_good":
            return np.zeros_like(self._row["wage"])
        outlay = self._par["research_R0"] * self._row["A_R"] + self._par["research_L0"] * self._row["A_L"]
        return self._row["price_consumption"] * outlay.sum(axis=2)

    def _income(self) -> Array:
        return self._row["final_demand"] - self._research_spending()

    def _income0(self) -> Array:
        final = self._cal.final_is.sum(axis=1)
        return final - self._cal.research_i if self._cal.entry_cost == "final_good" else final

    def _welfare(self) -> Array:
        return self._income() / self._income0() / self._row["price_consumption"] - 1.0

    def _welfare_usd(self) -> Array:
        return self._welfare() * self._income0()

    def _deficit(self) -> Array:
        if self._cal.deficit != "own_income_share":
            return np.broadcast_to(self._par["deficit0"], self._row["wage"].shape)
        # final demand = own (1 + d - m), with m the same for all regions: own income sums to final demand
        share, demand = self._par["deficit_share"], self._row["final_demand"]
        own = demand / (1.0 + share)
        for _ in range(60):
            mean = (share * own).sum(axis=1, keepdims=True) / own.sum(axis=1, keepdims=True)
            own = demand / (1.0 + share - mean)
        return demand - own

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
        """Paasche and Laspeyres indices of final absorption plus net exports, (T, N)."""
        price, quantity, base_price, base_quantity = self._absorption()
        paasche = (price * quantity).sum(axis=2) / (base_price * quantity).sum(axis=2)
        laspeyres = (price * base_quantity).sum(axis=2) / (base_price * base_quantity).sum(axis=1)
        return paasche, laspeyres

    def _absorption(self) -> tuple[Array, Array, Array, Array]:
        """Prices and quantities (imports negative) of final demand, exports and imports, (T, N, items), now and at baseline."""
        row, cal, par = self._row, self._cal, self._par
        dates, n, _ = row["revenue"].shape
        final = row["expenditure"] - np.einsum("iks,tik->tis", par["phi"], row["spending"])
        flow, flow0 = row["trade_share"] * row["expenditure"][:, None], np.array(cal.trade_jis)
        flow[:, self._own, self._own], flow0[self._own, self._own] = 0.0, 0.0
        producer = np.broadcast_to(row["posted_price"][:, :, None, :], flow.shape)
        exports, exports0 = (flow / producer).reshape(dates, n, -1), flow0.reshape(n, -1)
        imports = (flow / producer).transpose(0, 2, 1, 3).reshape(dates, n, -1)
        imports0 = flow0.transpose(1, 0, 2).reshape(n, -1)
        fob, sold, bought = self._rare_earth_trade()
        price = [
            row["price_index"],
            producer.reshape(dates, n, -1),
            producer.transpose(0, 2, 1, 3).reshape(dates, n, -1),
            fob,
            fob,
        ]
        quantity = [final / row["price_index"], exports, -imports, sold, -bought]
        base = [cal.final_is, exports0, -imports0, *self._rare_earth_trade_baseline()]
        one = np.ones((n, sum(part.shape[2] for part in price)))
        return np.concatenate(price, axis=2), np.concatenate(quantity, axis=2), one, np.concatenate(base, axis=1)

    def _fob(self) -> Array:
        """FOB price by destination: what the importer pays less any rent it keeps, baseline 1, (T, N)."""
        kept = (
            self._policy["rent_share"][:, None]
            * self._row["ree_wedge_quota"][:, None]
            * self._row["ree_mine_price"][:, None]
        )
        return self._row["ree_price"] - np.where(self._own != self._cal.supplier, kept, 0.0)

    def _rare_earth_trade(self) -> tuple[Array, Array, Array]:
        """FOB prices, quantities exported and imported by destination, (T, N, N): items are destinations."""
        use = self._use() * self._par["tax0"]  # at baseline user prices
        use[:, self._cal.supplier] = 0.0
        n = use.shape[1]
        fob = np.broadcast_to(self._fob()[:, None, :], (len(use), n, n))
        sold = np.zeros((len(use), n, n))
        sold[:, self._cal.supplier, :] = use
        return fob, sold, use[:, :, None] * np.eye(n)

    def _rare_earth_trade_baseline(self) -> tuple[Array, Array]:
        use = np.array(self._cal.ree_value_i)
        use[self._cal.supplier] = 0.0
        sold = np.zeros((len(use), len(use)))
        sold[self._cal.supplier] = use
        return sold, -np.diag(use)

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

    def _tonnes(self) -> float:
        """Tonnes a unit of use, from baseline exports; zero when nobody abroad uses any."""
        abroad = float(self._par["ree_use0"].sum() - self._par["ree_use0"][self._cal.supplier])
        return self._cal.baseline_exports_tonnes / abroad if abroad > 0.0 else 0.0

    def _ree_use(self) -> Array:
        return self._use() * self._tonnes()

    def _ree_exports(self) -> Array:
        use = self._ree_use()
        total: Array = use.sum(axis=1) - use[:, self._cal.supplier]
        return total

    def _ree_wedge(self) -> Array:
        return self._row["ree_price"] / self._row["ree_mine_price"][:, None]

    def _ree_wedge_tax(self) -> Array:
        return self._policy["tax"]

    def _wedge_income(self, wedge: Array) -> Array:
        abroad = self._own != self._cal.supplier
        return np.where(abroad, self._use() * self._row["ree_mine_price"][:, None] * wedge, 0.0)

    def _ree_tax_revenue(self) -> Array:
        return self._wedge_income(self._par["tax0"] * self._policy["tax"] - 1.0)

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

    def _exports(self) -> Array:
        flow = self._row["trade_share"] * self._row["expenditure"][:, None]
        home = self._row["trade_share"][:, self._own, self._own] * self._row["expenditure"]
        total: Array = flow.sum(axis=2) - home
        return total

    def _exports_real(self) -> Array:
        return self._exports() / self._row["posted_price"]

    def _revenue_real(self) -> Array:
        return self._row["revenue"] / self._row["posted_price"]

    # certificates and policy -------------------------------------------------------------------------------------------

    def _policy_tax(self) -> Array:
        return self._policy["tax"]

    def _limit(self, name: str) -> Array:
        limit = self._policy[name]
        return np.where(np.isinf(limit), np.nan, limit)

    def _policy_quota(self) -> Array:
        return self._limit("quota")

    def _policy_embargo(self) -> Array:
        return self._limit("embargo")

    def _policy_rent_share(self) -> Array:
        return self._policy["rent_share"]
