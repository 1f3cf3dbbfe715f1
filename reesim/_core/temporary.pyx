"""The temporary equilibrium, (20): the opening of a period, one pass through its markets, and the row read off.

The twin of ``open_period`` and ``temporary_map`` in ``reference``; `broyden` finds where a pass changes nothing.
"""

from libc.math cimport exp, log
from libc.string cimport memcpy, memset

from reesim._core.blocks cimport Economy, Policy, Row, f64
from reesim._core.ces cimport Nest, ces_log, ces_term, ree_nest
from reesim._core.market cimport Clearing, add_rare_earth_income, clear_rare_earths

import numpy as np

from reesim._core.blocks cimport bind_economy, bind_policy, bind_row, row_size

cdef enum:
    INNER_PASSES = 4  # rounds of the expenditure circuit in one pass


cdef Py_ssize_t unknowns(Py_ssize_t N, Py_ssize_t S, AtOnce at_once) noexcept nogil:
    return N * S * (1 + at_once.price + 2 * at_once.entry) + 2 * N


cdef Py_ssize_t work_size(Py_ssize_t N, Py_ssize_t S) noexcept nogil:
    cdef Py_ssize_t cells = N * S
    cdef Py_ssize_t n = 4 * cells + 2 * N
    return 19 * cells + N * cells + 10 * N + 4 * N * N + 3 * n + learned_size(n)


cdef Py_ssize_t learned_size(Py_ssize_t n) noexcept nogil:
    return 1 + 2 * (MEMORY + 1) * n


cdef Work bind_work(f64* block, Py_ssize_t N, Py_ssize_t S) noexcept nogil:
    cdef Work w
    cdef Py_ssize_t cells = N * S
    cdef Py_ssize_t n = 4 * cells + 2 * N
    cdef f64* at = block
    w.log_A_R, w.log_A_L, w.log_p, w.log_P = at, at + cells, at + 2 * cells, at + 3 * cells
    w.final_share, w.materials, w.share_R, w.log_v = at + 4 * cells, at + 5 * cells, at + 6 * cells, at + 7 * cells
    w.log_c, w.ratio, w.sales, w.spending = at + 8 * cells, at + 9 * cells, at + 10 * cells, at + 11 * cells
    w.spent, w.weight, w.to_ree, w.to_labour = at + 12 * cells, at + 13 * cells, at + 14 * cells, at + 15 * cells
    w.to_owners, w.term = at + 16 * cells, at + 17 * cells  # term: two numbers a cell
    at += 19 * cells
    w.trade_share = at
    at += N * cells
    w.log_P_C, w.labour, w.wage, w.ree_price, w.value = at, at + N, at + 2 * N, at + 3 * N, at + 4 * N
    w.income, w.embargo, w.new_price = at + 5 * N, at + 6 * N, at + 7 * N
    at += 10 * N
    w.regional = at
    at += 4 * N * N
    w.x, w.x_new, w.move = at, at + n, at + 2 * n
    at += 3 * n
    w.learned, w.held, w.up = at, at, at + 1
    w.down = at + 1 + (MEMORY + 1) * n
    return w


# --- goods prices ---------------------------------------------------------------------------------------------------------


cdef void optimal_shares(const Economy* e, const f64* log_p, f64* trade_share, f64* log_P, f64* scratch) noexcept nogil:
    """Composite prices and CES shares at given prices, (11). ``scratch`` holds two numbers a cell."""
    cdef Py_ssize_t c, i, j, s, N = e.N, S = e.S
    cdef f64* term = scratch
    cdef f64* whole = scratch + N * S
    cdef const f64* weight
    cdef f64* share
    for c in range(N * S):
        term[c] = ces_term(1.0 - e.sigma[c % S], log_p[c])
    memset(log_P, 0, N * S * sizeof(f64))
    for j in range(N):
        for i in range(N):
            weight = e.trade_share0 + (j * N + i) * S
            for s in range(S):
                log_P[i * S + s] += weight[s] * term[j * S + s]
    for c in range(N * S):
        if e.sigma[c % S] == 1.0:  # then shares stay
            term[c], whole[c] = 1.0, 1.0
        else:
            term[c], whole[c] = 1.0 + term[c], 1.0 / (1.0 + log_P[c])
        log_P[c] = ces_log(1.0 - e.sigma[c % S], log_P[c])
    for j in range(N):
        for i in range(N):
            weight = e.trade_share0 + (j * N + i) * S
            share = trade_share + (j * N + i) * S
            for s in range(S):
                share[s] = weight[s] * term[j * S + s] * whole[i * S + s]


cdef void price_at_shares(const Economy* e, const f64* log_p, const f64* trade_share, f64* log_P) noexcept nogil:
    """Composite prices at given shares, optimal or not, (20)."""
    cdef Py_ssize_t i, j, s, at, N = e.N, S = e.S
    cdef f64 zeta, ratio
    memset(log_P, 0, N * S * sizeof(f64))
    for j in range(N):
        for i in range(N):
            for s in range(S):
                at = (j * N + i) * S + s
                if e.trade_share0[at] > 0.0:
                    zeta = (e.sigma[s] - 1.0) / e.sigma[s]
                    ratio = log(trade_share[at] / e.trade_share0[at]) - log_p[j * S + s]
                    log_P[i * S + s] += e.trade_share0[at] * ces_term(zeta, ratio)
    for i in range(N):
        for s in range(S):
            log_P[i * S + s] = -ces_log((e.sigma[s] - 1.0) / e.sigma[s], log_P[i * S + s])


cdef void final_prices(const Economy* e, const f64* log_P, f64* log_P_C, f64* final_share) noexcept nogil:
    """Consumption price and shares in final demand, (12)."""
    cdef Py_ssize_t i, s, S = e.S
    cdef f64 power = 1.0 - e.rho
    cdef f64 total, term
    for i in range(e.N):
        total = 0.0
        for s in range(S):
            term = ces_term(power, log_P[i * S + s])
            total += e.alpha[i * S + s] * term
            final_share[i * S + s] = term
        log_P_C[i] = ces_log(power, total)
        for s in range(S):
            if power == 0.0:
                final_share[i * S + s] = e.alpha[i * S + s]
            else:
                final_share[i * S + s] = e.alpha[i * S + s] * (1.0 + final_share[i * S + s]) / (1.0 + total)


cdef void material_costs(const Economy* e, const f64* log_P, f64* materials) noexcept nogil:
    """Log price of a sector's materials, weighted by their share in cost: the second factor of (6)."""
    cdef Py_ssize_t i, k, s, S = e.S
    cdef f64 total
    for i in range(e.N):
        for k in range(S):
            total = 0.0
            for s in range(S):
                total += e.phi[(i * S + k) * S + s] * log_P[i * S + s]
            materials[i * S + k] = total


cdef void goods_prices(const Economy* e, AtOnce at_once, Work* w, const f64* log_p) noexcept nogil:
    """Composite, consumption and material prices at producer prices; shares too where they adjust at once."""
    if at_once.trade:
        optimal_shares(e, log_p, w.trade_share, w.log_P, w.term)
    else:
        price_at_shares(e, log_p, w.trade_share, w.log_P)
    final_prices(e, w.log_P, w.log_P_C, w.final_share)
    material_costs(e, w.log_P, w.materials)


cdef void open_period(const Economy* e, AtOnce at_once, const Row* state, Work* w) noexcept nogil:
    """What is settled before markets open. Research takes labour where entry is given and paid in labour, (17)."""
    cdef Py_ssize_t i, s, c, N = e.N, S = e.S
    for c in range(N * S):
        w.log_A_R[c] = log(state.A_R[c])
        w.log_A_L[c] = log(state.A_L[c])
        w.log_p[c] = log(state.posted_price[c])
    for i in range(N):
        w.labour[i] = e.labour0[i]
        if not at_once.entry and not e.in_good:
            for s in range(S):
                c = i * S + s
                w.labour[i] -= e.research_R0[c] * state.A_R[c] + e.research_L0[c] * state.A_L[c]
    memcpy(w.trade_share, state.trade_share, N * N * S * sizeof(f64))
    if not at_once.price:
        goods_prices(e, at_once, w, w.log_p)


# --- one pass -------------------------------------------------------------------------------------------------------------


cdef void factor_prices(const Economy* e, AtOnce at_once, Work* w, const f64* x) noexcept nogil:
    """Bundles, value added and unit cost at the unknowns, (4)-(6), and what a dollar of a cell's sales pays to whom."""
    cdef Py_ssize_t i, s, c, N = e.N, S = e.S
    cdef Py_ssize_t cells = N * S
    cdef const f64* log_wage = x + cells
    cdef const f64* log_ree = log_wage + N
    cdef const f64* log_p = w.log_p
    cdef const f64* log_A_R = w.log_A_R
    cdef const f64* log_A_L = w.log_A_L
    cdef const f64* at = log_ree + N
    cdef bint free = at_once.entry and not e.in_good
    cdef f64 factor = (e.mu - 1.0) / e.mu
    cdef f64 log_P_L, va
    cdef Nest nest
    if at_once.price:
        log_p = at
        at += cells
        goods_prices(e, at_once, w, log_p)
    if at_once.entry:
        log_A_R, log_A_L = at, at + cells
    for i in range(N):
        w.wage[i] = exp(log_wage[i])
        w.ree_price[i] = exp(log_ree[i])
        for s in range(S):
            c = i * S + s
            log_P_L = log_wage[i] - e.theta * log_A_L[c]
            nest = ree_nest(e.ree_share0[c], 1.0 - e.epsilon[s], log_ree[i] - e.theta * log_A_R[c] - log_P_L)
            w.share_R[c] = nest.share
            w.log_v[c] = log_P_L + nest.log_gain
            w.log_c[c] = e.phi_va[c] * w.log_v[c] + w.materials[c]
            w.ratio[c] = 1.0 if at_once.price else exp(w.log_c[c] - log_p[c])
            va = e.phi_va[c] * w.ratio[c]
            w.to_ree[c] = factor * nest.share * va
            w.to_labour[c] = va - w.to_ree[c] if free else factor * va - w.to_ree[c]
            w.to_owners[c] = 1.0 - w.ratio[c] if free else 1.0 - w.ratio[c] + va / e.mu


cdef void rare_earth_bills(const Economy* e, Work* w) noexcept nogil:
    """What users spend on rare earths, (15)."""
    cdef Py_ssize_t i, c, S = e.S
    cdef f64 value
    for i in range(e.N):
        value = 0.0
        for c in range(i * S, (i + 1) * S):
            value += w.to_ree[c] * w.sales[c]
        w.value[i] = value


cdef void incomes(const Economy* e, const Policy* p, Work* w, f64 quota) noexcept nogil:
    """Final demand out of wages, profits, rare earths and the deficit, (16)."""
    cdef Py_ssize_t i, c, N = e.N, S = e.S
    cdef f64 own, world = 0.0, wanted = 0.0
    for i in range(N):
        own = 0.0
        for c in range(i * S, (i + 1) * S):
            own += w.to_owners[c] * w.sales[c]
        w.income[i] = own + w.wage[i] * w.labour[i]
    add_rare_earth_income(e, p, w.value, w.ree_price, w.ree_price[e.supplier], quota, w.income)
    if not e.deficit_follows_income:
        for i in range(N):
            w.income[i] += e.deficit0[i]
        return
    for i in range(N):
        world += w.income[i]
        wanted += e.deficit_share[i] * w.income[i]
    for i in range(N):
        w.income[i] *= 1.0 + e.deficit_share[i] - wanted / world


cdef void circulate(const Economy* e, Work* w) noexcept nogil:
    """Spending on composites, (13), and from it the sales of every producer, (14)."""
    cdef Py_ssize_t i, j, k, s, N = e.N, S = e.S
    cdef f64 amount
    cdef const f64* phi
    cdef const f64* share
    cdef f64* spent
    cdef f64* sales
    for i in range(N):
        spent = w.spent + i * S
        for s in range(S):
            spent[s] = w.final_share[i * S + s] * w.income[i]
        for k in range(S):
            amount = w.spending[i * S + k]
            phi = e.phi + (i * S + k) * S
            for s in range(S):
                spent[s] += phi[s] * amount
    memset(w.sales, 0, N * S * sizeof(f64))
    for j in range(N):
        sales = w.sales + j * S
        for i in range(N):
            spent = w.spent + i * S
            share = w.trade_share + (j * N + i) * S
            for s in range(S):
                sales[s] += share[s] * spent[s]


cdef void new_wages(const Economy* e, Work* w, f64* log_wage) noexcept nogil:
    """Wages that hire all labour, (17), at the numeraire, (18)."""
    cdef Py_ssize_t i, c, S = e.S
    cdef f64 payroll, world = 0.0
    for i in range(e.N):
        payroll = 0.0
        for c in range(i * S, (i + 1) * S):
            payroll += w.to_labour[c] * w.sales[c]
        log_wage[i] = payroll / w.labour[i]
        world += log_wage[i] * e.labour0[i]
    for i in range(e.N):
        log_wage[i] = log(log_wage[i] * (e.numeraire / world))


cdef void new_measures(const Economy* e, Work* w, const f64* log_wage, f64* log_A) noexcept nogil:
    """Measures at which profit pays the entry cost, (7)."""
    cdef Py_ssize_t i, s, c, cells = e.N * e.S
    cdef f64 va, log_unit
    for i in range(e.N):
        log_unit = w.log_P_C[i] if e.in_good else log_wage[i]
        for s in range(e.S):
            c = i * e.S + s
            va = e.phi_va[c] * w.ratio[c] * w.sales[c] / e.mu
            log_A[c] = log(w.share_R[c] * va / e.research_R0[c]) - log_unit if e.research_R0[c] > 0.0 else 0.0
            log_A[cells + c] = log((1.0 - w.share_R[c]) * va / e.research_L0[c]) - log_unit


cdef void read_off(const Economy* e, AtOnce at_once, const Row* state, Work* w, const f64* x, Row* out) noexcept nogil:
    """Copy the equilibrium out of the workspace; what did not adjust at once is the opening state itself."""
    cdef Py_ssize_t i, c, cells = e.N * e.S
    cdef const f64* at = x + cells + 2 * e.N
    if at_once.price:
        for c in range(cells):
            out.posted_price[c] = exp(at[c])
        at += cells
    else:
        memcpy(out.posted_price, state.posted_price, cells * sizeof(f64))
    if at_once.entry:
        for c in range(cells):
            out.A_R[c], out.A_L[c] = exp(at[c]), exp(at[cells + c])
    else:
        memcpy(out.A_R, state.A_R, cells * sizeof(f64))
        memcpy(out.A_L, state.A_L, cells * sizeof(f64))
    for c in range(cells):
        out.price_index[c], out.unit_cost[c] = exp(w.log_P[c]), exp(w.log_c[c])
        out.value_added_price[c], out.ree_share[c] = exp(w.log_v[c]), w.share_R[c]
        out.revenue[c], out.spending[c] = w.sales[c], w.spending[c]
        out.expenditure[c] = w.spent[c]
    for i in range(e.N):
        out.wage[i], out.ree_price[i] = w.wage[i], w.new_price[i]  # what clears is one price to all who pay the same wedge
        out.price_consumption[i], out.final_demand[i] = exp(w.log_P_C[i]), w.income[i]
        out.ree_wedge_embargo[i] = w.embargo[i]
    out.ree_mine_price[0] = w.new_price[e.supplier]
    memcpy(out.trade_share, w.trade_share, e.N * cells * sizeof(f64))


cdef void take_sales(const Economy* e, Work* w, const f64* x) noexcept nogil:
    """Sales and input spending at the unknowns."""
    cdef Py_ssize_t c
    for c in range(e.N * e.S):
        w.sales[c] = x[c] * e.revenue0[c]
        w.spending[c] = w.ratio[c] * w.sales[c]


cdef void temporary_map(const Economy* e, const Policy* p, AtOnce at_once, Work* w, const f64* x, f64* x_new) noexcept nogil:
    """One pass through all markets: new unknowns from old, equal at the temporary equilibrium, (4)-(18)."""
    cdef Py_ssize_t _round, c, n, cells = e.N * e.S
    cdef Clearing market
    factor_prices(e, at_once, w, x)
    take_sales(e, w, x)
    rare_earth_bills(e, w)
    market = clear_rare_earths(e, p, w.value, w.embargo, w.new_price)
    for _round in range(INNER_PASSES):
        incomes(e, p, w, market.quota_wedge)
        circulate(e, w)
        for c in range(cells):
            w.spending[c] = w.ratio[c] * w.sales[c]
        rare_earth_bills(e, w)
    new_wages(e, w, x_new + cells)
    clear_rare_earths(e, p, w.value, w.embargo, w.new_price)
    for c in range(cells):
        x_new[c] = w.sales[c] / e.revenue0[c]
    for c in range(e.N):
        x_new[cells + e.N + c] = log(w.new_price[c])
    n = cells + 2 * e.N
    if at_once.price:
        memcpy(x_new + n, w.log_c, cells * sizeof(f64))
        n += cells
    if at_once.entry:
        new_measures(e, w, x_new + cells, x_new + n)


cdef void fill_row(
    const Economy* e, const Policy* p, AtOnce at_once, const Row* state, Work* w, const f64* x, Row* out
) noexcept nogil:
    """The row at unknowns x, at which the last pass left its factor prices: one round of the markets, read off."""
    cdef Clearing market
    cdef Py_ssize_t c
    take_sales(e, w, x)
    rare_earth_bills(e, w)
    market = clear_rare_earths(e, p, w.value, w.embargo, w.new_price)
    incomes(e, p, w, market.quota_wedge)
    circulate(e, w)  # spending on composites is what the row wants; sales are those the unknowns say
    for c in range(e.N * e.S):
        w.sales[c] = x[c] * e.revenue0[c]
    read_off(e, at_once, state, w, x, out)
    out.ree_wedge_quota[0] = market.quota_wedge


def evaluate(parameters, const f64[::1] policy, at_once, const f64[::1] row, const f64[::1] x):
    """One pass at a state: new unknowns and the row read off; the twin of ``reference.temporary_map``."""
    cdef const f64[::1] block = parameters.block
    cdef Py_ssize_t N = parameters.regions, S = parameters.sectors
    cdef Economy e = bind_economy(
        &block[0], N, S, parameters.supplier, parameters.entry_in_final_good, parameters.deficit_follows_income
    )
    cdef AtOnce now
    now.entry, now.price, now.trade = at_once
    if x.shape[0] != unknowns(N, S, now) or row.shape[0] != row_size(N, S) or policy.shape[0] != 2 * N + 2:
        raise ValueError("policy, row or unknowns do not fit the economy")
    cdef Policy p = bind_policy(&policy[0], N)
    cdef f64[::1] memory = np.zeros(work_size(N, S))
    cdef f64[::1] found = np.array(row)
    cdef f64[::1] x_new = np.empty(x.shape[0])
    cdef Work w = bind_work(&memory[0], N, S)
    cdef Row r = bind_row(&found[0], N, S)
    with nogil:
        open_period(&e, now, &r, &w)
        temporary_map(&e, &p, now, &w, &x[0], &x_new[0])
        fill_row(&e, &p, now, &r, &w, &x[0], &r)
    return np.asarray(x_new), np.asarray(found)
