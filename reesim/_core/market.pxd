from reesim._core.blocks cimport Economy, Policy, f64

cdef struct Clearing:
    f64 mine_price
    f64 quota_wedge

cdef Clearing clear_rare_earths(
    const Economy* e, const Policy* p, const f64* value, const f64* wage, f64* embargo_wedge, f64* ree_price
) noexcept nogil
cdef void add_rare_earth_income(
    const Economy* e, const Policy* p, const f64* value, const f64* ree_price, f64 quota, const f64* wage, f64* income
) noexcept nogil
