"""The temporary equilibrium, (20): what is settled at the opening of a period, one pass through the markets, and its solution."""

from reesim._core.blocks cimport Economy, Policy, Row, f64

cdef enum:
    MEMORY = 30                 # factors that the solver may learn before it forgets them all

cdef struct AtOnce:
    bint entry
    bint price
    bint trade

cdef struct Work:               # scratch memory of one solver; nothing in it outlives a call but what is named `period`
    # period: settled at its opening
    f64* log_A_R
    f64* log_A_L
    f64* log_p
    f64* trade_share
    f64* log_P
    f64* log_P_C
    f64* final_share
    f64* materials              # sum_k phi log P, by cell
    f64* labour
    # pass
    f64* wage
    f64* ree_price
    f64* share_R
    f64* log_v
    f64* log_c
    f64* ratio                  # c / p
    f64* sales
    f64* spending
    f64* spent
    f64* value
    f64* income
    f64* embargo
    f64* new_price
    f64* term
    f64* to_ree                 # what a dollar of sales pays to mines, labour and owners, by cell
    f64* to_labour
    f64* to_owners
    # Broyden
    f64* learned                # `held`, `up` and `down` as one block
    f64* held                   # factors in use, a count
    f64* x
    f64* x_new
    f64* move
    f64* up
    f64* down
    f64* regional               # (2N, 2N), the regional correction less one
    f64* weight                 # sales of a cell over its region's

cdef Py_ssize_t unknowns(Py_ssize_t N, Py_ssize_t S, AtOnce at_once) noexcept nogil
cdef Py_ssize_t work_size(Py_ssize_t N, Py_ssize_t S) noexcept nogil
cdef Work bind_work(f64* block, Py_ssize_t N, Py_ssize_t S) noexcept nogil
cdef void optimal_shares(const Economy* e, const f64* log_p, f64* trade_share, f64* log_P, f64* scratch) noexcept nogil
cdef void open_period(const Economy* e, AtOnce at_once, const Row* state, Work* w) noexcept nogil
cdef void temporary_map(const Economy* e, const Policy* p, AtOnce at_once, Work* w, const f64* x, f64* x_new) noexcept nogil
cdef void fill_row(
    const Economy* e, const Policy* p, AtOnce at_once, const Row* state, Work* w, const f64* x, Row* out
) noexcept nogil
cdef Py_ssize_t learned_size(Py_ssize_t n) noexcept nogil
cdef void final_prices(const Economy* e, const f64* log_P, f64* log_P_C, f64* final_share) noexcept nogil
cdef void material_costs(const Economy* e, const f64* log_P, f64* materials) noexcept nogil
