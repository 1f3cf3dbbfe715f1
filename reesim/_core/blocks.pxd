"""C views of the core's blocks: pointers into contiguous memory in the order of ``layout.py``; a test holds the two together."""

ctypedef double f64

cdef struct Economy:
    Py_ssize_t N
    Py_ssize_t S
    Py_ssize_t supplier
    bint in_good                # entry is paid in the final good
    bint deficit_follows_income
    const f64* trade_share0     # jis
    const f64* tariff0          # jis
    const f64* export_tax0      # jis
    const f64* phi_va           # is
    const f64* phi              # iks
    const f64* alpha            # is
    const f64* ree_share0       # is
    const f64* revenue0         # is
    const f64* expenditure0     # is
    const f64* research_R0      # is
    const f64* research_L0      # is
    const f64* labour0          # i
    const f64* deficit0         # i
    const f64* deficit_share    # i
    const f64* ree_use0         # i
    const f64* ree_supply       # i
    const f64* ree_elasticity   # i
    const f64* tax0             # i
    const f64* sigma            # s
    const f64* epsilon          # s
    f64 rho
    f64 mu
    f64 theta
    f64 numeraire               # world labour income
    f64 supply                  # world supply of rare earths
    f64 foreign_use0            # baseline exports of rare earths

cdef struct Policy:
    const f64* block            # the whole, to tell one regime from another
    const f64* tax              # i
    const f64* embargo          # i
    f64 quota
    f64 rent_share
    f64 ree_supply
    f64 ree_limit
    const f64* mine_supply      # ji
    const f64* labour           # i
    const f64* productivity     # is
    const f64* output_subsidy   # is
    const f64* entry_subsidy_R  # is
    const f64* entry_subsidy_L  # is
    const f64* tariff           # jis
    const f64* export_tax       # jis
    const f64* iceberg          # jis

cdef struct Row:
    f64* A_R
    f64* A_L
    f64* posted_price
    f64* trade_share
    f64* wage
    f64* ree_price
    f64* ree_mine_price
    f64* ree_wedge_quota
    f64* ree_wedge_embargo
    f64* final_demand
    f64* price_consumption
    f64* price_index
    f64* expenditure
    f64* revenue
    f64* spending
    f64* unit_cost
    f64* value_added_price
    f64* ree_share

cdef Economy bind_economy(
    const f64* block, Py_ssize_t N, Py_ssize_t S, Py_ssize_t supplier, bint in_good, bint follows
) noexcept nogil
cdef Policy bind_policy(const f64* block, Py_ssize_t N, Py_ssize_t S) noexcept nogil
cdef Row bind_row(f64* block, Py_ssize_t N, Py_ssize_t S) noexcept nogil
cdef Py_ssize_t row_size(Py_ssize_t N, Py_ssize_t S) noexcept nogil
cdef Py_ssize_t policy_size(Py_ssize_t N, Py_ssize_t S) noexcept nogil
