"""Every equation of the model in plain NumPy, in the order of ``docs/model.md``: the specification of the compiled core.

All prices, wages and measures are ratios to the baseline ("hats"); values are million USD a year. Axes: ``j`` exporter,
``i`` importer or region, ``s`` sector, ``k`` using sector. Every CES nest of the model is the one function `power_mean`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from reesim._core.layout import POLICY, Array, Layout, Parameters

Equations = SimpleNamespace
"""Named arrays: parameters, a policy, a state or an equilibrium."""


def unpack(par: Parameters) -> Equations:
    """Name the parameter arrays, and what follows from them once and for all.

    ``foreign_use0`` is the supplier's baseline exports of rare earths at mine prices, ``z`` is 1 - epsilon.
    """
    named = Equations(**par.views())
    named.parameters = par
    named.N, named.S, named.supplier = par.regions, par.sectors, par.supplier
    named.entry_in_final_good = par.entry_in_final_good
    named.deficit_follows_income = par.deficit_follows_income
    named.rho, named.mu, named.theta = float(named.rho), float(named.mu), float(named.theta)
    named.foreign = np.arange(par.regions) != par.supplier
    named.foreign_use0 = float(named.ree_use0[named.foreign].sum())
    named.supply0 = float(named.ree_supply.sum())
    named.z = 1.0 - named.epsilon
    named.z_safe = np.where(named.z == 0.0, 1.0, named.z)
    named.numeraire = float(named.labour0.sum())
    named.traded = named.trade_share0 > 0.0
    return named


def name_policy(par: Parameters, block: Array) -> Equations:
    """Name the parts of one regime's policy block."""
    named = Equations(**Layout(POLICY, par.regions, par.sectors).views(block))
    for name in ("quota", "rent_share", "ree_supply", "ree_limit"):
        setattr(named, name, float(getattr(named, name)))
    return named


# --- prices -----------------------------------------------------------------------------------------------------------


FAR = -0.5
"""Distance from one of a power mean's power, below which it is not written around one."""


def power_mean(weights: Array, logs: Array, power: Array | float, axis: int) -> Array:
    """Log (sum_n w_n x_n^power)^(1/power) for weights summing to one, with its limit sum_n w_n log x_n at power 0.

    Written around one, so that nothing is lost when the power or the change is small; far below one, where the distance from
    one would lose what is left, the sum itself.
    """
    power = np.asarray(power, dtype=float)
    flat = power == 0.0
    safe = np.where(flat, 1.0, power)
    shape = np.expand_dims(safe, axis) if safe.ndim else safe
    change = np.sum(weights * np.expm1(shape * logs), axis=axis)
    far = (change < FAR) & ~flat
    near = np.log1p(np.where(far, 0.0, change))
    if far.any():
        near = np.where(far, np.log(np.where(far, np.sum(weights * np.exp(shape * logs), axis=axis), 1.0)), near)
    curved = near / safe
    return np.where(flat, np.sum(weights * logs, axis=axis), curved) if flat.any() else curved


def value_added(par: Equations, relative: Array, log_P_L: Array) -> tuple[Array, Array]:
    """Log price of value added and share of the R bundle, (5).

    Parameters
    ----------
    relative : (i, s) ndarray
        log (P_R / P_L).
    log_P_L : (i, s) ndarray

    Returns
    -------
    log_v, share_R : (i, s) ndarray
    """
    change = np.expm1(par.z * relative)
    gain = par.ree_share0 * change
    log_gain = np.where(par.z == 0.0, par.ree_share0 * relative, np.log1p(gain) / par.z_safe)
    return log_P_L + log_gain, par.ree_share0 * (1.0 + change) / (1.0 + gain)


def bundle_prices(
    par: Equations, log_wage: Array, log_ree: Array, log_A_R: Array, log_A_L: Array
) -> tuple[Array, Array]:
    """Log relative price log (P_R / P_L) and log P_L of the bundles, (4)."""
    log_P_L = log_wage[:, None] - par.theta * log_A_L
    return log_ree[:, None] - par.theta * log_A_R - log_P_L, log_P_L


def unit_cost(par: Equations, policy: Equations, log_v: Array, log_P: Array) -> Array:
    """Log unit cost, (6)."""
    return par.phi_va * log_v + (par.phi @ log_P[:, :, None])[:, :, 0] - np.log(policy.productivity)


def supply_price(policy: Equations, log_c: Array) -> Array:
    """Log price at which sellers break even, (10): unit cost less the subsidy that comes on top of the price."""
    return log_c - np.log(policy.output_subsidy)


def trade_costs(par: Equations, policy: Equations) -> Equations:
    """What a regime puts between producer and buyer, (10).

    Returns
    -------
    log_kappa : (j, i, s) ndarray
        Log of the buyer's over the producer's price, relative to the baseline.
    net : (j, i, s) ndarray
        What the producer gets of a dollar that the buyer spends.
    """
    kappa = policy.iceberg * (policy.tariff / par.tariff0) * (policy.export_tax / par.export_tax0)
    return Equations(log_kappa=np.log(kappa), net=1.0 / (policy.tariff * policy.export_tax))


def optimal_price_index(par: Equations, costs: Equations, log_p: Array) -> Array:
    """Log composite price at optimal shares, (11)."""
    return power_mean(par.trade_share0, log_p[:, None, :] + costs.log_kappa, 1.0 - par.sigma[None, :], axis=0)


def optimal_trade_share(par: Equations, costs: Equations, log_p: Array) -> Array:
    """CES shares at given prices, (11)."""
    log_P = optimal_price_index(par, costs, log_p)
    return par.trade_share0 * np.exp((1.0 - par.sigma) * (log_p[:, None, :] + costs.log_kappa - log_P[None, :, :]))


def price_index_at_shares(par: Equations, costs: Equations, log_p: Array, trade_share: Array) -> Array:
    """Log composite price at given, perhaps not optimal, shares, (20)."""
    ratio = np.divide(trade_share, par.trade_share0, out=np.ones_like(trade_share), where=par.traded)
    return -power_mean(
        par.trade_share0,
        np.log(ratio) - log_p[:, None, :] - costs.log_kappa,
        ((par.sigma - 1.0) / par.sigma)[None, :],
        axis=0,
    )


def final_price_and_share(par: Equations, log_P: Array) -> tuple[Array, Array]:
    """Log consumption price and shares in final demand, (12)."""
    log_P_C = power_mean(par.alpha, log_P, np.full(par.N, 1.0 - par.rho), axis=1)
    return log_P_C, par.alpha * np.exp((1.0 - par.rho) * (log_P - log_P_C[:, None]))


# --- rare earths ------------------------------------------------------------------------------------------------------


def mine_output(par: Equations, policy: Equations, price: Array, wage: Array) -> Array:
    """Output of mines other than the supplier's, owned in j and sold in i at the price there, (j, i), (15)."""
    return policy.mine_supply * par.supply0 * (price[None, :] / wage[:, None]) ** par.ree_elasticity[:, None]


def supplier_output(par: Equations, policy: Equations, mine: float, wage: Array) -> float:
    """Output of the supplier's own mines, (15): its supply function, up to the production quota."""
    real = mine / wage[par.supplier]
    return par.supply0 * min(policy.ree_supply * real ** par.ree_elasticity[par.supplier], policy.ree_limit)


def clear_rare_earths(
    par: Equations, policy: Equations, value: Array, wage: Array
) -> tuple[float, float, Array, Array]:
    """Prices and wedges that clear the rare-earth market at given spending of users, (15).

    Parameters
    ----------
    value : (i,) ndarray
        Spending on rare earths at user prices, q_i R_i.
    wage : (i,) ndarray
        Mines sell more where the price is high relative to the wage.

    Returns
    -------
    mine_price, quota_wedge : float
    embargo_wedge, user_price : (i,) ndarray
        Each wedge is complementary to its own limit; the user price falls short of tau_i w_R where mines that sell in i
        leave no room for imports.
    """
    worth = value / par.tax0
    nobody = par.supply0 == 0.0
    if nobody:  # nobody uses rare earths: any price clears
        return 1.0, 0.0, np.zeros(par.N), np.where(par.foreign, policy.tax, 1.0)
    if not np.all((value > 0.0) & (value < np.inf) | (par.ree_use0 == 0.0)):
        return np.nan, np.nan, np.full(par.N, np.nan), np.full(par.N, np.nan)  # gone astray: the iteration must see it
    cap = np.where(par.foreign & np.isfinite(policy.embargo), policy.embargo * par.ree_use0, np.inf)

    def imports(price: Array) -> Array:
        return np.clip(worth / price - mine_output(par, policy, price, wage).sum(axis=0), 0.0, cap)

    def wedges(quota: float) -> Array:
        return np.where(par.foreign, policy.tax + quota, 1.0)

    def excess(log_mine: float) -> float:
        mine = float(np.exp(log_mine))
        return float(imports(wedges(0.0) * mine).sum()) - supplier_output(par, policy, mine, wage)

    limit, quota = policy.quota * par.foreign_use0, 0.0
    mine = float(np.exp(_falling_root(excess, 0.0)))
    if imports(wedges(0.0) * mine)[par.foreign].sum() > limit:

        def excess_at_home(log_mine: float) -> float:
            mine = float(np.exp(log_mine))
            return float(imports(wedges(0.0) * mine)[par.supplier]) + limit - supplier_output(par, policy, mine, wage)

        mine = float(np.exp(_falling_root(excess_at_home, 0.0)))

        def excess_abroad(log_wedge: float) -> float:
            return float(imports(wedges(float(np.exp(log_wedge))) * mine)[par.foreign].sum()) - limit

        quota = float(np.exp(_falling_root(excess_abroad, 0.0)))
    tau = wedges(quota)
    price = tau * mine
    embargo = np.zeros(par.N)
    for i in np.flatnonzero(worth > 0.0):
        sold = worth[i] / price[i] - mine_output(par, policy, price, wage)[:, i].sum()
        if 0.0 <= sold <= cap[i]:
            continue
        at = 0.0 if sold < 0.0 else cap[i]  # mines that sell in i leave no room for imports, or the embargo binds

        def gap(log_price: float, i: int = int(i), at: float = float(at)) -> float:
            own = mine_output(par, policy, np.full(par.N, np.exp(log_price)), wage)[:, i].sum()
            return float(worth[i] * np.exp(-log_price) - own - at)

        price[i] = np.exp(_falling_root(gap, float(np.log(price[i]))))
        embargo[i] = max(0.0, price[i] / mine - tau[i])
    return mine, quota, embargo, price


def _falling_root(f: Callable[[float], float], x: float) -> float:
    """Root of a falling function of one number, by widening a bracket around x and Brent's method; x itself if exact."""
    from scipy.optimize import brentq

    if f(x) == 0.0:
        return x
    low, high, width = x, x, 1e-3
    while f(low) < 0.0 and width < 200.0:
        low, width = low - width, 2.0 * width
    width = 1e-3
    while f(high) > 0.0 and width < 200.0:
        high, width = high + width, 2.0 * width
    return float(brentq(f, low, high, xtol=1e-15, rtol=1e-15))


def rare_earth_income(
    par: Equations, policy: Equations, value: Array, ree_price: Array, quota: float, wage: Array
) -> Array:
    """Income from rare earths by region, (15)-(16).

    Owners of mines get what is paid where they sell; all else, taxes and rents included, goes to the supplier, less the
    rents that importers keep.
    """
    mined = mine_output(par, policy, ree_price, wage)
    receipts = mined * (par.tax0 * ree_price)[None, :]
    mine, imported = ree_price[par.supplier], value / (par.tax0 * ree_price) - mined.sum(axis=0)
    kept = np.where(par.foreign, policy.rent_share * par.tax0 * quota * mine * imported, 0.0)
    income = kept + receipts.sum(axis=1)
    income[par.supplier] += value.sum() - kept.sum() - receipts.sum()
    return income


# --- goods and incomes --------------------------------------------------------------------------------------------------


def with_deficits(par: Equations, own_income: Array) -> Array:
    """Final demand out of own income and the deficit, by the closure in force, (16)."""
    if not par.deficit_follows_income:
        return own_income + par.deficit0
    wanted = par.deficit_share * own_income
    return own_income + wanted - own_income * (wanted.sum() / own_income.sum())


def expenditure(par: Equations, final_share: Array, final_demand: Array, spending: Array) -> Array:
    """Spending on each composite, (13)."""
    return final_share * final_demand[:, None] + (spending[:, None, :] @ par.phi)[:, 0, :]


def revenue(costs: Equations, trade_share: Array, spent: Array) -> Array:
    """Sales of each producer, net of tariffs and export taxes, (14)."""
    return np.einsum("jis,is->js", trade_share * costs.net, spent)


def goods_taxes(policy: Equations, trade_share: Array, spent: Array) -> Array:
    """Revenue from tariffs, by importer, and from taxes on exports of goods, by exporter, (16)."""
    delivered = trade_share * spent[None] / policy.tariff
    tariffs = ((policy.tariff - 1.0) * delivered).sum(axis=(0, 2))
    return tariffs + ((1.0 - 1.0 / policy.export_tax) * delivered).sum(axis=(1, 2))


def entry_unit(par: Equations, wage: Array, log_P_C: Array) -> Array:
    """Price of the unit in which entry is paid, W in (7)."""
    return np.exp(log_P_C) if par.entry_in_final_good else wage


def research_labour(par: Equations, A_R: Array | float, A_L: Array | float) -> Array:
    """Labour in research, (17); none when entry is paid in the final good."""
    if par.entry_in_final_good:
        return np.zeros(par.N)
    return np.sum(par.research_R0 * A_R + par.research_L0 * A_L, axis=1)


# --- entry, prices and shares over time -----------------------------------------------------------------------------------


def free_entry(
    par: Equations, policy: Equations, ree_share: Array, spending: Array, unit: Array
) -> tuple[Array, Array]:
    """Measures at which profit pays the entry cost that is left to the firm, (7); 1 where a bundle does not exist."""
    va = par.phi_va * spending / par.mu
    measures = []
    for share, outlay, subsidy in (
        (ree_share, par.research_R0, policy.entry_subsidy_R),
        (1.0 - ree_share, par.research_L0, policy.entry_subsidy_L),
    ):
        cost = outlay * unit[:, None] * (1.0 - subsidy)
        measures.append(np.divide(share * va, cost, out=np.ones_like(va), where=outlay > 0.0))
    return measures[0], measures[1]


def research_payroll(par: Equations, policy: Equations, va_R: Array, va: Array) -> Array:
    """What research is paid where entry is free, subsidies included, (i,), (7), (17)."""
    paid = va_R / (1.0 - policy.entry_subsidy_R) + (va - va_R) / (1.0 - policy.entry_subsidy_L)
    return paid.sum(axis=1) / par.mu


def adjust_log(level: Array, target: Array, share_of_gap: float) -> Array:
    """Close a share of the log gap, (21)-(22)."""
    return level * (target / level) ** share_of_gap


def adjust_level(level: Array, target: Array, share_of_gap: float) -> Array:
    """Close a share of the gap in levels: shares keep summing to one, (21)."""
    return level + share_of_gap * (target - level)


# --- the temporary equilibrium --------------------------------------------------------------------------------------------

INNER_PASSES = 3
"""Rounds of the expenditure circuit (13)-(16) in one evaluation: cheap beside the prices, and fewer evaluations follow.

An odd number: where costs are far above prices a circuit may alternate, and two rounds that undo each other solve nothing."""


def open_period(par: Equations, policy: Equations, state: Equations, at_once: Equations) -> Equations:
    """What is settled before markets open: prices and shares that do not move within the period, (20).

    ``labour`` is the labour producers can hire; research takes the rest where entry is given and paid in labour, (17).
    """
    period = Equations(log_A_R=np.log(state.A_R), log_A_L=np.log(state.A_L), costs=trade_costs(par, policy))
    period.log_p, period.trade_share = np.log(state.posted_price), state.trade_share
    if not at_once.price:
        if at_once.trade:
            period.trade_share = optimal_trade_share(par, period.costs, period.log_p)
        period.log_P = price_index_at_shares(par, period.costs, period.log_p, period.trade_share)
        period.log_P_C, period.final_share = final_price_and_share(par, period.log_P)
    period.endowment = par.labour0 * policy.labour
    period.labour = period.endowment - (0.0 if at_once.entry else research_labour(par, state.A_R, state.A_L))
    return period


def pack(
    at_once: Equations, spent: Array, log_wage: Array, log_ree: Array, log_p: Array, log_A_R: Array, log_A_L: Array
) -> Array:
    """Unknowns of the temporary equilibrium: E/E0, log w, log q, and log p, log A where they adjust at once."""
    parts = [spent.ravel(), log_wage, log_ree]
    if at_once.price:
        parts.append(log_p.ravel())
    if at_once.entry:
        parts.extend((log_A_R.ravel(), log_A_L.ravel()))
    return np.concatenate(parts)


def unpack_unknowns(par: Equations, at_once: Equations, period: Equations, x: Array) -> Equations:
    """Name the unknowns; what does not adjust at once comes from the opening of the period."""
    N, cells = par.N, par.N * par.S
    at = cells + 2 * N
    u = Equations(spent=x[:cells].reshape(N, -1), log_wage=x[cells : cells + N], log_ree=x[cells + N : at])
    u.log_p, u.log_A_R, u.log_A_L = period.log_p, period.log_A_R, period.log_A_L
    if at_once.price:
        u.log_p = x[at : at + cells].reshape(N, -1)
        at += cells
    if at_once.entry:
        u.log_A_R, u.log_A_L = x[at:].reshape(2, N, -1)
    return u


def sticky_prices(par: Equations, at_once: Equations, period: Equations, log_p: Array) -> Equations:
    """Composite prices and shares at posted prices: settled at the opening, unless prices adjust at once, (11)-(12), (20)."""
    if not at_once.price:
        return period
    trade_share = optimal_trade_share(par, period.costs, log_p) if at_once.trade else period.trade_share
    log_P = price_index_at_shares(par, period.costs, log_p, trade_share)
    if at_once.trade:
        log_P = optimal_price_index(par, period.costs, log_p)
    log_P_C, final_share = final_price_and_share(par, log_P)
    return Equations(trade_share=trade_share, log_P=log_P, log_P_C=log_P_C, final_share=final_share)


def over_baseline(level: Array, baseline: Array) -> Array:
    """Ratio to the baseline; 1 where the baseline has nothing, and nothing can come of it."""
    return np.divide(level, baseline, out=np.ones_like(level), where=baseline != 0.0)


def temporary_map(
    par: Equations, policy: Equations, at_once: Equations, period: Equations, x: Array
) -> tuple[Array, Equations]:
    """One pass through all markets: new unknowns from old, equal at the temporary equilibrium, (4)-(18).

    Returns
    -------
    x_new : ndarray
        Laid out as by `pack`.
    eq : Equations
        The equilibrium read off at the old unknowns, laid out as `layout.EQUILIBRIUM` and `layout.STATE`.
    """
    u = unpack_unknowns(par, at_once, period, x)
    goods = sticky_prices(par, at_once, period, u.log_p)
    wage, ree_price = np.exp(u.log_wage), np.exp(u.log_ree)
    relative, log_P_L = bundle_prices(par, u.log_wage, u.log_ree, u.log_A_R, u.log_A_L)
    log_v, share_R = value_added(par, relative, log_P_L)
    log_c = unit_cost(par, policy, log_v, goods.log_P)
    ratio = policy.output_subsidy if at_once.price else np.exp(log_c - u.log_p)
    free = at_once.entry and not par.entry_in_final_good
    factor = (par.mu - 1.0) / par.mu
    quota, spent = 0.0, u.spent * par.expenditure0
    eq = Equations(expenditure=spent)
    for passes in range(INNER_PASSES):
        sales = revenue(period.costs, goods.trade_share, spent)
        spending = ratio * sales
        va = par.phi_va * spending
        va_R = share_R * va
        value = factor * va_R.sum(axis=1)
        if passes == 0:
            mine, quota, embargo, price = clear_rare_earths(par, policy, value, wage)
            eq.ree_mine_price, eq.ree_wedge_quota, eq.ree_wedge_embargo, eq.ree_price = mine, quota, embargo, price
        own = np.sum(sales - spending, axis=1) + wage * period.labour + va.sum(axis=1) / par.mu
        own += rare_earth_income(par, policy, value, ree_price, quota, wage)
        own += goods_taxes(policy, goods.trade_share, spent)
        if free:
            own -= research_payroll(par, policy, va_R, va)
        final_demand = with_deficits(par, own)
        spent = expenditure(par, goods.final_share, final_demand, spending)
        if passes == 0:
            eq.revenue, eq.spending, eq.final_demand = sales, spending, final_demand
    payroll = factor * np.sum(va - va_R, axis=1) + (research_payroll(par, policy, va_R, va) if free else 0.0)
    new_wage = payroll / period.labour
    new_wage *= par.numeraire / np.sum(new_wage * period.endowment)
    new_ree = clear_rare_earths(par, policy, value, new_wage)[3]
    A_R = A_L = np.empty(0)
    if at_once.entry:
        A_R, A_L = free_entry(par, policy, share_R, spending, entry_unit(par, new_wage, goods.log_P_C))
    eq.wage, eq.ree_share, eq.trade_share = wage, share_R, goods.trade_share
    eq.price_consumption, eq.price_index = np.exp(goods.log_P_C), np.exp(goods.log_P)
    eq.unit_cost, eq.value_added_price, eq.posted_price = np.exp(log_c), np.exp(log_v), np.exp(u.log_p)
    eq.A_R, eq.A_L = np.exp(u.log_A_R), np.exp(u.log_A_L)
    x_new = pack(
        at_once, over_baseline(spent, par.expenditure0), np.log(new_wage), np.log(new_ree),
        supply_price(policy, log_c), np.log(A_R), np.log(A_L),
    )  # fmt: skip
    return x_new, eq
