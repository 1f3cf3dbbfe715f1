"""One pass through the static system: its workspace, and what solvers call."""

from reesim._core.blocks cimport Economy, Policy, Row, f64
from reesim._core.market cimport Clearing
from reesim._core.trade cimport Costs

cdef struct Static:
    bint endogenous
    bint free                   # entry is free and paid in labour: research is part of the payroll
    bint rare                   # rare earths are used
    bint produced_subsidies
    bint research_subsidies
    Costs costs
    f64* power                  # 1 - sigma, by sector
    f64* log_subsidy            # is, of output
    f64* log_productivity       # is
    f64* lean                   # is, what entry subsidies add to log A_R/A_L
    f64* slope                  # is, of the bundles' relative price in the factors': 1 / (1 + theta z) where R varieties enter
    f64* per_sale               # is, one over baseline sales, 0 where nothing is sold
    f64* per_spent              # is, one over baseline spending, 0 where nothing is bought
    f64* unbought               # is, 1 there
    f64* log_p
    f64* pull
    f64* whole
    f64* log_P
    f64* final_share
    f64* materials
    f64* share_R
    f64* log_gain
    f64* log_v
    f64* log_A_R
    f64* log_A_L
    f64* sales
    f64* spent
    f64* new_spent
    f64* log_y
    f64* scratch                # is
    f64* log_P_C
    f64* labour                 # i, that producers and free research can hire
    f64* endowment
    f64* wage
    f64* log_wage
    f64* log_ree
    f64* value
    f64* income
    f64* embargo
    f64* price
    f64* received               # i, what all exporters get of its spending, net of tariffs
    Clearing market

cdef Py_ssize_t static_size(Py_ssize_t N, Py_ssize_t S) noexcept nogil
cdef Static bind_static(f64* block, const Economy* e, bint endogenous) noexcept nogil
cdef Py_ssize_t static_unknowns(const Economy* e) noexcept nogil
cdef void set_policy(const Economy* e, const Policy* p, Static* w) noexcept nogil
cdef void static_map(const Economy* e, const Policy* p, Static* w, const f64* x, f64* x_new, Row* out) noexcept nogil
