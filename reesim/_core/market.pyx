"""The market for rare earths, (15): mine price and wedges, each complementary to its own limit."""

from libc.math cimport INFINITY, NAN, fabs

import numpy as np

from reesim._core.blocks cimport Economy, Policy, bind_economy, bind_policy, f64


cdef inline f64 cap_of(const Economy* e, const Policy* p, Py_ssize_t i) noexcept nogil:
    if i == e.supplier or p.embargo[i] == INFINITY:
        return INFINITY
    return p.embargo[i] * e.ree_use0[i]


cdef f64 mine_price_under_tax(const Economy* e, const Policy* p, const f64* value, f64* held) noexcept nogil:
    """Price that clears supply with taxes and embargoes alone; marks embargoes that bind in ``held``."""
    cdef Py_ssize_t i
    cdef f64 mine, free_value, free_supply
    cdef bint grew = True
    mine = 0.0
    for i in range(e.N):
        held[i] = 0.0
    while grew:
        grew = False
        free_value, free_supply = 0.0, e.supply
        for i in range(e.N):
            if held[i] == 0.0:
                free_value += value[i] / (e.tax0[i] * p.tax[i])
            else:
                free_supply -= cap_of(e, p, i)
        mine = free_value / free_supply
        for i in range(e.N):
            if held[i] == 0.0 and value[i] / e.tax0[i] > cap_of(e, p, i) * p.tax[i] * mine:
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


cdef Clearing nothing_clears(Py_ssize_t N, f64* embargo_wedge, f64* ree_price) noexcept nogil:
    """An iteration gone astray must see that it has."""
    cdef Clearing found
    cdef Py_ssize_t i
    found.mine_price = found.quota_wedge = found.limit = NAN
    for i in range(N):
        embargo_wedge[i] = ree_price[i] = NAN
    return found


cdef Clearing clear_rare_earths(
    const Economy* e, const Policy* p, const f64* value, f64* embargo_wedge, f64* ree_price
) noexcept nogil:
    """Clear the market at given spending of users; fills embargo wedges and user prices q_i = tau_i w_R."""
    cdef Clearing found
    cdef Py_ssize_t i
    cdef f64 use, foreign_use = 0.0
    found.quota_wedge = 0.0
    if e.supply == 0.0:  # nobody uses rare earths: any price clears
        found.mine_price, found.limit = 1.0, INFINITY
        for i in range(e.N):
            embargo_wedge[i] = 0.0
            ree_price[i] = 1.0 if i == e.supplier else p.tax[i]
        return found
    for i in range(e.N):
        if not (value[i] > 0.0 and value[i] < INFINITY) and e.ree_use0[i] > 0.0:
            return nothing_clears(e.N, embargo_wedge, ree_price)
    found.mine_price = mine_price_under_tax(e, p, value, embargo_wedge)
    found.limit = p.quota * e.foreign_use0
    for i in range(e.N):
        if i != e.supplier:
            use = value[i] / (e.tax0[i] * p.tax[i] * found.mine_price)
            foreign_use += cap_of(e, p, i) if embargo_wedge[i] != 0.0 else use
    if foreign_use > found.limit:
        found.mine_price = value[e.supplier] / e.tax0[e.supplier] / (e.supply - found.limit)
        found.quota_wedge = wedge_under_quota(e, p, value, found.mine_price, found.limit, embargo_wedge)
    for i in range(e.N):
        if embargo_wedge[i] != 0.0:
            embargo_wedge[i] = value[i] / e.tax0[i] / (found.mine_price * cap_of(e, p, i)) - p.tax[i] - found.quota_wedge
        if i == e.supplier:
            ree_price[i] = found.mine_price
        else:
            ree_price[i] = found.mine_price * (p.tax[i] + found.quota_wedge + embargo_wedge[i])
    return found


cdef void add_rare_earth_income(
    const Economy* e, const Policy* p, const f64* value, const f64* ree_price, f64 mine, f64 quota, f64* income
) noexcept nogil:
    """Mines, taxes and rents go to the supplier, less the rents importers keep, (15)-(16)."""
    cdef Py_ssize_t i
    cdef f64 kept
    for i in range(e.N):
        kept = p.rent_share * value[i] * quota * mine / ree_price[i] if i != e.supplier else 0.0
        income[i] += kept
        income[e.supplier] += value[i] - kept


def clear(parameters, const f64[::1] policy, const f64[::1] value):
    """Mine price, quota wedge, embargo wedges and user prices; the twin of ``reference.clear_rare_earths``."""
    cdef const f64[::1] block = parameters.block
    cdef Py_ssize_t N = parameters.regions
    cdef Economy e = bind_economy(&block[0], N, parameters.sectors, parameters.supplier, parameters.entry_in_final_good, False)
    cdef Policy p = bind_policy(&policy[0], N)
    cdef f64[::1] embargo = np.empty(N)
    cdef f64[::1] price = np.empty(N)
    if value.shape[0] != N or policy.shape[0] != 2 * N + 2:
        raise ValueError("policy and value do not fit the economy")
    cdef Clearing found = clear_rare_earths(&e, &p, &value[0], &embargo[0], &price[0])
    return found.mine_price, found.quota_wedge, np.asarray(embargo), np.asarray(price)
