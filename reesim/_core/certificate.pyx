"""The certificate: every condition of an equilibrium, recomputed from its definition out of the row and the policy alone.

Shares no code with the solvers but elementary functions of arrays. Residuals are relative; those of prices are logs of
ratios. What a zero of the baseline rules out (a good that is not made, a bundle that is not used) must be zero, or keep a
measure of one.
"""

from libc.math cimport INFINITY, exp, expm1, fabs, log, log1p
from libc.string cimport memcmp, memcpy, memset

import numpy as np

from reesim._core.blocks cimport (
    Economy, Policy, Row, bind_economy, bind_policy, bind_row, f64, policy_size, row_size
)
from reesim._core.temporary cimport AtOnce
from reesim._core.vector cimport vexpm1, vlog, vlog1p

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
    CONSUMED

EQUATIONS = (
    "composite price (11), (20)", "consumption price (12)", "price of value added (5)", "unit cost (6)", "input spending (20)",
    "expenditure (13)", "revenue (14)", "labour market (17)", "rare-earth market (15)", "rare-earth user price (15)",
    "quota complementarity (15)", "embargo complementarity (15)", "income (16)", "numeraire (18)", "Walras' law",
    "trade shares add up", "price equals cost (10)", "optimal trade shares (11)", "free entry (7)", "consumption above zero (16)",
)  # fmt: skip
"""What each residual belongs to, in the order of the enumeration above."""

cdef struct Sums:               # scratch of one look at a row
    # by region and sector
    f64* log_p
    f64* log_P
    f64* log_v
    f64* log_q_R                # log price of a bundle
    f64* log_q_L
    f64* power                  # of the CES sum (20)
    f64* z                      # 1 - sigma
    f64* price_sum              # CES sum over exporters
    f64* share_sum
    f64* want                   # spending on a composite as (13) has it
    # a slab: one exporter's flows, or any cells
    f64* log_price
    f64* x
    f64* y
    # by region
    f64* taxes                  # revenue from taxes on goods
    f64* own
    f64* value                  # spending on rare earths at user prices
    f64* mined                  # sold in a region by mines other than the supplier's


cdef Py_ssize_t certificate_scratch(Py_ssize_t N, Py_ssize_t S) noexcept nogil:
    """Numbers that `certify` needs for itself."""
    return 13 * N * S + 4 * N


cdef Sums bind_sums(f64* block, Py_ssize_t N, Py_ssize_t S) noexcept nogil:
    cdef Sums a
    cdef Py_ssize_t n = N * S
    cdef f64* at = block + 13 * n
    a.log_p, a.log_P, a.log_v, a.log_q_R, a.log_q_L = block, block + n, block + 2 * n, block + 3 * n, block + 4 * n
    a.power, a.z, a.price_sum, a.share_sum = block + 5 * n, block + 6 * n, block + 7 * n, block + 8 * n
    a.want, a.log_price, a.x, a.y = block + 9 * n, block + 10 * n, block + 11 * n, block + 12 * n
    a.taxes, a.own, a.value, a.mined = at, at + N, at + 2 * N, at + 3 * N
    return a


cdef inline void blame(Verdict* v, f64 residual, int equation, Py_ssize_t i, Py_ssize_t s) noexcept nogil:
    residual = fabs(residual)
    if not residual <= v.residual:
        v.residual = residual if residual == residual else INFINITY
        v.equation, v.i, v.s = equation, i, s


cdef void blame_cells(Verdict* v, Py_ssize_t n, Py_ssize_t S, const f64* residual, int equation) noexcept nogil:
    """Blame the worst of many; mostly none is worse than what was found before, which is quick to see."""
    cdef Py_ssize_t c
    cdef f64 worse = 0.0, worst = v.residual  # counted in doubles, which processors compare several at a time
    for c in range(n):
        worse += 0.0 if fabs(residual[c]) <= worst else 1.0
    if worse > 0.0:
        for c in range(n):
            blame(v, residual[c], equation, c // S, c % S)


cdef inline f64 apart(f64 found, f64 wanted) noexcept nogil:
    """Relative difference; none between two zeros, all there is from a zero to anything else."""
    if found == wanted:
        return 0.0
    return INFINITY if wanted == 0.0 else found / wanted - 1.0


cdef inline f64 power_mean(f64 power, f64 total) noexcept nogil:
    """Log of a power mean from the sum of weights times x^power - 1, or times log x where the power is 0."""
    return total if power == 0.0 else log1p(total) / power


cdef inline bint differ(Py_ssize_t n, const f64* a, const f64* b) noexcept nogil:
    """Whether any two numbers are not the same, bit by bit."""
    return memcmp(a, b, n * sizeof(f64)) != 0


cdef inline bint differ_from_one(Py_ssize_t n, const f64* a) noexcept nogil:
    """Whether any number is not one: the first is, and each is the one before it."""
    return a[0] != 1.0 or memcmp(a, a + 1, (n - 1) * sizeof(f64)) != 0


cdef void add_to(Py_ssize_t n, const f64* a, f64* out) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(n):
        out[c] += a[c]


cdef void divide_by(Py_ssize_t n, const f64* a, f64* out) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(n):
        out[c] /= a[c]


cdef f64 relative_to(Py_ssize_t n, const f64* a, const f64* base, f64* out) noexcept nogil:
    """Ratios, 1 where there is no base; return the sum of what stands there all the same."""
    cdef Py_ssize_t c
    cdef f64 x, b, size, stray = 0.0
    for c in range(n):
        x, b = a[c], base[c]
        size = fabs(x)
        stray += 0.0 if b > 0.0 else size
        out[c] = x / b if b > 0.0 else 1.0
    return stray


cdef bint trade_costs(const Economy* e, const Policy* p, Py_ssize_t j, f64* kappa) noexcept nogil:
    """What a policy puts between one exporter's prices and its buyers', (10); whether that is anything at all."""
    cdef Py_ssize_t c, n = e.N * e.S, at = j * e.N * e.S
    cdef const f64* iceberg = p.iceberg + at
    cdef const f64* tariff = p.tariff + at
    cdef const f64* tariff0 = e.tariff0 + at
    cdef const f64* tax = p.export_tax + at
    cdef const f64* tax0 = e.export_tax0 + at
    if not (differ_from_one(n, iceberg) or differ(n, tariff, tariff0) or differ(n, tax, tax0)):
        return False
    for c in range(n):
        kappa[c] = iceberg[c] * tariff[c] * tax[c] / (tariff0[c] * tax0[c])
    return True


cdef void check_sales(const Economy* e, const Policy* p, const Row* r, Py_ssize_t j, const Sums* a, Verdict* v) noexcept nogil:
    """Sales of one exporter, (14), and what its goods are taxed, (16)."""
    cdef Py_ssize_t i, s, c, n = e.N * e.S, at = j * e.N * e.S
    cdef f64 tariffs, export_taxes = 0.0
    cdef const f64* share = r.trade_share + at
    cdef const f64* tariff = p.tariff + at
    cdef const f64* tax = p.export_tax + at
    for c in range(n):
        a.x[c] = share[c] * r.expenditure[c]
    if differ_from_one(n, tariff) or differ_from_one(n, tax):
        for c in range(n):
            a.x[c] /= tariff[c] * tax[c]
        for i in range(e.N):
            tariffs = 0.0
            for c in range(i * e.S, (i + 1) * e.S):
                export_taxes += (tax[c] - 1.0) * a.x[c]
                tariffs += (tariff[c] - 1.0) * (tax[c] * a.x[c])
            a.taxes[i] += tariffs
        a.taxes[j] += export_taxes
    memset(a.y, 0, e.S * sizeof(f64))
    for i in range(e.N):
        add_to(e.S, a.x + i * e.S, a.y)
    for s in range(e.S):
        blame(v, apart(r.revenue[j * e.S + s], a.y[s]), REVENUE, j, s)


cdef void check_flows(
    const Economy* e, const Policy* p, bint shares_optimal, const Row* r, Py_ssize_t j, const Sums* a, Verdict* v
) noexcept nogil:
    """Shares of one exporter, (11), and its part of the sums in (11) and (20)."""
    cdef Py_ssize_t i, s, c, n = e.N * e.S, at = j * e.N * e.S
    cdef f64 gap, base, stray
    cdef const f64* share = r.trade_share + at
    cdef const f64* share0 = e.trade_share0 + at
    add_to(n, share, a.share_sum)
    stray = relative_to(n, share, share0, a.x)
    for i in range(e.N):
        memcpy(a.log_price + i * e.S, a.log_p + j * e.S, e.S * sizeof(f64))
    if trade_costs(e, p, j, a.y):
        if shares_optimal:
            vlog(n, a.y, a.y)
            add_to(n, a.y, a.log_price)
        else:  # nothing needs them but quantities: one log spared
            divide_by(n, a.y, a.x)
    vlog(n, a.x, a.x)
    for c in range(n):  # (20): log of quantities relative to the baseline
        a.y[c] = a.power[c] * (a.x[c] - a.log_price[c])
    vexpm1(n, a.y, a.y)
    for s in range(e.S):
        if a.power[s] == 0.0:
            for i in range(e.N):
                a.y[i * e.S + s] = a.x[i * e.S + s] - a.log_price[i * e.S + s]
    for c in range(n):
        a.price_sum[c] += share0[c] * a.y[c]
    if shares_optimal:  # (11): log (pi / b) is (1 - sigma) log (p kappa / P); where the baseline has no flow there is none
        for c in range(n):
            a.y[c] = a.x[c] - a.z[c] * (a.log_price[c] - a.log_P[c])
        for c in range(n):
            gap, base = a.y[c], share0[c]
            a.y[c] = gap if base > 0.0 else 0.0
        blame_cells(v, n, e.S, a.y, SHARES)
    if not stray == 0.0:
        for c in range(n):
            if share0[c] == 0.0:
                blame(v, share[c], SHARES, c // e.S, c % e.S)


cdef void check_trade(const Economy* e, const Policy* p, AtOnce at_once, const Row* r, const Sums* a, Verdict* v) noexcept nogil:
    """(10), (11), (14), (20)."""
    cdef Py_ssize_t j, s, c, n = e.N * e.S
    for c in range(n):
        s = c % e.S
        a.z[c], a.power[c] = 1.0 - e.sigma[s], (e.sigma[s] - 1.0) / e.sigma[s]
    vlog(n, r.posted_price, a.log_p)
    vlog(n, r.price_index, a.log_P)
    memset(a.price_sum, 0, n * sizeof(f64))
    memset(a.share_sum, 0, n * sizeof(f64))
    memset(a.taxes, 0, e.N * sizeof(f64))
    for j in range(e.N):
        check_flows(e, p, at_once.trade, r, j, a, v)
        check_sales(e, p, r, j, a, v)
    vlog1p(n, a.price_sum, a.x)
    for c in range(n):
        a.x[c] = a.log_P[c] + (a.price_sum[c] if a.power[c] == 0.0 else a.x[c] / a.power[c])
        a.share_sum[c] -= 1.0
    blame_cells(v, n, e.S, a.x, COMPOSITE)
    blame_cells(v, n, e.S, a.share_sum, ADDING_UP)
    if at_once.price:
        for c in range(n):
            blame(v, r.posted_price[c] * p.output_subsidy[c] / r.unit_cost[c] - 1.0, PRICING, c // e.S, c % e.S)


cdef void check_value_added(const Economy* e, const Row* r, const Sums* a, Verdict* v) noexcept nogil:
    """(4), (5)."""
    cdef Py_ssize_t i, s, c, n = e.N * e.S
    cdef f64 z, log_q, log_w, share0, mean
    vlog(n, r.A_R, a.log_q_R)
    vlog(n, r.A_L, a.log_q_L)
    vlog(n, r.value_added_price, a.log_v)
    for i in range(e.N):
        log_q, log_w = log(r.ree_price[i]), log(r.wage[i])
        for s in range(e.S):
            c = i * e.S + s
            z = 1.0 - e.epsilon[s]
            a.log_q_R[c], a.log_q_L[c] = log_q - e.theta * a.log_q_R[c], log_w - e.theta * a.log_q_L[c]
            a.x[c], a.y[c] = z * a.log_q_R[c], z * a.log_q_L[c]
    relative_to(n, r.ree_share, e.ree_share0, a.log_price)
    vexpm1(n, a.x, a.x)
    vexpm1(n, a.y, a.y)
    vlog(n, a.log_price, a.log_price)
    for c in range(n):
        s = c % e.S
        z, share0 = 1.0 - e.epsilon[s], e.ree_share0[c]
        if z == 0.0:
            mean = share0 * a.log_q_R[c] + (1.0 - share0) * a.log_q_L[c]
        else:
            mean = share0 * a.x[c] + (1.0 - share0) * a.y[c]
        a.x[c] = a.log_v[c] - power_mean(z, mean)
        a.y[c] = a.log_price[c] - z * (a.log_q_R[c] - a.log_v[c]) if share0 > 0.0 else r.ree_share[c]
    blame_cells(v, n, e.S, a.x, VALUE_ADDED)
    blame_cells(v, n, e.S, a.y, VALUE_ADDED)


cdef void check_costs(const Economy* e, const Policy* p, const Row* r, const Sums* a, Verdict* v) noexcept nogil:
    """(6), (12), (13), (20)."""
    cdef Py_ssize_t i, k, s, c, n = e.N * e.S, S = e.S
    cdef f64 total, materials, spending
    cdef const f64* phi
    cdef f64 power = 1.0 - e.rho
    vlog(n, r.unit_cost, a.x)
    vlog(n, p.productivity, a.y)
    for i in range(e.N):
        total = 0.0
        for s in range(S):
            c = i * S + s
            total += e.alpha[c] * (a.log_P[c] if power == 0.0 else expm1(power * a.log_P[c]))
        blame(v, r.price_consumption[i] / exp(power_mean(power, total)) - 1.0, CONSUMPTION, i, -1)
        total = log(r.price_consumption[i])
        for s in range(S):
            c = i * S + s
            a.want[c] = e.alpha[c] * exp(power * (a.log_P[c] - total)) * r.final_demand[i]
        for k in range(S):
            c = i * S + k
            phi, materials, spending = e.phi + c * S, 0.0, r.spending[c]
            for s in range(S):
                materials += phi[s] * a.log_P[i * S + s]
                a.want[i * S + s] += phi[s] * spending
            blame(v, a.x[c] - (e.phi_va[c] * a.log_v[c] + materials - a.y[c]), COST, i, k)
            blame(v, apart(spending, r.unit_cost[c] * r.revenue[c] / r.posted_price[c]), SPENDING, i, k)
        for s in range(S):
            blame(v, apart(r.expenditure[i * S + s], a.want[i * S + s]), EXPENDITURE, i, s)


cdef void check_factors(
    const Economy* e, const Policy* p, AtOnce at_once, const Row* r, const Sums* a, Verdict* v
) noexcept nogil:
    """(7), (17), (18) and the world's budget; leaves income but for rare earths, and spending on rare earths."""
    cdef Py_ssize_t i, s, c
    cdef f64 hired, bill, cost, outlay, unit, excess, world = 0.0, added = 0.0, world_labour = 0.0
    cdef f64 factor = (e.mu - 1.0) / e.mu
    for i in range(e.N):
        hired = outlay = excess = a.value[i] = 0.0
        unit = r.price_consumption[i] if e.in_good else r.wage[i]
        for s in range(e.S):
            c = i * e.S + s
            bill = e.phi_va[c] * r.spending[c]
            a.value[i] += factor * r.ree_share[c] * bill
            hired += factor * (1.0 - r.ree_share[c]) * bill
            outlay += e.research_R0[c] * r.A_R[c] + e.research_L0[c] * r.A_L[c]
            excess += r.revenue[c] - r.spending[c] + bill / e.mu
            added += r.revenue[c] - (1.0 - e.phi_va[c]) * r.spending[c]
            if e.research_R0[c] == 0.0:
                blame(v, r.A_R[c] - 1.0, FREE_ENTRY, i, s)  # no bundle, nothing to enter
            elif at_once.entry:
                cost = e.research_R0[c] * r.A_R[c] * unit * (1.0 - p.entry_subsidy_R[c])
                blame(v, r.ree_share[c] * bill / (e.mu * cost) - 1.0, FREE_ENTRY, i, s)
            if e.research_L0[c] == 0.0:
                blame(v, r.A_L[c] - 1.0, FREE_ENTRY, i, s)
            elif at_once.entry:
                cost = e.research_L0[c] * r.A_L[c] * unit * (1.0 - p.entry_subsidy_L[c])
                blame(v, (1.0 - r.ree_share[c]) * bill / (e.mu * cost) - 1.0, FREE_ENTRY, i, s)
        if not r.final_demand[i] > (unit * outlay if e.in_good else 0.0):
            blame(v, INFINITY, CONSUMED, i, -1)
        if e.in_good:  # research is paid out of final demand
            outlay = 0.0
        blame(v, (hired / r.wage[i] + outlay) / (e.labour0[i] * p.labour[i]) - 1.0, LABOUR, i, -1)
        a.own[i] = excess + r.wage[i] * (e.labour0[i] * p.labour[i] - outlay) + a.taxes[i]
        world_labour += r.wage[i] * e.labour0[i] * p.labour[i]
        world += r.final_demand[i]
        added += a.taxes[i]
    blame(v, world_labour / e.numeraire - 1.0, NUMERAIRE, -1, -1)
    blame(v, world / added - 1.0, WALRAS, -1, -1)


cdef inline f64 smaller(f64 a, f64 b) noexcept nogil:
    """The smaller of two numbers; not a number if either is none, which ``fmin`` would hide."""
    return a if a < b or a != a else b


cdef inline f64 unless(f64 wedge, f64 limit, f64 imports) noexcept nogil:
    """Complementarity of a wedge and the room below a limit, which may be infinite or nothing."""
    return smaller((limit - imports) / limit if 0.0 < limit < INFINITY else limit - imports, wedge)


cdef void check_rare_earths(const Economy* e, const Policy* p, const Row* r, const Sums* a, Verdict* v) noexcept nogil:
    """(15); adds what rare earths earn to income."""
    cdef Py_ssize_t i, j
    cdef f64 tau, price, use, part, imports, kept, supply, world = 0.0, abroad = 0.0
    cdef f64 quota = r.ree_wedge_quota[0], mine = r.ree_mine_price[0]
    memset(a.mined, 0, e.N * sizeof(f64))
    for j in range(e.N):
        for i in range(e.N):
            if p.mine_supply[j * e.N + i] != 0.0:
                part = p.mine_supply[j * e.N + i] * e.supply * exp(e.ree_elasticity[j] * log(r.ree_price[i] / r.wage[j]))
                a.mined[i] += part
                a.own[j] += e.tax0[i] * r.ree_price[i] * part
    for i in range(e.N):
        price = e.tax0[i] * r.ree_price[i]
        use = a.value[i] / price
        imports = use - a.mined[i]
        tau = 1.0 if i == e.supplier else p.tax[i] + quota + r.ree_wedge_embargo[i]
        part = 1.0 - r.ree_price[i] / (tau * mine)
        # users pay tau w_R, or less where mines leave no room for imports
        blame(v, part if a.mined[i] == 0.0 else smaller(part, imports / use), USER_PRICE, i, -1)
        world += imports
        if i != e.supplier:
            abroad += imports
            if e.ree_use0[i] > 0.0:
                blame(v, unless(r.ree_wedge_embargo[i], p.embargo[i], imports / e.ree_use0[i]), EMBARGO, i, -1)
            else:
                blame(v, r.ree_wedge_embargo[i], EMBARGO, i, -1)
            kept = p.rent_share * e.tax0[i] * quota * mine * imports
            a.own[i] += kept
            a.own[e.supplier] += price * imports - kept
        else:
            blame(v, r.ree_wedge_embargo[i], EMBARGO, i, -1)
            a.own[i] += price * imports
    if e.supply == 0.0:
        blame(v, world, RARE_EARTHS, e.supplier, -1)
        blame(v, quota, QUOTA, e.supplier, -1)
        return
    supply = p.ree_supply * exp(e.ree_elasticity[e.supplier] * log(mine / r.wage[e.supplier]))
    supply = e.supply * smaller(supply, p.ree_limit)
    blame(v, (world - supply) / (supply if supply > 0.0 else e.supply), RARE_EARTHS, e.supplier, -1)
    blame(v, unless(quota, p.quota, abroad / e.foreign_use0) if e.foreign_use0 > 0.0 else quota, QUOTA, e.supplier, -1)


cdef void check_incomes(const Economy* e, const Row* r, const Sums* a, Verdict* v) noexcept nogil:
    """(16)."""
    cdef Py_ssize_t i
    cdef f64 deficit, wanted = 0.0, world = 0.0
    for i in range(e.N):
        world += a.own[i]
        wanted += e.deficit_share[i] * a.own[i]
    for i in range(e.N):
        deficit = a.own[i] * (e.deficit_share[i] - wanted / world) if e.deficit_follows_income else e.deficit0[i]
        blame(v, r.final_demand[i] / (a.own[i] + deficit) - 1.0, INCOME, i, -1)


cdef Verdict certify(const Economy* e, const Policy* p, AtOnce at_once, const Row* r, f64* scratch) noexcept nogil:
    """Largest relative residual over all conditions, and where. ``scratch`` holds `certificate_scratch` numbers."""
    cdef Verdict v
    cdef Sums a = bind_sums(scratch, e.N, e.S)
    v.residual, v.equation, v.i, v.s = 0.0, 0, -1, -1
    check_trade(e, p, at_once, r, &a, &v)
    check_value_added(e, r, &a, &v)
    check_costs(e, p, r, &a, &v)
    check_factors(e, p, at_once, r, &a, &v)
    check_rare_earths(e, p, r, &a, &v)
    check_incomes(e, r, &a, &v)
    return v


def residual(parameters, const f64[::1] policy, at_once, const f64[::1] row):
    """Certify a row: largest residual, equation, region and sector positions (-1 where one does not apply)."""
    cdef const f64[::1] block = parameters.block
    cdef Py_ssize_t N = parameters.regions, S = parameters.sectors
    if row.shape[0] != row_size(N, S) or policy.shape[0] != policy_size(N, S):
        raise ValueError("policy or row do not fit the economy")
    cdef Economy e = bind_economy(
        &block[0], N, S, parameters.supplier, parameters.entry_in_final_good, parameters.deficit_follows_income
    )
    cdef AtOnce now
    now.entry, now.price, now.trade = at_once
    cdef Policy p = bind_policy(&policy[0], N, S)
    cdef f64[::1] scratch = np.empty(certificate_scratch(N, S))
    cdef Row r = bind_row(<f64*> &row[0], N, S)
    cdef Verdict v
    with nogil:
        v = certify(&e, &p, now, &r, &scratch[0])
    return v.residual, EQUATIONS[v.equation], v.i, v.s
