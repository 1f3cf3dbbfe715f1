"""Bind C structs to the flat blocks described in ``layout.py``."""

import numpy as np


cdef Economy bind_economy(
    const f64* block, Py_ssize_t N, Py_ssize_t S, Py_ssize_t supplier, bint in_good, bint follows
) noexcept nogil:
    cdef Economy e
    cdef Py_ssize_t cells = N * S
    cdef Py_ssize_t i
    cdef const f64* at = block
    e.N, e.S, e.supplier, e.in_good, e.deficit_follows_income = N, S, supplier, in_good, follows
    e.trade_share0 = at
    at += N * cells
    e.tariff0 = at
    at += N * cells
    e.export_tax0 = at
    at += N * cells
    e.phi_va = at
    at += cells
    e.phi = at
    at += cells * S
    e.alpha = at
    at += cells
    e.ree_share0 = at
    at += cells
    e.revenue0 = at
    at += cells
    e.expenditure0 = at
    at += cells
    e.research_R0 = at
    at += cells
    e.research_L0 = at
    at += cells
    e.labour0 = at
    at += N
    e.deficit0 = at
    at += N
    e.deficit_share = at
    at += N
    e.ree_use0 = at
    at += N
    e.ree_supply = at
    at += N
    e.ree_elasticity = at
    at += N
    e.tax0 = at
    at += N
    e.sigma = at
    at += S
    e.epsilon = at
    at += S
    e.rho, e.mu, e.theta = at[0], at[1], at[2]
    e.numeraire = e.supply = e.foreign_use0 = 0.0
    for i in range(N):
        e.numeraire += e.labour0[i]
        e.supply += e.ree_supply[i]
        if i != supplier:
            e.foreign_use0 += e.ree_use0[i]
    return e


cdef Policy bind_policy(const f64* block, Py_ssize_t N, Py_ssize_t S) noexcept nogil:
    cdef Policy p
    cdef Py_ssize_t cells = N * S
    cdef const f64* at = block + 2 * N + 4
    p.block = block
    p.tax, p.embargo = block, block + N
    p.quota, p.rent_share, p.ree_supply, p.ree_limit = block[2 * N], block[2 * N + 1], block[2 * N + 2], block[2 * N + 3]
    p.mine_supply = at
    at += N * N
    p.labour = at
    at += N
    p.productivity, p.output_subsidy, p.entry_subsidy_R, p.entry_subsidy_L = at, at + cells, at + 2 * cells, at + 3 * cells
    at += 4 * cells
    p.tariff, p.export_tax, p.iceberg = at, at + N * cells, at + 2 * N * cells
    return p


cdef Row bind_row(f64* block, Py_ssize_t N, Py_ssize_t S) noexcept nogil:
    cdef Row r
    cdef Py_ssize_t cells = N * S
    cdef f64* at = block
    r.A_R = at
    at += cells
    r.A_L = at
    at += cells
    r.posted_price = at
    at += cells
    r.trade_share = at
    at += N * cells
    r.wage = at
    at += N
    r.ree_price = at
    at += N
    r.ree_mine_price = at
    at += 1
    r.ree_wedge_quota = at
    at += 1
    r.ree_wedge_embargo = at
    at += N
    r.final_demand = at
    at += N
    r.price_consumption = at
    at += N
    r.price_index = at
    at += cells
    r.expenditure = at
    at += cells
    r.revenue = at
    at += cells
    r.spending = at
    at += cells
    r.unit_cost = at
    at += cells
    r.value_added_price = at
    at += cells
    r.ree_share = at
    return r


cdef Py_ssize_t row_size(Py_ssize_t N, Py_ssize_t S) noexcept nogil:
    return 5 * N + 2 + (10 + N) * N * S


cdef Py_ssize_t policy_size(Py_ssize_t N, Py_ssize_t S) noexcept nogil:
    return 3 * N + 4 + N * N + (4 + 3 * N) * N * S


def row_offsets(Py_ssize_t regions, Py_ssize_t sectors):
    """Offsets of the row's arrays as the compiled core sees them, for the test that holds it to ``layout.py``."""
    cdef Row r = bind_row(NULL, regions, sectors)
    return {
        "A_R": <Py_ssize_t> r.A_R // 8, "A_L": <Py_ssize_t> r.A_L // 8, "posted_price": <Py_ssize_t> r.posted_price // 8,
        "trade_share": <Py_ssize_t> r.trade_share // 8, "wage": <Py_ssize_t> r.wage // 8,
        "ree_price": <Py_ssize_t> r.ree_price // 8,
        "ree_mine_price": <Py_ssize_t> r.ree_mine_price // 8, "ree_wedge_quota": <Py_ssize_t> r.ree_wedge_quota // 8,
        "ree_wedge_embargo": <Py_ssize_t> r.ree_wedge_embargo // 8, "final_demand": <Py_ssize_t> r.final_demand // 8,
        "price_consumption": <Py_ssize_t> r.price_consumption // 8, "price_index": <Py_ssize_t> r.price_index // 8,
        "expenditure": <Py_ssize_t> r.expenditure // 8, "revenue": <Py_ssize_t> r.revenue // 8,
        "spending": <Py_ssize_t> r.spending // 8, "unit_cost": <Py_ssize_t> r.unit_cost // 8,
        "value_added_price": <Py_ssize_t> r.value_added_price // 8, "ree_share": <Py_ssize_t> r.ree_share // 8,
    }  # fmt: skip


def block_sizes(Py_ssize_t regions, Py_ssize_t sectors):
    """Sizes of a row and of a policy block as the compiled core sees them."""
    return row_size(regions, sectors), policy_size(regions, sectors)


def policy_offsets(Py_ssize_t regions, Py_ssize_t sectors):
    """Offsets of the policy's arrays as the compiled core sees them, for the same test."""
    block = np.arange(policy_size(regions, sectors), dtype=np.float64)
    cdef f64[::1] view = block
    cdef Policy p = bind_policy(&view[0], regions, sectors)
    return {
        "tax": p.tax[0], "embargo": p.embargo[0], "quota": p.quota, "rent_share": p.rent_share, "ree_supply": p.ree_supply,
        "ree_limit": p.ree_limit, "mine_supply": p.mine_supply[0], "labour": p.labour[0], "productivity": p.productivity[0],
        "output_subsidy": p.output_subsidy[0], "entry_subsidy_R": p.entry_subsidy_R[0],
        "entry_subsidy_L": p.entry_subsidy_L[0], "tariff": p.tariff[0], "export_tax": p.export_tax[0], "iceberg": p.iceberg[0],
    }  # fmt: skip
