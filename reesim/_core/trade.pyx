"""Trade, (10)-(12) and (14): what a regime puts between producers and buyers, CES sums over whole arrays.

Trade costs enter as kappa^(1 - sigma) times the baseline share: that factor changes with policy alone, so that a pass takes as
many exponentials as there are prices, not trade flows.
"""

from libc.math cimport NAN, log
from libc.string cimport memcpy, memset

from reesim._core.blocks cimport f64
from reesim._core.sums cimport importer_sums
from reesim._core.vector cimport vexp, vexpm1, vlog, vlog1p

FAR = -0.5


cdef Py_ssize_t costs_size(Py_ssize_t N, Py_ssize_t S) noexcept nogil:
    return 6 * N * N * S + N * S


cdef Costs bind_costs(f64* block, Py_ssize_t N, Py_ssize_t S) noexcept nogil:
    cdef Costs c
    c.bent = c.taxed = c.export_taxed = False
    c.block = block
    place(&c, N * N * S)
    return c


cdef void place(Costs* c, Py_ssize_t flows) noexcept nogil:
    """Name the parts of the block. What nothing makes different is one array: a sum less to bring from memory."""
    c.log_kappa, c.weight, c.net, c.delivered = c.block, c.block + flows, c.block + 2 * flows, c.block + 3 * flows
    c.net_weight = c.block + 4 * flows if c.taxed else c.weight
    c.delivered_weight = c.block + 5 * flows if c.export_taxed else c.net_weight
    c.gain = c.block + 6 * flows


cdef void set_costs(
    Py_ssize_t N, Py_ssize_t S, const f64* share0, const f64* sigma, const f64* tariff0, const f64* export_tax0,
    const f64* tariff, const f64* export_tax, const f64* iceberg, Costs* c
) noexcept nogil:
    """Prepare a regime. ``share0``: baseline shares; all but ``sigma`` by j, i and s."""
    cdef Py_ssize_t k, i, s, pair, flows = N * N * S
    c.bent = c.taxed = c.export_taxed = False
    for k in range(flows):
        c.log_kappa[k] = iceberg[k] * (tariff[k] / tariff0[k]) * (export_tax[k] / export_tax0[k])
        c.bent = c.bent or c.log_kappa[k] != 1.0
        c.taxed = c.taxed or tariff[k] != 1.0 or export_tax[k] != 1.0
        c.export_taxed = c.export_taxed or export_tax[k] != 1.0
    place(c, flows)
    memset(c.gain, 0, N * S * sizeof(f64))
    if c.bent:
        vlog(flows, c.log_kappa, c.log_kappa)
        for pair in range(N * N):
            for s in range(S):
                c.weight[pair * S + s] = (1.0 - sigma[s]) * c.log_kappa[pair * S + s]
        vexpm1(flows, c.weight, c.net)  # net is free until below
        for pair in range(N * N):
            i = pair % N
            for s in range(S):
                k = pair * S + s
                c.gain[i * S + s] += share0[k] * (c.log_kappa[k] if sigma[s] == 1.0 else c.net[k])
        vexp(flows, c.weight, c.weight)  # not one plus the other: what is left of trade at high costs keeps its digits
        for k in range(flows):
            c.weight[k] *= share0[k]
    else:
        memset(c.log_kappa, 0, flows * sizeof(f64))
        memcpy(c.weight, share0, flows * sizeof(f64))
    for k in range(flows):
        c.delivered[k] = 1.0 / tariff[k]
        c.net[k] = c.delivered[k] / export_tax[k]
    if c.taxed:
        for k in range(flows):
            c.net_weight[k] = c.weight[k] * c.net[k]
    if c.export_taxed:
        for k in range(flows):
            c.delivered_weight[k] = c.weight[k] * c.delivered[k]


cdef void ces_terms(Py_ssize_t n, Py_ssize_t S, const f64* power, const f64* log_x, f64* out) noexcept nogil:
    """What weights multiply inside power means: x^power - 1 over n rows of S, or log x where the power of a sector is 0."""
    cdef Py_ssize_t r, s
    for r in range(n):
        for s in range(S):
            out[r * S + s] = power[s] * log_x[r * S + s]
    vexpm1(n * S, out, out)
    for s in range(S):
        if power[s] == 0.0:
            for r in range(n):
                out[r * S + s] = log_x[r * S + s]


cdef void ces_logs(Py_ssize_t n, Py_ssize_t S, const f64* power, const f64* total, f64* out) noexcept nogil:
    """Log of power means from the weighted sums of `ces_terms`; ``out`` is not ``total``."""
    cdef Py_ssize_t r, s
    vlog1p(n * S, total, out)
    for r in range(n):
        for s in range(S):
            out[r * S + s] = total[r * S + s] if power[s] == 0.0 else out[r * S + s] / power[s]


cdef void trade_prices(
    Py_ssize_t N, Py_ssize_t S, const f64* power, const Costs* c, const f64* log_p, f64* pull, f64* whole, f64* log_P
) noexcept nogil:
    """Composite prices at optimal shares, (11), and the two factors of those shares: pi_jis = weight_jis pull_js whole_is.

    ``power`` is 1 - sigma by sector. With N S numbers each: ``pull``, p^(1 - sigma); ``whole``, P^(sigma - 1); ``log_P``.
    """
    cdef Py_ssize_t j, r, s
    cdef f64 total
    ces_terms(N, S, power, log_p, pull)
    importer_sums(N, S, c.weight, pull, whole)
    for r in range(N * S):
        whole[r] += c.gain[r]
    ces_logs(N, S, power, whole, log_P)
    for r in range(N):
        for s in range(S):
            pull[r * S + s] = power[s] * log_p[r * S + s]  # zero where shares stay
    vexp(N * S, pull, pull)
    for r in range(N):
        for s in range(S):
            if power[s] == 0.0:
                whole[r * S + s] = 1.0
            elif whole[r * S + s] > FAR:
                whole[r * S + s] = 1.0 / (1.0 + whole[r * S + s])
            else:  # far above the baseline little is left of one: then the sum itself has more digits than its distance
                total = 0.0
                for j in range(N):
                    total += c.weight[(j * N + r) * S + s] * pull[j * S + s]
                log_P[r * S + s] = log(total) / power[s] if total > 0.0 else NAN  # an iteration gone astray must see it
                whole[r * S + s] = 1.0 / total if total > 0.0 else NAN


cdef void trade_shares(Py_ssize_t N, Py_ssize_t S, const Costs* c, const f64* pull, const f64* whole, f64* share) noexcept nogil:
    """Optimal shares from their factors, (11)."""
    cdef Py_ssize_t i, j, s, at
    for j in range(N):
        for i in range(N):
            at = (j * N + i) * S
            for s in range(S):
                share[at + s] = c.weight[at + s] * pull[j * S + s] * whole[i * S + s]
