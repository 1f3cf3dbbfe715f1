"""The temporary equilibrium, (20): the opening of a period, one pass through its markets, and the row read off.

The twin of ``open_period`` and ``temporary_map`` in ``reference``; `broyden` finds where a pass changes nothing. Whatever is
settled by policy or at the opening is prepared there: a pass takes as many exponentials as there are cells, not trade flows.
"""

from libc.math cimport NAN, exp, log, log1p
from libc.string cimport memcpy

import numpy as np

from reesim._core.blocks cimport (
    Economy, Policy, Row, bind_economy, bind_policy, bind_row, f64, policy_size, row_size
)
from reesim._core.market cimport Clearing, add_rare_earth_income, clear_rare_earths
from reesim._core.sums cimport add_input_demand, dot, exporter_sums, importer_sums, input_costs
from reesim._core.trade cimport FAR, bind_costs, ces_logs, ces_terms, costs_size, set_costs, trade_prices, trade_shares
from reesim._core.vector cimport vexp, vexpm1, vlog, vlog1p

cdef enum:
    INNER_PASSES = 3            # rounds of the expenditure circuit in one pass; odd, so that no two rounds undo each other
    CELLS = 29                  # arrays by cell in the workspace


cdef Py_ssize_t unknowns(Py_ssize_t N, Py_ssize_t S, AtOnce at_once) noexcept nogil:
    return N * S * (1 + at_once.price + 2 * at_once.entry) + 2 * N


cdef Py_ssize_t learned_size(Py_ssize_t n) noexcept nogil:
    return 1 + 2 * (MEMORY + 1) * n


cdef Py_ssize_t work_size(Py_ssize_t N, Py_ssize_t S) noexcept nogil:
    """Memory of `bind_work`, enough for any number of unknowns."""
    return costs_size(N, S) + 3 * N * N * S + CELLS * N * S + 2 * S + 14 * N + 9 * N * N + 2 * (4 * N * S + 2 * N)


cdef inline f64* take(f64** at, Py_ssize_t n) noexcept nogil:
    at[0] += n
    return at[0] - n


cdef Work bind_work(f64* block, f64* learned, Py_ssize_t N, Py_ssize_t S, Py_ssize_t n) noexcept nogil:
    """Divide memory; ``n`` is the number of unknowns, ``learned`` holds `learned_size` numbers and may be NULL."""
    cdef Work w
    cdef Py_ssize_t cells = N * S
    cdef f64* at = block
    w.costs = bind_costs(take(&at, costs_size(N, S)), N, S)
    w.log_productivity, w.log_subsidy = take(&at, cells), take(&at, cells)
    w.endowment, w.optimal_power, w.power_at_shares = take(&at, N), take(&at, S), take(&at, S)
    w.log_A_R, w.log_A_L, w.log_p, w.labour = take(&at, cells), take(&at, cells), take(&at, cells), take(&at, N)
    w.pull, w.whole, w.own_weight, w.take = take(&at, cells), take(&at, cells), take(&at, 3 * N * cells), take(&at, 2 * cells)
    w.log_P, w.log_P_C, w.final_share, w.materials = take(&at, cells), take(&at, N), take(&at, cells), take(&at, cells)
    w.wage, w.new_wage, w.ree_price = take(&at, N), take(&at, N), take(&at, N)
    w.share_R, w.log_v, w.log_c, w.ratio = take(&at, cells), take(&at, cells), take(&at, cells), take(&at, cells)
    w.spent, w.sales, w.border, w.spending = take(&at, cells), take(&at, cells), take(&at, cells), take(&at, cells)
    w.value, w.income, w.embargo, w.new_price = take(&at, N), take(&at, N), take(&at, N), take(&at, N)
    w.term = take(&at, 4 * cells)
    w.to_ree, w.to_labour, w.to_owners, w.weight = take(&at, cells), take(&at, cells), take(&at, cells), take(&at, cells)
    w.price_average, w.regional, w.region = take(&at, cells), take(&at, 9 * N * N), take(&at, 3 * N)
    w.x_new, w.move = take(&at, n), take(&at, n)
    w.end = at
    w.trade_share = w.sales_weight = w.border_weight = w.price_weight = w.price_gain = NULL
    w.learned = w.held = learned
    w.up = w.down = NULL
    if learned != NULL:
        w.up, w.down = learned + 1, learned + 1 + (MEMORY + 1) * n
    return w


# --- regime and period ------------------------------------------------------------------------------------------------------


cdef void set_regime(const Economy* e, const Policy* p, Work* w) noexcept nogil:
    """Prepare what follows from policy alone."""
    cdef Py_ssize_t i, s
    set_costs(
        e.N, e.S, e.trade_share0, e.sigma, e.tariff0, e.export_tax0, p.tariff, p.export_tax, p.iceberg, True, &w.costs
    )
    vlog(e.N * e.S, p.productivity, w.log_productivity)
    vlog(e.N * e.S, p.output_subsidy, w.log_subsidy)
    for i in range(e.N):
        w.endowment[i] = e.labour0[i] * p.labour[i]
    for s in range(e.S):
        w.optimal_power[s] = 1.0 - e.sigma[s]
        w.power_at_shares[s] = (1.0 - e.sigma[s]) / e.sigma[s]


cdef void weigh_lagged_prices(const Economy* e, const f64* trade_share, Work* w, f64* weight, f64* gain) noexcept nogil:
    """Weights of the terms of composite prices at given shares, (20): b (pi / (b kappa))^((sigma - 1) / sigma).

    One exporter at a time, whose flows stay in the processor's nearest memory.
    """
    cdef Py_ssize_t i, j, k, s, N = e.N, S = e.S, row = e.N * e.S
    cdef const f64* share0
    cdef const f64* share
    cdef const f64* log_kappa
    cdef f64* own
    cdef bint flat = False
    for s in range(S):
        flat = flat or w.power_at_shares[s] == 0.0
    for k in range(row):
        gain[k] = 0.0
    for j in range(N):
        share0, share, own = e.trade_share0 + j * row, trade_share + j * row, weight + j * row
        log_kappa = w.costs.log_kappa + j * row
        for k in range(row):
            own[k] = share[k] / share0[k] if share0[k] > 0.0 else 1.0
        vlog(row, own, own)
        if w.costs.bent:
            for k in range(row):
                own[k] -= log_kappa[k]
        if flat:
            for k in range(row):
                if w.power_at_shares[k % S] == 0.0:
                    gain[k] -= share0[k] * own[k]
        for i in range(N):
            for s in range(S):
                own[i * S + s] *= -w.power_at_shares[s]
        vexpm1(row, own, own)
        for k in range(row):
            gain[k] += share0[k] * own[k]
            own[k] = share0[k] * (1.0 + own[k])


cdef void open_lagged_trade(const Economy* e, const f64* trade_share, Work* w) noexcept nogil:
    """Given shares: what arrives of a dollar spent, and what composites cost."""
    cdef Py_ssize_t k, pair, i, s, N = e.N, S = e.S
    cdef Py_ssize_t flows = N * N * S
    cdef f64* net = w.own_weight + flows
    cdef f64* delivered = w.own_weight + 2 * flows
    w.trade_share = w.sales_weight = w.border_weight = trade_share
    w.price_weight, w.price_gain = w.own_weight, w.take + N * S
    for k in range(N * S):
        w.pull[k] = w.whole[k] = 1.0
    if w.costs.taxed:
        w.sales_weight = net
        for k in range(flows):
            net[k] = trade_share[k] * w.costs.net[k]
        for k in range(N * S):
            w.take[k] = 0.0
        for pair in range(N * N):
            i = pair % N
            for s in range(S):
                w.take[i * S + s] += trade_share[pair * S + s] * (1.0 - w.costs.delivered[pair * S + s])
    if w.costs.export_taxed:
        w.border_weight = delivered
        for k in range(flows):
            delivered[k] = trade_share[k] * w.costs.delivered[k]
    weigh_lagged_prices(e, trade_share, w, w.own_weight, w.take + N * S)


cdef void goods_prices(const Economy* e, AtOnce at_once, Work* w, const f64* log_p) noexcept nogil:
    """Composite, consumption and material prices at producer prices; the factors of shares where they adjust at once."""
    cdef Py_ssize_t c, cells = e.N * e.S
    cdef f64* total = w.term + cells
    if at_once.trade:
        trade_prices(e.N, e.S, w.optimal_power, &w.costs, log_p, w.pull, w.whole, w.log_P)
        if w.costs.taxed:
            importer_sums(e.N, e.S, w.costs.delivered_weight, w.pull, w.take)
            for c in range(cells):
                w.take[c] = 1.0 - w.whole[c] * w.take[c]
    else:
        ces_terms(e.N, e.S, w.power_at_shares, log_p, w.term)
        importer_sums(e.N, e.S, w.price_weight, w.term, total)
        for c in range(cells):
            total[c] += w.price_gain[c]
        ces_logs(e.N, e.S, w.power_at_shares, total, w.log_P)
    final_prices(e, w.log_P, w.log_P_C, w.final_share)
    input_costs(e.N, e.S, e.phi, w.log_P, w.materials)


cdef void open_period(const Economy* e, const Policy* p, AtOnce at_once, const Row* state, Work* w) noexcept nogil:
    """What is settled before markets open. Research takes labour where entry is given and paid in labour, (17).

    ``state`` must stay as it is until the period is over.
    """
    cdef Py_ssize_t i, c, cells = e.N * e.S
    vlog(cells, state.A_R, w.log_A_R)
    vlog(cells, state.A_L, w.log_A_L)
    vlog(cells, state.posted_price, w.log_p)
    for i in range(e.N):
        w.labour[i] = w.endowment[i]
        if not at_once.entry and not e.in_good:
            for c in range(i * e.S, (i + 1) * e.S):
                w.labour[i] -= e.research_R0[c] * state.A_R[c] + e.research_L0[c] * state.A_L[c]
    if at_once.trade:
        w.sales_weight, w.border_weight = w.costs.net_weight, w.costs.delivered_weight
    else:
        open_lagged_trade(e, state.trade_share, w)
    if not at_once.price:
        goods_prices(e, at_once, w, w.log_p)


# --- prices ---------------------------------------------------------------------------------------------------------------


cdef void final_prices(const Economy* e, const f64* log_P, f64* log_P_C, f64* final_share) noexcept nogil:
    """Consumption price and shares in final demand, (12)."""
    cdef Py_ssize_t i, c, S = e.S
    cdef f64 power = 1.0 - e.rho
    cdef f64 total
    if power == 0.0:
        for i in range(e.N):
            total = 0.0
            for c in range(i * S, (i + 1) * S):
                total += e.alpha[c] * log_P[c]
                final_share[c] = e.alpha[c]
            log_P_C[i] = total
        return
    for c in range(e.N * S):
        final_share[c] = power * log_P[c]
    vexpm1(e.N * S, final_share, final_share)
    for i in range(e.N):
        total = 0.0
        for c in range(i * S, (i + 1) * S):
            total += e.alpha[c] * final_share[c]
        if total > FAR:
            log_P_C[i] = log1p(total) / power
            for c in range(i * S, (i + 1) * S):
                final_share[c] = e.alpha[c] * (1.0 + final_share[c]) * (1.0 / (1.0 + total))
            continue
        total = 0.0  # far above the baseline, written without one
        for c in range(i * S, (i + 1) * S):
            final_share[c] = e.alpha[c] * exp(power * log_P[c])
            total += final_share[c]
        log_P_C[i] = log(total) / power if total > 0.0 else NAN
        for c in range(i * S, (i + 1) * S):
            final_share[c] = final_share[c] / total if total > 0.0 else NAN


cdef void value_added(
    const Economy* e, const f64* log_wage, const f64* log_ree, const f64* log_A_R, const f64* log_A_L, Work* w
) noexcept nogil:
    """Bundles and value added, (4)-(5). Fills ``log_v`` and ``share_R``."""
    cdef Py_ssize_t i, s, c, S = e.S
    cdef Py_ssize_t cells = e.N * S
    cdef f64 z, gap
    cdef f64* relative = w.term
    cdef f64* change = w.term + cells
    cdef f64* log_gain = w.term + 2 * cells
    for i in range(e.N):
        gap = log_ree[i] - log_wage[i]
        for s in range(S):
            c = i * S + s
            relative[c] = gap - e.theta * (log_A_R[c] - log_A_L[c])
            change[c] = (1.0 - e.epsilon[s]) * relative[c]
    vexpm1(cells, change, change)
    for c in range(cells):
        log_gain[c] = e.ree_share0[c] * change[c]
        w.share_R[c] = e.ree_share0[c] * (1.0 + change[c]) / (1.0 + log_gain[c])
    vlog1p(cells, log_gain, log_gain)
    for i in range(e.N):
        for s in range(S):
            c, z = i * S + s, 1.0 - e.epsilon[s]
            log_gain[c] = e.ree_share0[c] * relative[c] if z == 0.0 else log_gain[c] / z
            w.log_v[c] = log_wage[i] - e.theta * log_A_L[c] + log_gain[c]


# --- one pass -------------------------------------------------------------------------------------------------------------


cdef void factor_prices(const Economy* e, const Policy* p, AtOnce at_once, Work* w, const f64* x) noexcept nogil:
    """Value added and unit cost at the unknowns, (4)-(6), and what a dollar of a cell's sales pays to whom."""
    cdef Py_ssize_t c, N = e.N
    cdef Py_ssize_t cells = N * e.S
    cdef const f64* log_p = w.log_p
    cdef const f64* log_A_R = w.log_A_R
    cdef const f64* log_A_L = w.log_A_L
    cdef const f64* at = x + cells + 2 * N
    cdef bint free = at_once.entry and not e.in_good
    cdef f64 factor = (e.mu - 1.0) / e.mu
    cdef f64 va, research
    if at_once.price:
        log_p = at
        at += cells
        goods_prices(e, at_once, w, log_p)
    if at_once.entry:
        log_A_R, log_A_L = at, at + cells
    vexp(N, x + cells, w.wage)
    vexp(N, x + cells + N, w.ree_price)
    value_added(e, x + cells, x + cells + N, log_A_R, log_A_L, w)
    for c in range(cells):
        w.log_c[c] = e.phi_va[c] * w.log_v[c] + w.materials[c] - w.log_productivity[c]
    if at_once.price:
        memcpy(w.ratio, p.output_subsidy, cells * sizeof(f64))
    else:
        for c in range(cells):
            w.ratio[c] = w.log_c[c] - log_p[c]
        vexp(cells, w.ratio, w.ratio)
    for c in range(cells):
        va = e.phi_va[c] * w.ratio[c]
        w.to_ree[c] = factor * w.share_R[c] * va
        w.to_labour[c] = factor * va - w.to_ree[c]
        w.to_owners[c] = 1.0 - w.ratio[c] + va / e.mu
    if free:
        for c in range(cells):
            research = w.share_R[c] / (1.0 - p.entry_subsidy_R[c]) + (1.0 - w.share_R[c]) / (1.0 - p.entry_subsidy_L[c])
            research *= e.phi_va[c] * w.ratio[c] / e.mu
            w.to_labour[c] += research
            w.to_owners[c] -= research


cdef void sell(const Economy* e, AtOnce at_once, Work* w) noexcept nogil:
    """Sales of every producer out of spending on composites, (14), input spending, and what goes to rare earths, (15)."""
    cdef Py_ssize_t i, c, S = e.S
    cdef Py_ssize_t cells = e.N * S
    cdef const f64* spent = w.spent
    if at_once.trade:
        for c in range(cells):
            w.term[c] = w.whole[c] * w.spent[c]
        spent = w.term
    exporter_sums(e.N, S, w.sales_weight, spent, w.sales)
    if w.costs.export_taxed:
        exporter_sums(e.N, S, w.border_weight, spent, w.border)
    if at_once.trade:
        for c in range(cells):
            w.sales[c] *= w.pull[c]
        if w.costs.export_taxed:
            for c in range(cells):
                w.border[c] *= w.pull[c]
    for c in range(cells):
        w.spending[c] = w.ratio[c] * w.sales[c]
    for i in range(e.N):
        w.value[i] = dot(S, w.to_ree + i * S, w.sales + i * S)


cdef void incomes(const Economy* e, const Policy* p, Work* w, f64 quota) noexcept nogil:
    """Final demand out of wages, profits, rare earths, taxes on goods and the deficit, (16)."""
    cdef Py_ssize_t i, c, N = e.N, S = e.S
    cdef f64 own, world = 0.0, wanted = 0.0
    for i in range(N):
        own = dot(S, w.to_owners + i * S, w.sales + i * S)
        if w.costs.taxed:
            own += dot(S, w.take + i * S, w.spent + i * S)
        if w.costs.export_taxed:
            for c in range(i * S, (i + 1) * S):
                own += w.border[c] - w.sales[c]
        w.income[i] = own + w.wage[i] * w.labour[i]
    add_rare_earth_income(e, p, w.value, w.ree_price, quota, w.wage, w.income)
    if not e.deficit_follows_income:
        for i in range(N):
            w.income[i] += e.deficit0[i]
        return
    for i in range(N):
        world += w.income[i]
        wanted += e.deficit_share[i] * w.income[i]
    for i in range(N):
        w.income[i] *= 1.0 + e.deficit_share[i] - wanted / world


cdef void spend(const Economy* e, Work* w) noexcept nogil:
    """Spending on composites, (13)."""
    cdef Py_ssize_t i, c, S = e.S
    for i in range(e.N):
        for c in range(i * S, (i + 1) * S):
            w.spent[c] = w.final_share[c] * w.income[i]
    add_input_demand(e.N, S, e.phi, w.spending, w.spent)


cdef void hire(const Economy* e, Work* w) noexcept nogil:
    """Wages that hire all labour, (17), at the numeraire, (18)."""
    cdef Py_ssize_t i, S = e.S
    cdef f64 world = 0.0
    for i in range(e.N):
        w.new_wage[i] = dot(S, w.to_labour + i * S, w.sales + i * S) / w.labour[i]
        world += w.new_wage[i] * w.endowment[i]
    for i in range(e.N):
        w.new_wage[i] *= e.numeraire / world


cdef void new_measures(const Economy* e, const Policy* p, Work* w, const f64* log_wage, f64* log_A) noexcept nogil:
    """Measures at which profit pays the entry cost, (7); one where a bundle does not exist."""
    cdef Py_ssize_t i, s, c, cells = e.N * e.S
    cdef f64 va, log_unit
    for c in range(cells):
        va = e.phi_va[c] * w.spending[c] / e.mu
        log_A[c] = log_A[cells + c] = 1.0
        if e.research_R0[c] > 0.0:
            log_A[c] = w.share_R[c] * va / (e.research_R0[c] * (1.0 - p.entry_subsidy_R[c]))
        if e.research_L0[c] > 0.0:
            log_A[cells + c] = (1.0 - w.share_R[c]) * va / (e.research_L0[c] * (1.0 - p.entry_subsidy_L[c]))
    vlog(2 * cells, log_A, log_A)
    for i in range(e.N):
        log_unit = w.log_P_C[i] if e.in_good else log_wage[i]
        for s in range(e.S):
            c = i * e.S + s
            log_A[c] -= log_unit if e.research_R0[c] > 0.0 else 0.0
            log_A[cells + c] -= log_unit if e.research_L0[c] > 0.0 else 0.0


cdef void spend_unknowns(const Economy* e, Work* w, const f64* x) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(e.N * e.S):
        w.spent[c] = x[c] * e.expenditure0[c]


cdef void temporary_map(const Economy* e, const Policy* p, AtOnce at_once, Work* w, const f64* x, f64* x_new) noexcept nogil:
    """One pass through all markets: new unknowns from old, equal at the temporary equilibrium, (4)-(18)."""
    cdef Py_ssize_t c, n, cells = e.N * e.S
    cdef int turn
    cdef Clearing market
    factor_prices(e, p, at_once, w, x)
    spend_unknowns(e, w, x)
    for turn in range(INNER_PASSES):
        sell(e, at_once, w)
        if turn == 0:
            market = clear_rare_earths(e, p, w.value, w.wage, w.embargo, w.new_price)
        incomes(e, p, w, market.quota_wedge)
        spend(e, w)
    hire(e, w)
    clear_rare_earths(e, p, w.value, w.new_wage, w.embargo, w.new_price)
    for c in range(cells):
        x_new[c] = w.spent[c] / e.expenditure0[c] if e.expenditure0[c] != 0.0 else 1.0
    vlog(e.N, w.new_wage, x_new + cells)
    vlog(e.N, w.new_price, x_new + cells + e.N)
    n = cells + 2 * e.N
    if at_once.price:
        for c in range(cells):
            x_new[n + c] = w.log_c[c] - w.log_subsidy[c]
        n += cells
    if at_once.entry:
        new_measures(e, p, w, x_new + cells, x_new + n)


# --- the row --------------------------------------------------------------------------------------------------------------


cdef void read_state(const Economy* e, AtOnce at_once, const Row* state, Work* w, const f64* x, Row* out) noexcept nogil:
    """What adjusted at once comes out of the unknowns, the rest is the opening state itself."""
    cdef Py_ssize_t cells = e.N * e.S
    cdef const f64* at = x + cells + 2 * e.N
    if at_once.price:
        vexp(cells, at, out.posted_price)
        at += cells
    elif out.posted_price != state.posted_price:
        memcpy(out.posted_price, state.posted_price, cells * sizeof(f64))
    if at_once.entry:
        vexp(cells, at, out.A_R)
        vexp(cells, at + cells, out.A_L)
    elif out.A_R != state.A_R:
        memcpy(out.A_R, state.A_R, cells * sizeof(f64))
        memcpy(out.A_L, state.A_L, cells * sizeof(f64))
    if at_once.trade:
        trade_shares(e.N, e.S, &w.costs, w.pull, w.whole, out.trade_share)
    elif out.trade_share != state.trade_share:
        memcpy(out.trade_share, state.trade_share, e.N * cells * sizeof(f64))


cdef void fill_row(
    const Economy* e, const Policy* p, AtOnce at_once, const Row* state, Work* w, const f64* x, Row* out
) noexcept nogil:
    """The row at unknowns x, at which the last pass left its factor prices: one round of the markets, read off."""
    cdef Py_ssize_t i, cells = e.N * e.S
    cdef Clearing market
    spend_unknowns(e, w, x)
    sell(e, at_once, w)
    market = clear_rare_earths(e, p, w.value, w.wage, w.embargo, w.new_price)
    incomes(e, p, w, market.quota_wedge)
    read_state(e, at_once, state, w, x, out)
    vexp(cells, w.log_P, out.price_index)
    vexp(cells, w.log_c, out.unit_cost)
    vexp(cells, w.log_v, out.value_added_price)
    vexp(e.N, w.log_P_C, out.price_consumption)
    memcpy(out.ree_share, w.share_R, cells * sizeof(f64))
    memcpy(out.revenue, w.sales, cells * sizeof(f64))
    memcpy(out.spending, w.spending, cells * sizeof(f64))
    memcpy(out.expenditure, w.spent, cells * sizeof(f64))
    for i in range(e.N):
        out.wage[i], out.final_demand[i] = w.wage[i], w.income[i]
        # what clears is one price to all who pay the same wedge
        out.ree_price[i], out.ree_wedge_embargo[i] = w.new_price[i], w.embargo[i]
    out.ree_mine_price[0], out.ree_wedge_quota[0] = market.mine_price, market.quota_wedge


def evaluate(parameters, const f64[::1] policy, at_once, const f64[::1] row, const f64[::1] x):
    """One pass at a state: new unknowns and the row read off; the twin of ``reference.temporary_map``."""
    cdef const f64[::1] block = parameters.block
    cdef Py_ssize_t N = parameters.regions, S = parameters.sectors
    cdef Economy e = bind_economy(
        &block[0], N, S, parameters.supplier, parameters.entry_in_final_good, parameters.deficit_follows_income
    )
    cdef AtOnce now
    now.entry, now.price, now.trade = at_once
    if x.shape[0] != unknowns(N, S, now) or row.shape[0] != row_size(N, S) or policy.shape[0] != policy_size(N, S):
        raise ValueError("policy, row or unknowns do not fit the economy")
    cdef Policy p = bind_policy(&policy[0], N, S)
    cdef f64[::1] memory = np.zeros(work_size(N, S))
    cdef f64[::1] found = np.array(row)
    cdef f64[::1] x_new = np.empty(x.shape[0])
    cdef Work w = bind_work(&memory[0], NULL, N, S, x.shape[0])
    cdef Row r = bind_row(&found[0], N, S)
    with nogil:
        set_regime(&e, &p, &w)
        open_period(&e, &p, now, &r, &w)
        temporary_map(&e, &p, now, &w, &x[0], &x_new[0])
        fill_row(&e, &p, now, &r, &w, &x[0], &r)
    return np.asarray(x_new), np.asarray(found)
