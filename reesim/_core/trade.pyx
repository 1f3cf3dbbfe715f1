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
    const f64* tariff, const f64* export_tax, const f64* iceberg, bint by_flow, Costs* c
) noexcept nogil:
    """Prepare a regime. ``share0``: baseline shares; all but ``sigma`` by j, i and s.

    Without ``by_flow`` only weights and ``gain`` are kept: ``log_kappa``, ``net`` and ``delivered`` are those of one exporter.
    """
    cdef Py_ssize_t j, k, s, row = N * S, flows = N * N * S
    cdef Py_ssize_t stride = row if by_flow else 0
    cdef f64* log_kappa
    cdef f64* net
    cdef f64* delivered
    cdef f64* weight
    cdef const f64* share
    c.bent = c.taxed = c.export_taxed = False
    for k in range(flows):
        c.bent = c.bent or iceberg[k] != 1.0 or tariff[k] != tariff0[k] or export_tax[k] != export_tax0[k]
        c.taxed = c.taxed or tariff[k] != 1.0 or export_tax[k] != 1.0
        c.export_taxed = c.export_taxed or export_tax[k] != 1.0
    place(c, flows)
    memset(c.gain, 0, row * sizeof(f64))
    for j in range(N):
        log_kappa, net, delivered = c.log_kappa + j * stride, c.net + j * stride, c.delivered + j * stride
        share, weight, k = share0 + j * row, c.weight + j * row, j * row
        memcpy(weight, share, row * sizeof(f64))
        if c.bent:
            bend(N, S, share, sigma, tariff0 + k, export_tax0 + k, tariff + k, export_tax + k, iceberg + k, log_kappa, net,
                 weight, c.gain)
        elif by_flow:
            memset(log_kappa, 0, row * sizeof(f64))
        if c.taxed or by_flow:
            for s in range(row):
                delivered[s] = 1.0 / tariff[k + s]
                net[s] = delivered[s] / export_tax[k + s]
        if c.taxed:
            for s in range(row):
                c.net_weight[k + s] = weight[s] * net[s]
        if c.export_taxed:
            for s in range(row):
                c.delivered_weight[k + s] = weight[s] * delivered[s]


cdef void bend(
    Py_ssize_t N, Py_ssize_t S, const f64* share0, const f64* sigma, const f64* tariff0, const f64* export_tax0,
    const f64* tariff, const f64* export_tax, const f64* iceberg, f64* log_kappa, f64* scratch, f64* weight, f64* gain
) noexcept nogil:
    """Trade costs of one exporter, and what they make of its weights and of ``gain``."""
    cdef Py_ssize_t i, k, s, row = N * S
    for k in range(row):
        log_kappa[k] = iceberg[k] * (tariff[k] / tariff0[k]) * (export_tax[k] / export_tax0[k])
    vlog(row, log_kappa, log_kappa)
    for i in range(N):
        for s in range(S):
            weight[i * S + s] = (1.0 - sigma[s]) * log_kappa[i * S + s]
    vexpm1(row, weight, scratch)
    vexp(row, weight, weight)  # not one plus the other: what is left of trade at high costs keeps its digits
    for i in range(N):
        for s in range(S):
            k = i * S + s
            gain[k] += share0[k] * (log_kappa[k] if sigma[s] == 1.0 else scratch[k])
            weight[k] *= share0[k]


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
