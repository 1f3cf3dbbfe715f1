from reesim._core.blocks cimport Economy, Policy, Row, f64
from reesim._core.temporary cimport AtOnce

cdef struct Verdict:
    f64 residual                # largest relative residual; nan counts as infinite
    int equation                # position in `EQUATIONS`
    Py_ssize_t i
    Py_ssize_t s

cdef Py_ssize_t certificate_scratch(Py_ssize_t N, Py_ssize_t S) noexcept nogil
cdef Verdict certify(const Economy* e, const Policy* p, AtOnce at_once, const Row* r, f64* scratch) noexcept nogil
