"""The market for rare earths, (15): mine price and wedges, each complementary to its own limit.

Where the supplier's mines are the only ones and their output is given, the market clears in closed form. Otherwise demand and
supply meet at roots of falling functions of one number, each found by Newton's method inside a bracket.
"""

from libc.math cimport INFINITY, NAN, exp, expm1, fabs, isfinite, log, pow

import numpy as np

from reesim._core.blocks cimport Economy, Policy, bind_economy, bind_policy, f64, policy_size

cdef enum:
    ROOT_STEPS = 200

cdef struct Flow:               # an amount and its derivative by the log of a price
    f64 amount
    f64 slope

cdef struct Market:             # what the functions whose roots are sought take
    const Economy* e
    const Policy* p
    const f64* value
    const f64* wage
    f64 mine_price
    f64 limit                   # on imports abroad
    Py_ssize_t i                # one market by itself, where imports are held at `held`
    f64 held

ctypedef Flow (*Falling)(const Market* m, f64 x) noexcept nogil


cdef inline f64 cap_of(const Economy* e, const Policy* p, Py_ssize_t i) noexcept nogil:
    if i == e.supplier or p.embargo[i] == INFINITY:
        return INFINITY
    return p.embargo[i] * e.ree_use0[i]


cdef inline f64 wedge_of(const Economy* e, const Policy* p, f64 quota, Py_ssize_t i) noexcept nogil:
    return 1.0 if i == e.supplier else p.tax[i] + quota


cdef inline f64 mined(const Economy* e, const Policy* p, Py_ssize_t j, Py_ssize_t i, f64 price, f64 wage) noexcept nogil:
    """Output of mines owned in j that sell in i, (15)."""
    cdef f64 capacity = p.mine_supply[j * e.N + i] * e.supply
    return capacity if e.ree_elasticity[j] == 0.0 else capacity * pow(price / wage, e.ree_elasticity[j])


cdef bint any_mines(const Economy* e, const Policy* p) noexcept nogil:
    """Whether anyone but the supplier mines."""
    cdef Py_ssize_t k
    cdef f64 total = 0.0
    for k in range(e.N * e.N):
        total += p.mine_supply[k]
    return total > 0.0


# --- the supplier's mines alone, their output given --------------------------------------------------------------------------


cdef f64 mine_price_under_tax(const Economy* e, const Policy* p, const f64* value, f64 supply, f64* held) noexcept nogil:
    """Price that clears supply with taxes and embargoes alone; marks embargoes that bind in ``held``."""
    cdef Py_ssize_t i
    cdef f64 mine, free_value, free_supply
    cdef bint grew = True
    mine = 0.0
    for i in range(e.N):
        held[i] = 0.0
    while grew:
        grew = False
        free_value, free_supply = 0.0, supply
        for i in range(e.N):
            if held[i] == 0.0:
                free_value += value[i] / (e.tax0[i] * wedge_of(e, p, 0.0, i))
            else:
                free_supply -= cap_of(e, p, i)
        mine = free_value / free_supply
        for i in range(e.N):
            if held[i] == 0.0 and value[i] / e.tax0[i] > cap_of(e, p, i) * wedge_of(e, p, 0.0, i) * mine:
                held[i] = 1.0
                grew = True
    return mine


cdef f64 wedge_under_quota(const Economy* e, const Policy* p, const f64* value, f64 mine, f64 limit, f64* held) noexcept nogil:
    """Wedge at which foreign use meets the limit: without caps it is too high, each cap that then binds lowers it."""
    cdef Py_ssize_t i, _step
    cdef f64 x = 0.0
    cdef f64 total, slope, target, step, ratio
    cdef bint grew = True
    for i in range(e.N):
        held[i] = 0.0
    while grew:
        grew = False
        target = limit
        for i in range(e.N):
            if held[i] != 0.0:
                target -= cap_of(e, p, i)
        target *= mine
        x = 0.0
        for _step in range(60):  # Newton on the reciprocal: exact at once when taxes are equal
            total = slope = 0.0
            for i in range(e.N):
                if held[i] == 0.0 and i != e.supplier:
                    ratio = value[i] / e.tax0[i] / (p.tax[i] + x)
                    total += ratio
                    slope += ratio / (p.tax[i] + x)
            step = total * (total - target) / (target * slope)
            x += step
            if not fabs(step) > 4e-16 * (1.0 + x):
                break
        for i in range(e.N):
            if held[i] == 0.0 and i != e.supplier and value[i] / e.tax0[i] > cap_of(e, p, i) * mine * (p.tax[i] + x):
                held[i] = 1.0
                grew = True
    return x


cdef Clearing clear_given_supply(
    const Economy* e, const Policy* p, const f64* value, f64 supply, f64* embargo_wedge, f64* ree_price
) noexcept nogil:
    """The market in closed form; fills embargo wedges and user prices q_i = tau_i w_R."""
    cdef Clearing found
    cdef Py_ssize_t i
    cdef f64 use, foreign_use = 0.0, limit = p.quota * e.foreign_use0
    found.quota_wedge = 0.0
    found.mine_price = mine_price_under_tax(e, p, value, supply, embargo_wedge)
    for i in range(e.N):
        if i != e.supplier:
            use = value[i] / (e.tax0[i] * p.tax[i] * found.mine_price)
            foreign_use += cap_of(e, p, i) if embargo_wedge[i] != 0.0 else use
    if foreign_use > limit:
        found.mine_price = value[e.supplier] / e.tax0[e.supplier] / (supply - limit)
        found.quota_wedge = wedge_under_quota(e, p, value, found.mine_price, limit, embargo_wedge)
    for i in range(e.N):
        if embargo_wedge[i] != 0.0:
            embargo_wedge[i] = value[i] / e.tax0[i] / (found.mine_price * cap_of(e, p, i)) - p.tax[i] - found.quota_wedge
        ree_price[i] = found.mine_price * (wedge_of(e, p, found.quota_wedge, i) + embargo_wedge[i])
    return found


# --- mines elsewhere, or a supply that follows the price ---------------------------------------------------------------------


cdef f64 falling_root(Falling f, const Market* m, f64 x) noexcept nogil:
    """Root of a falling function of a log: Newton's step where it stays inside the bracket, else a way into it."""
    cdef f64 low = -INFINITY
    cdef f64 high = INFINITY
    cdef f64 new, width = 1.0
    cdef Flow at
    cdef int _step
    for _step in range(ROOT_STEPS):
        at = f(m, x)
        if at.amount == 0.0:
            return x
        if at.amount > 0.0:
            low = x
        elif at.amount < 0.0:
            high = x
        else:
            return NAN
        new = x - at.amount / at.slope if at.slope < 0.0 else INFINITY * at.amount
        if not low < new < high:
            if isfinite(low) and isfinite(high):
                new = 0.5 * (low + high)
            else:
                new = x + width if at.amount > 0.0 else x - width
                width *= 2.0
        elif not fabs(new - x) < 10.0:  # a flat stretch: the slope there says nothing about far away
            new = x + 10.0 if new > x else x - 10.0
        if not fabs(new - x) > 2e-16 * (1.0 + fabs(x)):
            return new
        x = new
    return NAN


cdef Flow imports(const Market* m, Py_ssize_t i, f64 price) noexcept nogil:
    """What users in i import at a price: their use less what mines sell there, within its limits."""
    cdef Py_ssize_t j
    cdef f64 output, cap = cap_of(m.e, m.p, i)
    cdef Flow found
    found.amount = m.value[i] / m.e.tax0[i] / price
    found.slope = -found.amount
    for j in range(m.e.N):
        if m.p.mine_supply[j * m.e.N + i] > 0.0:
            output = mined(m.e, m.p, j, i, price, m.wage[j])
            found.amount -= output
            found.slope -= m.e.ree_elasticity[j] * output
    if found.amount < 0.0:
        found.amount = found.slope = 0.0
    elif found.amount > cap:
        found.amount, found.slope = cap, 0.0
    return found


cdef Flow supplier_output(const Market* m, f64 mine) noexcept nogil:
    """Output of the supplier's own mines, up to the production quota, (15)."""
    cdef f64 power = m.e.ree_elasticity[m.e.supplier]
    cdef f64 share = m.p.ree_supply if power == 0.0 else m.p.ree_supply * pow(mine / m.wage[m.e.supplier], power)
    cdef Flow found
    found.amount, found.slope = m.e.supply * share, power * m.e.supply * share
    if share > m.p.ree_limit:
        found.amount, found.slope = m.e.supply * m.p.ree_limit, 0.0
    return found


cdef Flow excess(const Market* m, f64 log_mine) noexcept nogil:
    """World demand for the supplier's output less that output, with taxes and embargoes alone."""
    cdef Py_ssize_t i
    cdef f64 mine = exp(log_mine)
    cdef Flow one, total = supplier_output(m, mine)
    total.amount, total.slope = -total.amount, -total.slope
    for i in range(m.e.N):
        one = imports(m, i, wedge_of(m.e, m.p, 0.0, i) * mine)
        total.amount += one.amount
        total.slope += one.slope
    return total


cdef Flow excess_at_home(const Market* m, f64 log_mine) noexcept nogil:
    """The same when imports abroad stand at the quota."""
    cdef f64 mine = exp(log_mine)
    cdef Flow home = imports(m, m.e.supplier, mine), output = supplier_output(m, mine)
    home.amount += m.limit - output.amount
    home.slope -= output.slope
    return home


cdef Flow imports_abroad(const Market* m, f64 wedge) noexcept nogil:
    cdef Py_ssize_t i
    cdef Flow one, total
    cdef f64 tau
    total.amount = total.slope = 0.0
    for i in range(m.e.N):
        if i != m.e.supplier:
            tau = m.p.tax[i] + wedge
            one = imports(m, i, tau * m.mine_price)
            total.amount += one.amount
            total.slope += one.slope * (1.0 + wedge) / tau
    return total


cdef Flow excess_abroad(const Market* m, f64 log_wedge) noexcept nogil:
    """Imports abroad over the quota, by the log of one plus its wedge."""
    cdef Flow total = imports_abroad(m, expm1(log_wedge))
    total.amount -= m.limit
    return total


cdef Flow gap(const Market* m, f64 log_price) noexcept nogil:
    """Use less what mines sell and imports held where they stand, in one market."""
    cdef Py_ssize_t j
    cdef f64 output, price = exp(log_price)
    cdef Flow found
    found.amount = m.value[m.i] / m.e.tax0[m.i] / price
    found.slope = -found.amount
    found.amount -= m.held
    for j in range(m.e.N):
        if m.p.mine_supply[j * m.e.N + m.i] > 0.0:
            output = mined(m.e, m.p, j, m.i, price, m.wage[j])
            found.amount -= output
            found.slope -= m.e.ree_elasticity[j] * output
    return found


cdef Clearing clear_in_general(Market* m, f64* embargo_wedge, f64* ree_price) noexcept nogil:
    """The market with mines elsewhere and supplies that follow prices; fills embargo wedges and user prices."""
    cdef Clearing found
    cdef const Economy* e = m.e
    cdef const Policy* p = m.p
    cdef Py_ssize_t i
    cdef f64 tau, cap
    found.quota_wedge = 0.0
    found.mine_price = exp(falling_root(excess, m, 0.0))
    m.mine_price, m.limit = found.mine_price, p.quota * e.foreign_use0
    if imports_abroad(m, 0.0).amount > m.limit:
        m.mine_price = found.mine_price = exp(falling_root(excess_at_home, m, log(found.mine_price)))
        found.quota_wedge = expm1(falling_root(excess_abroad, m, 0.0))
    for i in range(e.N):
        tau = wedge_of(e, p, found.quota_wedge, i)
        embargo_wedge[i], ree_price[i] = 0.0, tau * found.mine_price
        if not m.value[i] > 0.0:
            continue
        m.i, m.held, cap = i, 0.0, cap_of(e, p, i)
        if gap(m, log(ree_price[i])).amount > cap:
            m.held = cap  # the embargo binds
        elif gap(m, log(ree_price[i])).amount >= 0.0:
            continue  # otherwise mines that sell here leave no room for imports
        ree_price[i] = exp(falling_root(gap, m, log(ree_price[i])))
        embargo_wedge[i] = ree_price[i] / found.mine_price - tau
        if embargo_wedge[i] < 0.0:
            embargo_wedge[i] = 0.0
    return found


# --- either ----------------------------------------------------------------------------------------------------------------


cdef Clearing nothing_clears(Py_ssize_t N, f64* embargo_wedge, f64* ree_price) noexcept nogil:
    """An iteration gone astray must see that it has."""
    cdef Clearing found
    cdef Py_ssize_t i
    found.mine_price = found.quota_wedge = NAN
    for i in range(N):
        embargo_wedge[i] = ree_price[i] = NAN
    return found


cdef Clearing clear_rare_earths(
    const Economy* e, const Policy* p, const f64* value, const f64* wage, f64* embargo_wedge, f64* ree_price
) noexcept nogil:
    """Clear the market at given spending of users and wages of mines; fills embargo wedges and user prices."""
    cdef Clearing found
    cdef Market m
    cdef Py_ssize_t i
    if e.supply == 0.0:  # nobody uses rare earths: any price clears
        found.mine_price, found.quota_wedge = 1.0, 0.0
        for i in range(e.N):
            embargo_wedge[i], ree_price[i] = 0.0, wedge_of(e, p, 0.0, i)
        return found
    for i in range(e.N):
        if not (value[i] > 0.0 and value[i] < INFINITY) and e.ree_use0[i] > 0.0:
            return nothing_clears(e.N, embargo_wedge, ree_price)
    if e.ree_elasticity[e.supplier] == 0.0 and not any_mines(e, p):
        return clear_given_supply(
            e, p, value, e.supply * (p.ree_supply if p.ree_supply < p.ree_limit else p.ree_limit), embargo_wedge, ree_price
        )
    m.e, m.p, m.value, m.wage, m.mine_price, m.limit, m.i, m.held = e, p, value, wage, 1.0, INFINITY, 0, 0.0
    return clear_in_general(&m, embargo_wedge, ree_price)


cdef void add_rare_earth_income(
    const Economy* e, const Policy* p, const f64* value, const f64* ree_price, f64 quota, const f64* wage, f64* income
) noexcept nogil:
    """Owners of mines get what is paid where they sell; all else goes to the supplier, less the rents importers keep, (16)."""
    cdef Py_ssize_t i, j, N = e.N
    cdef f64 receipt, kept, imported, mine = ree_price[e.supplier]
    cdef bint mines = e.supply > 0.0 and any_mines(e, p)
    for i in range(N):
        imported = value[i]
        if mines:
            for j in range(N):
                if p.mine_supply[j * N + i] > 0.0:
                    receipt = mined(e, p, j, i, ree_price[i], wage[j]) * e.tax0[i] * ree_price[i]
                    income[j] += receipt
                    imported -= receipt
        kept = p.rent_share * imported * quota * mine / ree_price[i] if i != e.supplier else 0.0
        income[i] += kept
        income[e.supplier] += imported - kept


def clear(parameters, const f64[::1] policy, const f64[::1] value, const f64[::1] wage):
    """Mine price, quota wedge, embargo wedges and user prices; the twin of ``reference.clear_rare_earths``."""
    cdef const f64[::1] block = parameters.block
    cdef Py_ssize_t N = parameters.regions, S = parameters.sectors
    if value.shape[0] != N or wage.shape[0] != N or policy.shape[0] != policy_size(N, S):
        raise ValueError("policy, value or wage do not fit the economy")
    cdef Economy e = bind_economy(&block[0], N, S, parameters.supplier, parameters.entry_in_final_good, False)
    cdef Policy p = bind_policy(&policy[0], N, S)
    cdef f64[::1] embargo = np.empty(N)
    cdef f64[::1] price = np.empty(N)
    cdef Clearing found = clear_rare_earths(&e, &p, &value[0], &wage[0], &embargo[0], &price[0])
    return found.mine_price, found.quota_wedge, np.asarray(embargo), np.asarray(price)
