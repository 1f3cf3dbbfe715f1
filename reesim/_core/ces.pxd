"""Scalar formulas of the CES nests, inlined: one line of algebra each, with its limit at power 0."""

from libc.math cimport exp, expm1, log, log1p

from reesim._core.blocks cimport f64

cdef struct Nest:
    f64 log_gain                # log v - log P_L
    f64 share                   # of the R bundle


cdef inline Nest ree_nest(f64 share0, f64 z, f64 relative) noexcept nogil:
    """(5) at relative = log(P_R / P_L), z = 1 - epsilon."""
    cdef Nest nest
    cdef f64 change, gain
    if share0 == 0.0:
        nest.log_gain = nest.share = 0.0
        return nest
    if z == 0.0:
        nest.log_gain, nest.share = share0 * relative, share0
        return nest
    change = expm1(z * relative)
    gain = share0 * change
    nest.log_gain = log1p(gain) / z
    nest.share = share0 * (1.0 + change) / (1.0 + gain)
    return nest


cdef inline f64 ces_term(f64 power, f64 log_x) noexcept nogil:
    """What a weight multiplies inside a power mean; at power 0, log x itself."""
    return log_x if power == 0.0 else expm1(power * log_x)


cdef inline f64 ces_log(f64 power, f64 total) noexcept nogil:
    """Log of the power mean, from the weighted sum of `ces_term`."""
    return total if power == 0.0 else log1p(total) / power
