"""The temporary equilibrium, (20): what is settled at the opening of a period, one pass through the markets, and its solution."""

from reesim._core.blocks cimport Economy, Policy, Row, f64
from reesim._core.trade cimport Costs

cdef enum:
    MEMORY = 30                 # factors that the solver may learn before it forgets them all

cdef struct AtOnce:
    bint entry
    bint price
    bint trade

cdef struct Work:               # scratch memory of one solver; nothing outlives a call but `regime`, `period` and `learned`
    # regime: what follows from policy alone
    Costs costs
    f64* log_productivity       # is
    f64* log_subsidy            # is
    f64* endowment              # i, labour
    f64* optimal_power          # s, 1 - sigma
    f64* power_at_shares        # s, (1 - sigma) / sigma
    # period: settled at its opening
    f64* log_A_R
    f64* log_A_L
    f64* log_p
    f64* labour                 # i, what producers can hire
    const f64* trade_share      # jis; the state's, where trade lags
    f64* pull                   # is: a dollar spent in i is sold by j as price_weight pull_j whole_i, where trade is at once
    f64* whole                  # is
    const f64* sales_weight     # jis, what arrives at producers
    const f64* border_weight    # jis, what arrives at the border
    const f64* price_weight     # jis, of the terms in a composite price
    const f64* price_gain       # is
    f64* own_weight             # jis, memory behind the three where trade lags
    f64* take                   # is, share of spending that goes to tariffs
    f64* log_P
    f64* log_P_C
    f64* final_share
    f64* materials              # sum_k phi log P, by cell
    # pass
    f64* wage
    f64* new_wage
    f64* ree_price
    f64* share_R
    f64* log_v
    f64* log_c
    f64* ratio                  # what a producer spends on inputs for a dollar of sales
    f64* spent
    f64* sales
    f64* border                 # is, sales at border prices
    f64* spending
    f64* value
    f64* income
    f64* embargo
    f64* new_price
    f64* term                   # four numbers a cell
    f64* to_ree                 # what a dollar of sales pays to mines, labour and owners, by cell
    f64* to_labour
    f64* to_owners
    # Broyden
    f64* learned                # `held`, `up` and `down` as one block
    f64* held                   # factors in use, a count
    f64* up
    f64* down
    f64* x_new
    f64* move
    f64* regional               # (2N, 2N) or (3N, 3N), the regional correction less one
    f64* region                 # two of 2N numbers
    f64* end                    # of the memory in use
    f64* weight                 # spending on a composite over its region's
    f64* price_average          # sales of a sector over its region's

cdef Py_ssize_t unknowns(Py_ssize_t N, Py_ssize_t S, AtOnce at_once) noexcept nogil
cdef Py_ssize_t work_size(Py_ssize_t N, Py_ssize_t S) noexcept nogil
cdef Py_ssize_t learned_size(Py_ssize_t n) noexcept nogil
cdef Work bind_work(f64* block, f64* learned, Py_ssize_t N, Py_ssize_t S, Py_ssize_t n) noexcept nogil
cdef void set_regime(const Economy* e, const Policy* p, Work* w) noexcept nogil
cdef void open_period(const Economy* e, const Policy* p, AtOnce at_once, const Row* state, Work* w) noexcept nogil
cdef void temporary_map(const Economy* e, const Policy* p, AtOnce at_once, Work* w, const f64* x, f64* x_new) noexcept nogil
cdef void fill_row(
    const Economy* e, const Policy* p, AtOnce at_once, const Row* state, Work* w, const f64* x, Row* out
) noexcept nogil
cdef void final_prices(const Economy* e, const f64* log_P, f64* log_P_C, f64* final_share) noexcept nogil
