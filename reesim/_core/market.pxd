from reesim._core.blocks cimport Economy, Policy, f64

cdef struct Clearing:
    f64 mine_price
    f64 quota_wedge
    f64 limit                   # on foreign use, at mine prices; inf when there is none

cdef Clearing clear_rare_earths(
    const Economy* e, const Policy* p, const f64* value, f64* embargo_wedge, f64* ree_price
) noexcept nogil
cdef void add_rare_earth_income(
    const Economy* e, const Policy* p, const f64* value, const f64* ree_price, f64 mine, f64 quota, f64* income
) noexcept nogil
