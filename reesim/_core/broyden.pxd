from reesim._core.blocks cimport Economy, Policy, f64
from reesim._core.temporary cimport AtOnce, Work

cdef Py_ssize_t regional_directions(Py_ssize_t N, AtOnce at_once) noexcept nogil
cdef void set_regional_correction(const Economy* e, const Policy* p, AtOnce at_once, Work* w, f64* x, f64* dense) noexcept nogil
cdef int solve_temporary(
    const Economy* e, const Policy* p, AtOnce at_once, Work* w, f64* x, f64* worst, Py_ssize_t* where
) noexcept nogil
