r"""Where a change of welfare comes from: two decompositions between a baseline and an equilibrium.

`trade_decomposition` is that of Caliendo and Parro (2015): terms and volume of trade, first order, arithmetic changes at
baseline weights. `welfare_decomposition` is for any policy: averages of values before and after times log changes, so that
what is left over, the remainder, is of third order in the change. Both are shown in per cent of baseline income.

The second follows from budgets by the envelope theorem. Let a region's households have income I, and let d be a small
change. Composite and consumption price indices are costs of optimal baskets, so that

    dI - I dln P_C = dF - Σ_s E_s dln P_s + Σ_sk materials_sk dln P_s - [entry in goods] P_C dR

with F final demand and R the units f A of entry. Expenditure at user prices is t B, with B the border value and t one plus
the tariff; costs obey (5), (6); final demand is own income (16) and the deficit. Prices of own goods cancel, and what is left is

    terms of trade     Σ_i B_ni dln(p_n x_ni) - Σ_j B_jn dln(p_j x_jn), x one plus the export tax, over other regions
    trade costs        - Σ_j B_jn dln d_jn
    tariffs            Σ_j (t_jn - 1) B_jn dln volume_jn
    export taxes       Σ_i (x_ni - 1) y_ni dln volume_ni, y what the producer gets
    output subsidies   - Σ_s rate Y dln quantity
    posted prices      Σ_s (sales with subsidy - cost) dln quantity, zero where price is cost
    trade lags         - Σ_js E_s (share - share of the least-cost basket at its shadow price) dln volume, zero where (11) holds
    technology         θ Σ_sv VA_v dln A_v
    profits            Σ_sv VA_v / μ dln(volume of the factor in v): a markup is a wedge
    research           - Σ_sv (1 - z_v) W f_v dA_v, with z the entry subsidy
    entry subsidies    - Σ_sv z_v W f_v dA_v
    productivity       Σ_s cost dln Ψ
    labour             w d(endowment)
    deficits           dD
    rare earths        terms of trade at prices FOB; taxes and rents on changed volumes; output of mines at what it earns
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from reesim._core.layout import Parameters, no_policy
from reesim.accounts import Accounts, baseline_row, read_accounts
from reesim.errors import InputError
from reesim.labels import Labels

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]

TERMS: Mapping[str, str] = {
    "terms_of_trade": "Terms of trade in goods",
    "rare_earth_terms_of_trade": "Terms of trade in rare earths",
    "trade_costs": "Trade costs",
    "tariffs": "Tariff revenue on changed volumes",
    "export_taxes": "Revenue of export taxes on changed volumes",
    "rare_earth_rents": "Taxes and rents on changed volumes of rare earths",
    "output_subsidies": "Output subsidies on changed volumes",
    "entry_subsidies": "Entry subsidies on changed measures",
    "technology": "Measures of varieties",
    "research": "Cost of varieties",
    "profits": "Markups on changed volumes",
    "productivity": "Productivity",
    "labour": "Labour endowment",
    "mines": "Output of rare-earth mines",
    "deficits": "Deficit received",
    "posted_prices": "Gaps between price and cost",
    "trade_lags": "Gaps between trade shares and optimal ones",
}
"""Terms of `welfare_decomposition`, in the order in which they are shown."""


@dataclass(frozen=True, slots=True, eq=False)
class WelfareDecomposition:
    """Change of real income by source, as shares of baseline income.

    Parameters
    ----------
    regions : Labels
    terms : mapping of str to (N,) ndarray
        By the names of `TERMS`.
    welfare_i : (N,) ndarray
        Exact change of real income.
    """

    regions: Labels
    terms: Mapping[str, Array]
    welfare_i: Array

    @property
    def remainder_i(self) -> Array:
        """What the terms leave over, (N,): of third order in the change."""
        left: Array = self.welfare_i - np.sum(list(self.terms.values()), axis=0)
        return left

    def to_dataframe(self) -> pd.DataFrame:
        """Table by region and term, with remainder and total, in per cent of baseline income."""
        columns = {**self.terms, "remainder": self.remainder_i, "welfare": self.welfare_i}
        return _per_cent(self.regions, columns)


@dataclass(frozen=True, slots=True, eq=False)
class TradeDecomposition:
    """First-order change of welfare by partner and sector, as shares of baseline income.

    Parameters
    ----------
    regions, sectors : Labels
    terms_of_trade_nis, volume_of_trade_nis : (N, N, S) ndarray
        Contribution of trade of region n with partner i.
    real_wage_i, real_income_i : (N,) ndarray
        Exact changes of the wage and of income over the price of consumption.
    """

    regions: Labels
    sectors: Labels
    terms_of_trade_nis: Array
    volume_of_trade_nis: Array
    real_wage_i: Array
    real_income_i: Array

    @property
    def terms_of_trade_i(self) -> Array:
        """Terms of trade, (N,)."""
        total: Array = self.terms_of_trade_nis.sum(axis=(1, 2))
        return total

    @property
    def volume_of_trade_i(self) -> Array:
        """Volume of trade, (N,)."""
        total: Array = self.volume_of_trade_nis.sum(axis=(1, 2))
        return total

    @property
    def welfare_i(self) -> Array:
        """Sum of the two, (N,): welfare to first order."""
        return self.terms_of_trade_i + self.volume_of_trade_i

    def to_dataframe(self) -> pd.DataFrame:
        """Table by region, per cent: the two terms, their sum, and exact changes of real wage and income."""
        columns = {
            "terms_of_trade": self.terms_of_trade_i,
            "volume_of_trade": self.volume_of_trade_i,
            "terms_and_volume": self.welfare_i,
            "real_wage": self.real_wage_i,
            "real_income": self.real_income_i,
        }
        return _per_cent(self.regions, columns)


def _per_cent(regions: Labels, columns: Mapping[str, Array]) -> pd.DataFrame:
    import pandas as pd

    index = pd.Index(regions.codes, name="region")
    return pd.DataFrame({name: 100.0 * value for name, value in columns.items()}, index=index)


# --- changes ------------------------------------------------------------------------------------------------------------------


def _log(after: Array, before: Array) -> Array:
    """Log change; none where there is nothing before or after."""
    there = (after > 0.0) & (before > 0.0)
    ratio = np.divide(after, before, out=np.ones(np.broadcast_shapes(after.shape, before.shape)), where=there)
    change: Array = np.log(ratio)
    return change


def _mean(after: Any, before: Any) -> Any:
    return 0.5 * (after + before)


def _goods(a: Accounts, b: Accounts) -> dict[str, Array]:
    """Terms of goods trade and of what taxes them; ``b`` is after, ``a`` before."""
    n = len(a.wage_i)
    price, tax = _log(b.price_is, a.price_is), _log(b.tax_jis, a.tax_jis)
    border = _mean(b.border_jis, a.border_jis)
    flow = border * (price[:, None] + tax)
    flow[np.arange(n), np.arange(n)] = 0.0
    tariffs = _mean((b.tariff_jis - 1.0) * b.border_jis, (a.tariff_jis - 1.0) * a.border_jis)
    taxes = _mean(b.border_jis - b.producer_jis, a.border_jis - a.producer_jis)
    sold = _log(b.producer_jis / b.price_is[:, None], a.producer_jis / a.price_is[:, None])
    arrived = _log(b.border_jis / b.cif_jis, a.border_jis / a.cif_jis)
    quantity = _log(b.revenue_is / b.price_is, a.revenue_is / a.price_is)
    paid = [x.subsidy_is * x.revenue_is for x in (b, a)]
    gained = [x.revenue_is + y - x.spending_is for x, y in zip((b, a), paid, strict=True)]
    return {
        "terms_of_trade": flow.sum(axis=(1, 2)) - flow.sum(axis=(0, 2)),
        "trade_costs": -(border * _log(b.iceberg_jis, a.iceberg_jis)).sum(axis=(0, 2)),
        "tariffs": (tariffs * arrived).sum(axis=(0, 2)),
        "export_taxes": (taxes * sold).sum(axis=(1, 2)),
        "output_subsidies": -(_mean(*paid) * quantity).sum(axis=1),
        "posted_prices": (_mean(*gained) * quantity).sum(axis=1),
        "trade_lags": -(_mean(b.gap_jis, a.gap_jis) * arrived).sum(axis=(0, 2)),
    }


def _production(a: Accounts, b: Accounts, mu: float, theta: float) -> dict[str, Array]:
    """Terms of technology and endowments."""
    added, unit = _mean(b.added_vis, a.added_vis), _mean(b.unit_i, a.unit_i)
    cost = a.outlay_vis * (b.measure_vis - a.measure_vis) * unit[:, None]
    subsidy = (_mean(b.entry_subsidy_vis, a.entry_subsidy_vis) * cost).sum(axis=(0, 2))
    bundles = added.sum(axis=2)
    volume = (b.added_vis - a.added_vis).sum(axis=(0, 2))
    volume = volume - bundles[0] * _log(b.ree_price_i, a.ree_price_i) - bundles[1] * _log(b.wage_i, a.wage_i)
    spending = _mean(b.spending_is, a.spending_is)
    return {
        "technology": theta * (added * _log(b.measure_vis, a.measure_vis)).sum(axis=(0, 2)),
        "profits": volume / mu,
        "entry_subsidies": -subsidy,
        "research": subsidy - cost.sum(axis=(0, 2)),
        "productivity": (spending * _log(b.productivity_is, a.productivity_is)).sum(axis=1),
        "labour": _mean(b.wage_i, a.wage_i) * (b.labour_i - a.labour_i),
        "deficits": b.deficit_i - a.deficit_i,
    }


def _rare_earth_terms(a: Accounts, b: Accounts, supplier: int) -> dict[str, Array]:
    """Terms of (15): prices at mean volumes, volumes at mean prices, which add up exactly."""
    foreign = np.arange(len(a.wage_i)) != supplier
    bought, mined = _mean(b.bought_i, a.bought_i), _mean(b.mined_ji, a.mined_ji)
    more, more_mined = b.bought_i - a.bought_i, b.mined_ji - a.mined_ji
    import_cost = np.where(foreign, bought * (b.fob_i - a.fob_i), 0.0)
    flow = mined * (b.paid_i - a.paid_i)
    np.fill_diagonal(flow, 0.0)
    trade = flow.sum(axis=1) - flow.sum(axis=0) - import_cost
    trade[supplier] += import_cost.sum()
    mine = _mean(b.mine_price, a.mine_price)
    rents = _mean(b.kept_i, a.kept_i) * more
    rents[supplier] += ((_mean(b.fob_i, a.fob_i) - mine) * more).sum()
    mines = more_mined @ _mean(b.paid_i, a.paid_i)
    mines[supplier] += mine * more.sum()
    return {"rare_earth_terms_of_trade": trade, "rare_earth_rents": rents, "mines": mines}


def welfare_decomposition(
    parameters: Parameters,
    regions: Labels,
    row: Array,
    policy: Array,
    before: tuple[Array, Array] | None = None,
) -> WelfareDecomposition:
    """Decompose the change of real income between two rows, for any policy.

    Parameters
    ----------
    parameters : layout.Parameters
    regions : Labels
    row, policy : ndarray
        A solved row, of a static equilibrium or of a path, and the policy block in force in it.
    before : (row, policy), optional
        What it is compared with; the baseline by default.

    Returns
    -------
    WelfareDecomposition
        Terms are scaled from log changes to the exact change of real income, region by region.
    """
    start = before or (baseline_row(parameters), no_policy(parameters))
    a, b = read_accounts(parameters, *start), read_accounts(parameters, row, policy)
    par = parameters.views()
    found = {
        **_goods(a, b),
        **_production(a, b, float(par["mu"]), float(par["theta"])),
        **_rare_earth_terms(a, b, parameters.supplier),
    }
    gained = _log(b.income_i, a.income_i) - _log(b.price_consumption_i, a.price_consumption_i)
    scale = np.divide(np.expm1(gained), gained, out=np.ones_like(gained), where=gained != 0.0)
    scale /= _mean(b.income_i, a.income_i)
    return WelfareDecomposition(regions, {name: found[name] * scale for name in TERMS}, np.expm1(gained))


def trade_decomposition(
    parameters: Parameters,
    regions: Labels,
    sectors: Labels,
    row: Array,
    policy: Array,
    weights: str = "baseline",
) -> TradeDecomposition:
    """Terms and volume of trade of Caliendo and Parro (2015), their equation for the change of welfare.

    Terms of trade are exports times the change of the exporter's unit cost less imports times that of the partner's; volume
    is the tariff times imports times the change of imports less that of the partner's unit cost. Both are over baseline
    income, and flows are before tariffs.

    Parameters
    ----------
    parameters : layout.Parameters
    regions, sectors : Labels
    row, policy : ndarray
        A solved row and the policy block in force in it.
    weights : {"baseline", "midpoint"}
        Baseline flows and tariffs with arithmetic changes, as published, or means of flows and taxes before and after with
        log changes.

    Raises
    ------
    InputError
        If there are no such weights.
    """
    if weights not in ("baseline", "midpoint"):
        raise InputError(f"weights {weights!r}: they are 'baseline' or 'midpoint'")
    a = read_accounts(parameters, baseline_row(parameters), no_policy(parameters))
    b = read_accounts(parameters, row, policy)
    price, flow = _log(b.price_is, a.price_is), _log(b.border_jis, a.border_jis)
    if weights == "baseline":
        price, flow, border = np.expm1(price), np.expm1(flow), a.border_jis
        tariffs, income = (a.tariff_jis - 1.0) * border, a.income_i
    else:
        border, income = _mean(b.border_jis, a.border_jis), _mean(b.income_i, a.income_i)
        tariffs = _mean((b.tariff_jis - 1.0) * b.border_jis, (a.tariff_jis - 1.0) * a.border_jis)
    priced = border * price[:, None]
    volume = tariffs * (flow - price[:, None])
    real = 1.0 / b.price_consumption_i * a.price_consumption_i
    return TradeDecomposition(
        regions=regions, sectors=sectors,
        terms_of_trade_nis=(priced - priced.transpose(1, 0, 2)) / income[:, None, None],
        volume_of_trade_nis=volume.transpose(1, 0, 2) / income[:, None, None],
        real_wage_i=b.wage_i / a.wage_i * real - 1.0, real_income_i=b.income_i / a.income_i * real - 1.0,
    )  # fmt: skip
