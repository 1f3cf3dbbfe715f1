"""Trade, (10)-(12) and (14): what a regime puts between producers and buyers, CES sums over whole arrays."""

from reesim._core.blocks cimport f64

cdef struct Costs:              # of one regime, over N regions and S sectors
    bint bent                   # some price differs from the baseline's relation to the producer's
    bint taxed                  # some tariff or export tax
    bint export_taxed
    f64* block                  # memory of all that follows
    f64* log_kappa              # jis, buyer's over producer's price
    f64* weight                 # jis, b kappa^(1 - sigma)
    f64* gain                   # is, sum over j of b (kappa^(1 - sigma) - 1), or of b log kappa at sigma = 1
    f64* net                    # jis, what the producer gets of a dollar spent
    f64* delivered              # jis, what arrives at the border of it
    f64* net_weight             # jis, weight net
    f64* delivered_weight       # jis

cdef f64 FAR                    # distance of a power mean's power from one below which it is not written around one

cdef Py_ssize_t costs_size(Py_ssize_t N, Py_ssize_t S) noexcept nogil
cdef Costs bind_costs(f64* block, Py_ssize_t N, Py_ssize_t S) noexcept nogil
cdef void set_costs(
    Py_ssize_t N, Py_ssize_t S, const f64* share0, const f64* sigma, const f64* tariff0, const f64* export_tax0,
    const f64* tariff, const f64* export_tax, const f64* iceberg, bint by_flow, Costs* c
) noexcept nogil
cdef void ces_terms(Py_ssize_t n, Py_ssize_t S, const f64* power, const f64* log_x, f64* out) noexcept nogil
cdef void ces_logs(Py_ssize_t n, Py_ssize_t S, const f64* power, const f64* total, f64* out) noexcept nogil
cdef void trade_prices(
    Py_ssize_t N, Py_ssize_t S, const f64* power, const Costs* c, const f64* log_p, f64* pull, f64* whole, f64* log_P
) noexcept nogil
cdef void trade_shares(Py_ssize_t N, Py_ssize_t S, const Costs* c, const f64* pull, const f64* whole, f64* share) noexcept nogil
