"""One pass through the static system, measures eliminated by (7)-(8): new unknowns from old, equal at the equilibrium.

The twin of ``reference_engine.static_map``. Unknowns: log c, log E/E0 and, where rare earths are used, log w and log q.
"""

from libc.math cimport exp, log, log1p
from libc.string cimport memcpy, memset

from reesim._core.blocks cimport Economy, Policy, Row, f64
from reesim._core.market cimport add_rare_earth_income, clear_rare_earths
from reesim._core.sums cimport add_input_demand, exporter_sums, exporter_sums_received, importer_sums, input_costs
from reesim._core.temporary cimport final_prices
from reesim._core.trade cimport bind_costs, costs_size, set_costs, trade_prices, trade_shares
from reesim._core.vector cimport vexp, vexpm1, vlog, vlog1p

cdef enum:
    BY_CELL = 23
    BY_REGION = 11


cdef Py_ssize_t static_size(Py_ssize_t N, Py_ssize_t S) noexcept nogil:
    return costs_size(N, S) + BY_CELL * N * S + BY_REGION * N + S


cdef Static bind_static(f64* block, const Economy* e, bint endogenous) noexcept nogil:
    cdef Static w
    cdef Py_ssize_t s, c, N = e.N, S = e.S, cells = e.N * e.S
    cdef f64* at = block + costs_size(N, S)
    w.endogenous, w.free, w.rare = endogenous, endogenous and not e.in_good, e.supply > 0.0
    w.costs = bind_costs(block, N, S)
    w.log_subsidy, w.log_productivity, w.lean, w.slope = at, at + cells, at + 2 * cells, at + 3 * cells
    w.per_sale, w.per_spent, w.log_p = at + 4 * cells, at + 5 * cells, at + 6 * cells
    w.pull, w.whole = at + 7 * cells, at + 8 * cells
    w.log_P, w.final_share, w.materials, w.share_R = at + 9 * cells, at + 10 * cells, at + 11 * cells, at + 12 * cells
    w.log_gain, w.log_v, w.log_A_R, w.log_A_L = at + 13 * cells, at + 14 * cells, at + 15 * cells, at + 16 * cells
    w.sales, w.spent, w.new_spent, w.log_y = at + 17 * cells, at + 18 * cells, at + 19 * cells, at + 20 * cells
    w.scratch, w.unbought = at + 21 * cells, at + 22 * cells
    at += BY_CELL * cells
    w.log_P_C, w.labour, w.endowment, w.wage, w.log_wage = at, at + N, at + 2 * N, at + 3 * N, at + 4 * N
    w.log_ree, w.value, w.income, w.embargo, w.price = at + 5 * N, at + 6 * N, at + 7 * N, at + 8 * N, at + 9 * N
    w.received = at + 10 * N
    w.power = at + BY_REGION * N
    for s in range(S):
        w.power[s] = 1.0 - e.sigma[s]
    for c in range(cells):
        w.slope[c] = 1.0 / (1.0 + e.theta * (1.0 - e.epsilon[c % S])) if endogenous and e.research_R0[c] > 0.0 else 1.0
        w.per_sale[c] = 1.0 / e.revenue0[c] if e.revenue0[c] > 0.0 else 0.0
        w.per_spent[c] = 1.0 / e.expenditure0[c] if e.expenditure0[c] > 0.0 else 0.0
        w.unbought[c] = 0.0 if e.expenditure0[c] > 0.0 else 1.0
    return w


cdef Py_ssize_t static_unknowns(const Economy* e) noexcept nogil:
    """Without rare earths wages follow from prices and spending, and are no unknowns."""
    return 2 * e.N * e.S + (2 * e.N if e.supply > 0.0 else 0)


cdef void set_policy(const Economy* e, const Policy* p, Static* w) noexcept nogil:
    """What a regime settles before the first pass."""
    cdef Py_ssize_t i, c, cells = e.N * e.S
    set_costs(e.N, e.S, e.trade_share0, e.sigma, e.tariff0, e.export_tax0, p.tariff, p.export_tax, p.iceberg, False, &w.costs)
    memset(w.share_R, 0, cells * sizeof(f64))  # what stays where no rare earths are used
    memset(w.log_gain, 0, cells * sizeof(f64))
    w.produced_subsidies = w.research_subsidies = False
    vlog(cells, p.output_subsidy, w.log_subsidy)
    vlog(cells, p.productivity, w.log_productivity)
    for c in range(cells):
        w.lean[c] = 0.0
        if w.endogenous and e.research_R0[c] > 0.0:
            w.lean[c] = log1p(-p.entry_subsidy_L[c]) - log1p(-p.entry_subsidy_R[c])
        w.produced_subsidies = w.produced_subsidies or p.output_subsidy[c] != 1.0
        w.research_subsidies = w.research_subsidies or p.entry_subsidy_R[c] != 0.0 or p.entry_subsidy_L[c] != 0.0
    for i in range(e.N):
        w.endowment[i] = w.labour[i] = e.labour0[i] * p.labour[i]
        if not w.endogenous and not e.in_good:
            for c in range(i * e.S, (i + 1) * e.S):
                w.labour[i] -= e.research_R0[c] + e.research_L0[c]


cdef void bundles(const Economy* e, Static* w, const f64* log_wage, const f64* log_ree) noexcept nogil:
    """Share of the R bundle and log v - log P_L, (5), free entry solved out of the bundles' relative price by (8)."""
    cdef Py_ssize_t i, s, c, cells = e.N * e.S
    cdef f64 gap, change, z
    cdef f64* gain = w.log_v  # free until the price of value added
    if not w.rare:
        return
    for i in range(e.N):
        gap = log_ree[i] - log_wage[i]
        for s in range(e.S):
            c = i * e.S + s
            w.scratch[c] = (gap - e.theta * w.lean[c]) * w.slope[c]
            w.share_R[c] = (1.0 - e.epsilon[s]) * w.scratch[c]
    vexpm1(cells, w.share_R, w.share_R)
    for c in range(cells):
        gain[c] = e.ree_share0[c] * w.share_R[c]
    vlog1p(cells, gain, w.log_gain)
    for i in range(e.N):
        for s in range(e.S):
            c = i * e.S + s
            z, change = 1.0 - e.epsilon[s], w.share_R[c]
            w.log_gain[c] = e.ree_share0[c] * w.scratch[c] if z == 0.0 else w.log_gain[c] / z
            w.share_R[c] = e.ree_share0[c] * (1.0 + change) / (1.0 + gain[c])


cdef void value_added_prices(const Economy* e, const Policy* p, Static* w, const f64* log_wage) noexcept nogil:
    """Measures and price of value added, (4)-(5), (7), at the shares of `bundles` and spending on inputs in ``log_y``."""
    cdef Py_ssize_t i, s, c
    cdef f64 z, log_unit
    if not w.endogenous:
        for i in range(e.N):
            for c in range(i * e.S, (i + 1) * e.S):
                w.log_v[c] = log_wage[i] + w.log_gain[c]
        return
    for i in range(e.N):
        log_unit = w.log_P_C[i] if e.in_good else log_wage[i]
        for s in range(e.S):
            c = i * e.S + s
            w.log_A_R[c] = w.log_A_L[c] = 0.0
            z = 1.0 - e.epsilon[s]
            if e.research_L0[c] > 0.0:
                w.log_A_L[c] = -z * w.log_gain[c] + w.log_y[c] - log_unit  # (1 - s_R) / (1 - s_R0) = exp(-z log_gain)
                if w.research_subsidies:
                    w.log_A_L[c] -= log1p(-p.entry_subsidy_L[c])
            if e.research_R0[c] > 0.0:
                w.log_A_R[c] = w.log_A_L[c] + z * w.scratch[c] + w.lean[c]
            w.log_v[c] = log_wage[i] - e.theta * w.log_A_L[c] + w.log_gain[c]


cdef void factor_markets(const Economy* e, const Policy* p, Static* w) noexcept nogil:
    """Wages that hire all labour, (17), the level of all money from the numeraire, (18), and rare-earth prices, (15).

    Leaves household income without taxes on goods in ``income``.
    """
    cdef Py_ssize_t i, c, N = e.N
    cdef f64 factor = (e.mu - 1.0) / e.mu
    cdef f64 spending, va, bill, research, payroll, world = 0.0, level
    for i in range(N):
        w.value[i] = w.income[i] = payroll = 0.0
        for c in range(i * e.S, (i + 1) * e.S):
            spending = p.output_subsidy[c] * w.sales[c]
            va = e.phi_va[c] * spending
            bill = w.share_R[c] * va
            research = 0.0
            if w.free:
                research = va / e.mu
                if w.research_subsidies:
                    research = (bill / (1.0 - p.entry_subsidy_R[c]) + (va - bill) / (1.0 - p.entry_subsidy_L[c])) / e.mu
            payroll += factor * (va - bill) + research
            w.value[i] += factor * bill
            w.income[i] += w.sales[c] - spending + va / e.mu - research
        w.wage[i] = payroll / w.labour[i]
        world += w.wage[i] * w.endowment[i]
    level = e.numeraire / world
    for c in range(N * e.S):
        w.sales[c] *= level
        w.spent[c] *= level
        w.log_y[c] *= level
    for i in range(N):
        w.received[i] *= level
        w.wage[i] *= level
        w.value[i] *= level
        w.income[i] = w.income[i] * level + w.wage[i] * w.labour[i]
        w.log_wage[i] = log(w.wage[i])
    w.market = clear_rare_earths(e, p, w.value, w.wage, w.embargo, w.price)
    for i in range(N):
        w.log_ree[i] = log(w.price[i])
    if w.rare:
        add_rare_earth_income(e, p, w.value, w.price, w.market.quota_wedge, w.wage, w.income)


cdef void goods_taxes(const Economy* e, Static* w) noexcept nogil:
    """Add tariffs and taxes on exports of goods to income, (16). ``spent`` and ``sales`` are at the level of the numeraire."""
    cdef Py_ssize_t i, c, cells = e.N * e.S
    if not w.costs.taxed:
        return
    if not w.costs.export_taxed:  # then tariffs are all that exporters do not get
        for i in range(e.N):
            w.income[i] -= w.received[i]
            for c in range(i * e.S, (i + 1) * e.S):
                w.income[i] += w.spent[c]
        return
    importer_sums(e.N, e.S, w.costs.delivered_weight, w.pull, w.scratch)
    for i in range(e.N):
        for c in range(i * e.S, (i + 1) * e.S):
            w.income[i] += w.spent[c] * (1.0 - w.whole[c] * w.scratch[c])
    for c in range(cells):
        w.log_p[c] = w.whole[c] * w.spent[c]  # log_p has served
    exporter_sums(e.N, e.S, w.costs.delivered_weight, w.log_p, w.scratch)
    for i in range(e.N):
        for c in range(i * e.S, (i + 1) * e.S):
            w.income[i] += w.pull[c] * w.scratch[c] - w.sales[c]


cdef void close_incomes(const Economy* e, Static* w) noexcept nogil:
    """Final demand out of own income and deficits, (16)."""
    cdef Py_ssize_t i
    cdef f64 world = 0.0, wanted = 0.0
    if not e.deficit_follows_income:
        for i in range(e.N):
            w.income[i] += e.deficit0[i]
        return
    for i in range(e.N):
        world += w.income[i]
        wanted += e.deficit_share[i] * w.income[i]
    for i in range(e.N):
        w.income[i] *= 1.0 + e.deficit_share[i] - wanted / world


cdef void spend(const Economy* e, const Policy* p, Static* w) noexcept nogil:
    """Spending on each composite, (13)."""
    cdef Py_ssize_t i, s, c, S = e.S
    for i in range(e.N):
        for s in range(S):
            c = i * S + s
            w.new_spent[c] = w.final_share[c] * w.income[i]
            w.scratch[c] = p.output_subsidy[c] * w.sales[c]
    add_input_demand(e.N, S, e.phi, w.scratch, w.new_spent)


cdef void static_map(const Economy* e, const Policy* p, Static* w, const f64* x, f64* x_new, Row* out) noexcept nogil:
    """One pass: prices, sales, factor markets, spending, costs, each with what came before it. ``out`` may be NULL."""
    cdef Py_ssize_t c, cells = e.N * e.S
    for c in range(cells):
        w.log_p[c] = x[c] - w.log_subsidy[c] if w.produced_subsidies else x[c]
    trade_prices(e.N, e.S, w.power, &w.costs, w.log_p, w.pull, w.whole, w.log_P)
    final_prices(e, w.log_P, w.log_P_C, w.final_share)
    vexp(cells, x + cells, w.spent)
    for c in range(cells):
        w.spent[c] *= e.expenditure0[c]
        w.log_p[c] = w.whole[c] * w.spent[c]
    if w.costs.taxed and not w.costs.export_taxed:
        exporter_sums_received(e.N, e.S, w.costs.net_weight, w.log_p, w.pull, w.sales, w.received)
    else:
        exporter_sums(e.N, e.S, w.costs.net_weight, w.log_p, w.sales)
    for c in range(cells):
        w.sales[c] *= w.pull[c]
        w.log_y[c] = p.output_subsidy[c] * w.sales[c] * w.per_sale[c]
    bundles(e, w, x + 2 * cells, x + 2 * cells + e.N)
    if out != NULL:
        static_row(e, p, w, x, out)
    factor_markets(e, p, w)
    goods_taxes(e, w)
    close_incomes(e, w)
    spend(e, p, w)
    if w.endogenous:  # minus infinity where nothing is made, and nobody enters
        vlog(cells, w.log_y, w.log_y)
    bundles(e, w, w.log_wage, w.log_ree)
    value_added_prices(e, p, w, w.log_wage)
    input_costs(e.N, e.S, e.phi, w.log_P, w.materials)
    for c in range(cells):
        x_new[c] = e.phi_va[c] * w.log_v[c] + w.materials[c] - w.log_productivity[c]
        w.scratch[c] = w.new_spent[c] * w.per_spent[c] + w.unbought[c]
    vlog(cells, w.scratch, x_new + cells)
    if w.rare:
        memcpy(x_new + 2 * cells, w.log_wage, e.N * sizeof(f64))
        memcpy(x_new + 2 * cells + e.N, w.log_ree, e.N * sizeof(f64))
    if out != NULL:
        finish_row(e, w, out)


cdef void static_row(const Economy* e, const Policy* p, Static* w, const f64* x, Row* out) noexcept nogil:
    """Read off the part of the equilibrium that the unknowns give directly."""
    cdef Py_ssize_t c, cells = e.N * e.S
    for c in range(cells):
        out.unit_cost[c] = exp(x[c])
        out.posted_price[c] = exp(x[c] - w.log_subsidy[c])
        out.price_index[c] = exp(w.log_P[c])
        out.expenditure[c] = w.spent[c]
        out.ree_share[c] = w.share_R[c]
    trade_shares(e.N, e.S, &w.costs, w.pull, w.whole, out.trade_share)


cdef void finish_row(const Economy* e, Static* w, Row* out) noexcept nogil:
    """Read off what factor markets gave; at a solution it is what the unknowns say."""
    cdef Py_ssize_t i, c
    for c in range(e.N * e.S):
        out.A_R[c], out.A_L[c] = exp(w.log_A_R[c]), exp(w.log_A_L[c])
        out.value_added_price[c] = exp(w.log_v[c])
        out.revenue[c] = w.sales[c]
        out.spending[c] = w.sales[c] * exp(w.log_subsidy[c])
    for i in range(e.N):
        out.wage[i], out.ree_price[i] = w.wage[i], w.price[i]
        out.price_consumption[i], out.final_demand[i] = exp(w.log_P_C[i]), w.income[i]
        out.ree_wedge_embargo[i] = w.embargo[i]
    out.ree_mine_price[0], out.ree_wedge_quota[0] = w.market.mine_price, w.market.quota_wedge
