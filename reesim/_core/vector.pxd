"""Elementary functions of whole arrays, by NumPy's own vectorised inner loops, without the interpreter."""

from reesim._core.blocks cimport f64

cdef void vexp(Py_ssize_t n, const f64* x, f64* out) noexcept nogil
cdef void vlog(Py_ssize_t n, const f64* x, f64* out) noexcept nogil
cdef void vexpm1(Py_ssize_t n, const f64* x, f64* out) noexcept nogil
cdef void vlog1p(Py_ssize_t n, const f64* x, f64* out) noexcept nogil
