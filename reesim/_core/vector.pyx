"""Elementary functions of whole arrays, by NumPy's own vectorised inner loops, without the interpreter.

NumPy picks the best loop for the processor when it is imported (one to two nanoseconds a number with AVX-512, where the C
library's scalar functions take ten to twenty). The loops are plain C functions behind `numpy.exp` and its like.
"""

cimport numpy as cnp
from numpy cimport npy_intp

import numpy as np

ctypedef void (*Loop)(char** arrays, const npy_intp* lengths, const npy_intp* strides, void* data) noexcept nogil

cdef struct Function:
    Loop loop
    void* data


cdef Function loop_of(cnp.ufunc function) except *:
    """Inner loop from double to double."""
    cdef Function found
    cdef int k
    for k in range(function.ntypes):
        if function.types[2 * k] == cnp.NPY_DOUBLE and function.types[2 * k + 1] == cnp.NPY_DOUBLE:
            found.loop = <Loop> <void*> function.functions[k]  # NumPy lets go of the lock around it, too
            found.data = function.data[k] if function.data != NULL else NULL
            return found
    raise ImportError(f"this NumPy has no loop for doubles behind {function!r}")


cdef Function EXP = loop_of(np.exp)
cdef Function LOG = loop_of(np.log)
cdef Function EXPM1 = loop_of(np.expm1)
cdef Function LOG1P = loop_of(np.log1p)


cdef inline void apply(Function function, Py_ssize_t n, const f64* x, f64* out) noexcept nogil:
    cdef char* arrays[2]
    cdef npy_intp length = n
    cdef npy_intp strides[2]
    arrays[0], arrays[1] = <char*> x, <char*> out
    strides[0] = strides[1] = sizeof(f64)
    function.loop(arrays, &length, strides, function.data)


cdef void vexp(Py_ssize_t n, const f64* x, f64* out) noexcept nogil:
    apply(EXP, n, x, out)


cdef void vlog(Py_ssize_t n, const f64* x, f64* out) noexcept nogil:
    apply(LOG, n, x, out)


cdef void vexpm1(Py_ssize_t n, const f64* x, f64* out) noexcept nogil:
    apply(EXPM1, n, x, out)


cdef void vlog1p(Py_ssize_t n, const f64* x, f64* out) noexcept nogil:
    apply(LOG1P, n, x, out)


def apply_all(const f64[::1] x):
    """Exp, log, expm1 and log1p of an array, for the test that compares them with NumPy's."""
    out = np.empty((4, x.shape[0]))
    cdef f64[:, ::1] view = out
    vexp(x.shape[0], &x[0], &view[0, 0])
    vlog(x.shape[0], &x[0], &view[1, 0])
    vexpm1(x.shape[0], &x[0], &view[2, 0])
    vlog1p(x.shape[0], &x[0], &view[3, 0])
    return out
