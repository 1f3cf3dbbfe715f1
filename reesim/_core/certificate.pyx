"""The certificate: every condition of an equilibrium, recomputed from its definition out of the row alone.

Shares no code with the solvers; the twin of ``reference_certificate.residuals``.
"""

from libc.math cimport INFINITY, exp, fabs, fmin, log

import numpy as np

from reesim._core.blocks cimport Economy, Policy, Row, bind_economy, bind_policy, bind_row, f64, row_size
from reesim._core.ces cimport ces_log, ces_term
from reesim._core.temporary cimport AtOnce

cdef enum:
    COMPOSITE = 0
    CONSUMPTION
    VALUE_ADDED
    COST
    SPENDING
    EXPENDITURE
    REVENUE
    LABOUR
    RARE_EARTHS
    USER_PRICE
    QUOTA
    EMBARGO
    INCOME
    NUMERAIRE
    WALRAS
    ADDING_UP
    PRICING
    SHARES
    FREE_ENTRY

EQUATIONS = (
    "composite price (11), (20)", "consumption price (12)", "price of value added (5)", "unit cost (6)", "input spending (20)",
    "expenditure (13)", "revenue (14)", "labour market (17)", "rare-earth market (15)", "rare-earth user price (15)",
    "quota complementarity (15)", "embargo complementarity (15)", "income (16)", "numeraire (18)", "Walras' law",
    "trade shares add up", "price equals cost (10)", "optimal trade shares (11)", "free entry (7)",
)  # fmt: skip
"""What each residual belongs to, in the order of the enumeration above."""


cdef inline void blame(Verdict* v, f64 residual, int equation, Py_ssize_t i, Py_ssize_t s) noexcept nogil:
    residual = fabs(residual)
    if not residual <= v.residual:
        v.residual = residual if residual == residual else INFINITY
        v.equation, v.i, v.s = equation, i, s


cdef void check_prices(const Economy* e, AtOnce at_once, const Row* r, f64* log_P, Verdict* v) noexcept nogil:
    """(5), (6), (11), (12), (20). ``log_P`` is scratch, one number a sector."""
    cdef Py_ssize_t i, j, k, s, c, at, N = e.N, S = e.S
    cdef f64 power, total, share, best, log_v, log_q, log_w, log_P_R, log_P_L, z
    for i in range(N):
        total = 0.0
        log_q, log_w = log(r.ree_price[i]), log(r.wage[i])
        for s in range(S):
            log_P[s] = log(r.price_index[i * S + s])
            total += e.alpha[i * S + s] * ces_term(1.0 - e.rho, log_P[s])
        blame(v, r.price_consumption[i] / exp(ces_log(1.0 - e.rho, total)) - 1.0, CONSUMPTION, i, -1)
        for s in range(S):
            c = i * S + s
            power = (e.sigma[s] - 1.0) / e.sigma[s]
            total = share = 0.0
            for j in range(N):
                at = (j * N + i) * S + s
                share += r.trade_share[at]
                if e.trade_share0[at] > 0.0:
                    total += e.trade_share0[at] * ces_term(
                        power, log(r.trade_share[at] / e.trade_share0[at] / r.posted_price[j * S + s])
                    )
            blame(v, log_P[s] + ces_log(power, total), COMPOSITE, i, s)  # residuals of prices are logs of ratios
            blame(v, share - 1.0, ADDING_UP, i, s)
            if at_once.trade:
                for j in range(N):
                    at = (j * N + i) * S + s
                    best = e.trade_share0[at] * exp((1.0 - e.sigma[s]) * log(r.posted_price[j * S + s] / r.price_index[c]))
                    if best > 0.0:
                        blame(v, r.trade_share[at] / best - 1.0, SHARES, i, s)
            log_v = log(r.value_added_price[c])
            log_P_R, log_P_L = log_q - e.theta * log(r.A_R[c]), log_w - e.theta * log(r.A_L[c])
            z = 1.0 - e.epsilon[s]
            total = e.ree_share0[c] * ces_term(z, log_P_R) + (1.0 - e.ree_share0[c]) * ces_term(z, log_P_L)
            blame(v, log_v - ces_log(z, total), VALUE_ADDED, i, s)
            if e.ree_share0[c] > 0.0:
                blame(v, r.ree_share[c] / (e.ree_share0[c] * exp(z * (log_P_R - log_v))) - 1.0, VALUE_ADDED, i, s)
            else:
                blame(v, r.A_R[c] - 1.0, FREE_ENTRY, i, s)  # no bundle, nothing to enter
            total = e.phi_va[c] * log_v
            for k in range(S):
                total += e.phi[c * S + k] * log_P[k]
            blame(v, log(r.unit_cost[c]) - total, COST, i, s)
            if at_once.price:
                blame(v, r.posted_price[c] / r.unit_cost[c] - 1.0, PRICING, i, s)


cdef void check_goods(const Economy* e, const Row* r, Verdict* v) noexcept nogil:
    """(13), (14), (20) and the world's budget."""
    cdef Py_ssize_t i, k, s, c, N = e.N, S = e.S
    cdef f64 total, world = 0.0, added = 0.0
    for i in range(N):
        world += r.final_demand[i]
        for s in range(S):
            c = i * S + s
            blame(v, r.spending[c] / (r.unit_cost[c] * r.revenue[c] / r.posted_price[c]) - 1.0, SPENDING, i, s)
            total = e.alpha[c] * exp((1.0 - e.rho) * log(r.price_index[c] / r.price_consumption[i])) * r.final_demand[i]
            for k in range(S):
                total += e.phi[(i * S + k) * S + s] * r.spending[i * S + k]
            blame(v, r.expenditure[c] / total - 1.0, EXPENDITURE, i, s)
            total = 0.0
            for k in range(N):
                total += r.trade_share[(i * N + k) * S + s] * r.expenditure[k * S + s]
            blame(v, r.revenue[c] / total - 1.0, REVENUE, i, s)
            added += r.revenue[c] - (1.0 - e.phi_va[c]) * r.spending[c]
    blame(v, world / added - 1.0, WALRAS, -1, -1)


cdef void check_factors(const Economy* e, const Policy* p, AtOnce at_once, const Row* r, f64* own, Verdict* v) noexcept nogil:
    """(7), (15)-(18)."""
    cdef Py_ssize_t i, s, c, N = e.N, S = e.S
    cdef f64 value, use, unit, hired, bill, profit, outlay, tau, kept, receipts = 0.0
    cdef f64 world_use = 0.0, foreign_use = 0.0, world_labour = 0.0, wanted = 0.0, world_own = 0.0
    cdef f64 factor = (e.mu - 1.0) / e.mu
    for i in range(N):
        value = hired = outlay = 0.0
        unit = r.price_consumption[i] if e.in_good else r.wage[i]
        for s in range(S):
            c = i * S + s
            bill = e.phi_va[c] * r.spending[c]
            value += factor * r.ree_share[c] * bill
            hired += factor * (1.0 - r.ree_share[c]) * bill / r.wage[i]
            profit = e.research_R0[c] * r.A_R[c] + e.research_L0[c] * r.A_L[c]
            outlay += profit * unit
            if not e.in_good:
                hired += profit
            if at_once.entry:
                if e.research_R0[c] > 0.0:
                    blame(v, r.ree_share[c] * bill / (e.mu * e.research_R0[c] * r.A_R[c] * unit) - 1.0, FREE_ENTRY, i, s)
                blame(v, (1.0 - r.ree_share[c]) * bill / (e.mu * e.research_L0[c] * r.A_L[c] * unit) - 1.0, FREE_ENTRY, i, s)
        blame(v, hired / e.labour0[i] - 1.0, LABOUR, i, -1)
        world_labour += r.wage[i] * e.labour0[i]
        tau = 1.0 if i == e.supplier else p.tax[i] + r.ree_wedge_quota[0] + r.ree_wedge_embargo[i]
        blame(v, r.ree_price[i] / (tau * r.ree_mine_price[0]) - 1.0, USER_PRICE, i, -1)
        use = value / (e.tax0[i] * r.ree_price[i])
        world_use += use
        if i != e.supplier:
            foreign_use += use
            if e.ree_use0[i] > 0.0:
                blame(v, fmin(1.0 - use / e.ree_use0[i] / p.embargo[i], r.ree_wedge_embargo[i]), EMBARGO, i, -1)
            kept = p.rent_share * e.tax0[i] * r.ree_wedge_quota[0] * r.ree_mine_price[0] * use
            receipts += (e.tax0[i] * tau - 1.0) * r.ree_mine_price[0] * use - kept
        else:
            kept = 0.0
        own[i] = r.wage[i] * e.labour0[i] - (0.0 if e.in_good else outlay) + kept + r.ree_mine_price[0] * e.ree_supply[i]
        for s in range(S):
            c = i * S + s
            own[i] += (r.posted_price[c] - r.unit_cost[c]) / r.posted_price[c] * r.revenue[c] + e.phi_va[c] * r.spending[c] / e.mu
    own[e.supplier] += receipts
    for i in range(N):
        world_own += own[i]
        wanted += e.deficit_share[i] * own[i]
    for i in range(N):
        bill = own[i] * (e.deficit_share[i] - wanted / world_own) if e.deficit_follows_income else e.deficit0[i]
        blame(v, r.final_demand[i] / (own[i] + bill) - 1.0, INCOME, i, -1)
    if e.supply > 0.0:
        blame(v, world_use / e.supply - 1.0, RARE_EARTHS, e.supplier, -1)
    if e.foreign_use0 > 0.0:
        blame(v, fmin(1.0 - foreign_use / e.foreign_use0 / p.quota, r.ree_wedge_quota[0]), QUOTA, e.supplier, -1)
    blame(v, world_labour / e.numeraire - 1.0, NUMERAIRE, -1, -1)


cdef Verdict certify(const Economy* e, const Policy* p, AtOnce at_once, const Row* r, f64* own) noexcept nogil:
    """Largest relative residual over all conditions, and where. ``own`` is scratch: a number a region and a sector."""
    cdef Verdict v
    v.residual, v.equation, v.i, v.s = 0.0, 0, -1, -1
    check_prices(e, at_once, r, own + e.N, &v)
    check_goods(e, r, &v)
    check_factors(e, p, at_once, r, own, &v)
    return v


def residual(parameters, const f64[::1] policy, at_once, const f64[::1] row):
    """Certify a row: largest residual, equation, region and sector positions (-1 where one does not apply)."""
    cdef const f64[::1] block = parameters.block
    cdef Py_ssize_t N = parameters.regions, S = parameters.sectors
    if row.shape[0] != row_size(N, S) or policy.shape[0] != 2 * N + 2:
        raise ValueError("policy or row do not fit the economy")
    cdef Economy e = bind_economy(
        &block[0], N, S, parameters.supplier, parameters.entry_in_final_good, parameters.deficit_follows_income
    )
    cdef AtOnce now
    now.entry, now.price, now.trade = at_once
    cdef Policy p = bind_policy(&policy[0], N)
    cdef f64[::1] copy = np.array(row)
    cdef f64[::1] own = np.empty(N + S)
    cdef Row r = bind_row(&copy[0], N, S)
    cdef Verdict v = certify(&e, &p, now, &r, &own[0])
    return v.residual, EQUATIONS[v.equation], v.i, v.s
