"""Every equation of the model in plain NumPy, in the order of ``docs/model.md``: the specification of the compiled core.

All prices, wages and measures are ratios to the baseline ("hats"); values are million USD a year. Axes: ``j`` exporter,
``i`` importer or region, ``s`` sector, ``k`` using sector. Every CES nest of the model is the one function `power_mean`.
"""

from __future__ import annotations

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
    named.N, named.S, named.supplier = par.regions, par.sectors, par.supplier
    named.entry_in_final_good = par.entry_in_final_good
    named.deficit_follows_income = par.deficit_follows_income
    named.rho, named.mu, named.theta = float(named.rho), float(named.mu), float(named.theta)
    named.foreign = np.arange(par.regions) != par.supplier
    named.foreign_use0 = float(named.ree_use0[named.foreign].sum())
    named.z = 1.0 - named.epsilon
    named.z_safe = np.where(named.z == 0.0, 1.0, named.z)
    named.numeraire = float(named.labour0.sum())
    named.traded = named.trade_share0 > 0.0
    return named


def name_policy(par: Parameters, block: Array) -> Equations:
    """Name the parts of one period's policy block."""
    named = Equations(**Layout(POLICY, par.regions, par.sectors).views(block))
    named.quota, named.rent_share = float(named.quota), float(named.rent_share)
    return named


# --- prices -----------------------------------------------------------------------------------------------------------


def power_mean(weights: Array, logs: Array, power: Array | float, axis: int) -> Array:
    """Log (sum_n w_n x_n^power)^(1/power) for weights summing to one, with its limit sum_n w_n log x_n at power 0.

    Written around one, so that nothing is lost when the power or the change is small.
    """
    power = np.asarray(power, dtype=float)
    flat = power == 0.0
    safe = np.where(flat, 1.0, power)
    shape = np.expand_dims(safe, axis) if safe.ndim else safe
    curved = np.log1p(np.sum(weights * np.expm1(shape * logs), axis=axis)) / safe
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


def unit_cost(par: Equations, log_v: Array, log_P: Array) -> Array:
    """Log unit cost, (6)."""
    return par.phi_va * log_v + (par.phi @ log_P[:, :, None])[:, :, 0]


def optimal_price_index(par: Equations, log_p: Array) -> Array:
    """Log composite price at optimal shares, (11)."""
    return power_mean(par.trade_share0, log_p[:, None, :], 1.0 - par.sigma[None, :], axis=0)


def optimal_trade_share(par: Equations, log_p: Array) -> Array:
    """CES shares at given prices, (11)."""
    log_P = optimal_price_index(par, log_p)
    return par.trade_share0 * np.exp((1.0 - par.sigma) * (log_p[:, None, :] - log_P[None, :, :]))


def price_index_at_shares(par: Equations, log_p: Array, trade_share: Array) -> Array:
    """Log composite price at given, perhaps not optimal, shares, (20)."""
    ratio = np.divide(trade_share, par.trade_share0, out=np.ones_like(trade_share), where=par.traded)
    return -power_mean(
        par.trade_share0, np.log(ratio) - log_p[:, None, :], ((par.sigma - 1.0) / par.sigma)[None, :], axis=0
    )


def final_price_and_share(par: Equations, log_P: Array) -> tuple[Array, Array]:
    """Log consumption price and shares in final demand, (12)."""
    log_P_C = power_mean(par.alpha, log_P, np.full(par.N, 1.0 - par.rho), axis=1)
    return log_P_C, par.alpha * np.exp((1.0 - par.rho) * (log_P - log_P_C[:, None]))


# --- rare earths ------------------------------------------------------------------------------------------------------


def clear_rare_earths(par: Equations, policy: Equations, value: Array) -> tuple[float, float, Array]:
    """Mine price and wedges that clear the rare-earth market at given spending of users, (15).

    Parameters
    ----------
    value : (i,) ndarray
        Spending on rare earths at user prices, q_i R_i.

    Returns
    -------
    mine_price, quota_wedge : float
    embargo_wedge : (i,) ndarray
        Each wedge is complementary to its own limit.
    """
    worth = value / par.tax0
    limited = par.foreign & np.isfinite(policy.embargo)
    cap = np.where(limited, np.where(limited, policy.embargo, 0.0) * par.ree_use0, np.inf)
    supply = par.ree_supply.sum()
    if supply == 0.0:  # nobody uses rare earths: any price clears
        return 1.0, 0.0, np.zeros(par.N)
    if not np.all((value > 0.0) & (value < np.inf) | (par.ree_use0 == 0.0)):
        return np.nan, np.nan, np.full(par.N, np.nan)  # an iteration gone astray: nothing clears, and it must see that
    held = np.zeros(par.N, dtype=bool)
    while True:
        mine = np.sum((worth / policy.tax)[~held]) / (supply - cap[held].sum())
        over = worth > cap * policy.tax * mine
        if np.array_equal(over | held, held):
            break
        held |= over
    quota = 0.0
    limit = policy.quota * par.foreign_use0
    use = np.minimum(cap, worth / (mine * policy.tax))
    if use[par.foreign].sum() > limit:
        mine = worth[par.supplier] / (supply - limit)
        held = ~par.foreign
        while True:  # without caps the wedge is too high; each cap that then binds lowers it, so the set only grows
            free = par.foreign & ~held
            quota = _quota_wedge(worth[free], policy.tax[free], (limit - cap[held & par.foreign].sum()) * mine)
            over = par.foreign & (worth > cap * mine * (policy.tax + quota))
            if np.array_equal(over | held, held):
                break
            held |= over
        held &= par.foreign
    embargo = np.zeros(par.N)
    embargo[held] = worth[held] / (mine * cap[held]) - policy.tax[held] - quota
    return float(mine), float(quota), embargo


def _quota_wedge(worth: Array, tax: Array, target: float) -> float:
    """Solve sum worth / (tax + x) = target for x; Newton on the reciprocal, exact at once when taxes are equal."""
    x = 0.0
    for _ in range(60):
        total = np.sum(worth / (tax + x))
        slope = np.sum(worth / (tax + x) ** 2)
        step = total * (total - target) / (target * slope)
        x += step
        if abs(step) <= 4e-16 * (1.0 + x):
            break
    return float(x)


def user_prices(par: Equations, policy: Equations, mine: float, quota: float, embargo: Array) -> Array:
    """User price of rare earths by destination, q_i = tau_i w_R, (15)."""
    wedge = np.where(par.foreign, policy.tax + quota + embargo, 1.0)
    return mine * wedge


def rare_earth_income(
    par: Equations, policy: Equations, value: Array, ree_price: Array, mine: float, quota: float
) -> Array:
    """Income from rare earths by region: mines, tax and rents to the supplier less the rents importers keep, (15)-(16)."""
    kept = np.where(par.foreign, policy.rent_share * value * quota * mine / ree_price, 0.0)
    income = kept.copy()
    income[par.supplier] += value.sum() - kept.sum()
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


def revenue(trade_share: Array, spent: Array) -> Array:
    """Sales of each producer, (14)."""
    return np.einsum("jis,is->js", trade_share, spent)


def entry_unit(par: Equations, wage: Array, log_P_C: Array) -> Array:
    """Price of the unit in which entry is paid, W in (7)."""
    return np.exp(log_P_C) if par.entry_in_final_good else wage


def research_labour(par: Equations, A_R: Array | float, A_L: Array | float) -> Array:
    """Labour in research, (17); none when entry is paid in the final good."""
    if par.entry_in_final_good:
        return np.zeros(par.N)
    return np.sum(par.research_R0 * A_R + par.research_L0 * A_L, axis=1)


# --- entry, prices and shares over time -----------------------------------------------------------------------------------


def variety_profits(par: Equations, ree_share: Array, spending: Array, A_R: Array, A_L: Array) -> tuple[Array, Array]:
    """Profit of one variety of each bundle over its baseline, (7); 1 where a bundle does not exist."""
    va = par.phi_va * spending / par.mu
    profit = []
    for share, outlay, A in ((ree_share, par.research_R0, A_R), (1.0 - ree_share, par.research_L0, A_L)):
        profit.append(np.divide(share * va, outlay * A, out=np.ones_like(A), where=outlay > 0.0))
    return profit[0], profit[1]


def free_entry(par: Equations, ree_share: Array, spending: Array, unit: Array) -> tuple[Array, Array]:
    """Measures at which profit pays the entry cost, (7)."""
    one = np.ones_like(spending)
    paid_R, paid_L = variety_profits(par, ree_share, spending, one, one)
    exists = par.research_R0 > 0.0
    return np.where(exists, paid_R / unit[:, None], 1.0), paid_L / unit[:, None]


def adjust_log(level: Array, target: Array, share_of_gap: float) -> Array:
    """Close a share of the log gap, (21)-(22)."""
    return level * (target / level) ** share_of_gap


def adjust_level(level: Array, target: Array, share_of_gap: float) -> Array:
    """Close a share of the gap in levels: shares keep summing to one, (21)."""
    return level + share_of_gap * (target - level)


# --- the temporary equilibrium --------------------------------------------------------------------------------------------

INNER_PASSES = 4
"""Rounds of the expenditure circuit (13)-(16) in one evaluation: cheap beside the prices, and fewer evaluations follow."""


def open_period(par: Equations, state: Equations, at_once: Equations) -> Equations:
    """What is settled before markets open: prices and shares that do not move within the period, (20).

    ``labour`` is the labour producers can hire; research takes the rest where entry is given and paid in labour, (17).
    """
    period = Equations(log_A_R=np.log(state.A_R), log_A_L=np.log(state.A_L))
    period.log_p, period.trade_share = np.log(state.posted_price), state.trade_share
    if not at_once.price:
        if at_once.trade:
            period.trade_share = optimal_trade_share(par, period.log_p)
        period.log_P = price_index_at_shares(par, period.log_p, period.trade_share)
        period.log_P_C, period.final_share = final_price_and_share(par, period.log_P)
    period.labour = par.labour0 - (0.0 if at_once.entry else research_labour(par, state.A_R, state.A_L))
    return period


def pack(
    at_once: Equations, y: Array, log_wage: Array, log_ree: Array, log_p: Array, log_A_R: Array, log_A_L: Array
) -> Array:
    """Unknowns of the temporary equilibrium: Y/Y0, log w, log q, and log p, log A where they adjust at once."""
    parts = [y.ravel(), log_wage, log_ree]
    if at_once.price:
        parts.append(log_p.ravel())
    if at_once.entry:
        parts.extend((log_A_R.ravel(), log_A_L.ravel()))
    return np.concatenate(parts)


def unpack_unknowns(par: Equations, at_once: Equations, period: Equations, x: Array) -> Equations:
    """Name the unknowns; what does not adjust at once comes from the opening of the period."""
    N, cells = par.N, par.N * par.S
    at = cells + 2 * N
    u = Equations(y=x[:cells].reshape(N, -1), log_wage=x[cells : cells + N], log_ree=x[cells + N : at])
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
    trade_share = optimal_trade_share(par, log_p) if at_once.trade else period.trade_share
    log_P = optimal_price_index(par, log_p) if at_once.trade else price_index_at_shares(par, log_p, trade_share)
    log_P_C, final_share = final_price_and_share(par, log_P)
    return Equations(trade_share=trade_share, log_P=log_P, log_P_C=log_P_C, final_share=final_share)


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
    log_c = unit_cost(par, log_v, goods.log_P)
    ratio = 1.0 if at_once.price else np.exp(log_c - u.log_p)
    free = at_once.entry and not par.entry_in_final_good
    factor = (par.mu - 1.0) / par.mu
    quota, sales = 0.0, u.y * par.revenue0
    eq = Equations(revenue=sales)
    for passes in range(INNER_PASSES + 1):
        spending = ratio * sales
        va = par.phi_va * spending
        va_R = share_R * va
        value = factor * va_R.sum(axis=1)
        if passes == 0:
            mine, quota, embargo = clear_rare_earths(par, policy, value)
            eq.ree_mine_price, eq.ree_wedge_quota, eq.ree_wedge_embargo = mine, quota, embargo
            eq.ree_price = user_prices(par, policy, mine, quota, embargo)
        if passes == INNER_PASSES:
            break
        own = np.sum(sales - spending, axis=1) + wage * period.labour
        own += rare_earth_income(par, policy, value, ree_price, ree_price[par.supplier], quota)
        if not free:
            own += va.sum(axis=1) / par.mu
        final_demand = with_deficits(par, own)
        spent = expenditure(par, goods.final_share, final_demand, spending)
        if passes == 0:
            eq.spending, eq.final_demand, eq.expenditure = spending, final_demand, spent
        sales = revenue(goods.trade_share, spent)
    payroll = factor * np.sum(va - va_R, axis=1) + (va.sum(axis=1) / par.mu if free else 0.0)
    new_wage = payroll / period.labour
    new_wage *= par.numeraire / np.sum(new_wage * par.labour0)
    new_mine, new_quota, new_embargo = clear_rare_earths(par, policy, value)
    new_ree = user_prices(par, policy, new_mine, new_quota, new_embargo)
    A_R = A_L = np.empty(0)
    if at_once.entry:
        A_R, A_L = free_entry(par, share_R, spending, entry_unit(par, new_wage, goods.log_P_C))
    eq.wage, eq.ree_share, eq.trade_share = wage, share_R, goods.trade_share
    eq.price_consumption, eq.price_index = np.exp(goods.log_P_C), np.exp(goods.log_P)
    eq.unit_cost, eq.value_added_price, eq.posted_price = np.exp(log_c), np.exp(log_v), np.exp(u.log_p)
    eq.A_R, eq.A_L = np.exp(u.log_A_R), np.exp(u.log_A_L)
    x_new = pack(at_once, sales / par.revenue0, np.log(new_wage), np.log(new_ree), log_c, np.log(A_R), np.log(A_L))
    return x_new, eq
