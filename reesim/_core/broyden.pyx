"""Solves the temporary equilibrium: Broyden's good method on a pass of the markets, with a regional correction.

The twin of ``broyden`` and ``regional_correction`` in ``reference_engine``. What a solve learns serves the next one.
"""

from libc.math cimport fabs, fmax, isfinite
from libc.string cimport memset

from reesim._core.blocks cimport Economy, Policy, f64
from reesim._core.sums cimport add_scaled, dot
from reesim._core.temporary cimport MEMORY, AtOnce, Work, temporary_map, unknowns

cdef enum:
    PASSES = 400

cdef f64 TOLERANCE = 1e-13
cdef f64 LONGEST = 0.5  # move of any unknown in one pass: far from the solution a longer one overshoots


cdef Py_ssize_t regional_directions(Py_ssize_t N, AtOnce at_once) noexcept nogil:
    """Spending and wage of every region, and its prices where they adjust at once."""
    return (3 if at_once.price else 2) * N


cdef void regional_residual(const Economy* e, bint price_at_once, const Work* w, const f64* residual, f64* out) noexcept nogil:
    """Residuals of a region's spending and prices, each averaged, and of its wage."""
    cdef Py_ssize_t i, N = e.N, S = e.S
    for i in range(N):
        out[i], out[N + i] = dot(S, w.weight + i * S, residual + i * S), residual[N * S + i]
        if price_at_once:
            out[2 * N + i] = dot(S, w.price_average + i * S, residual + N * S + 2 * N + i * S)


cdef void add_regional(const Economy* e, f64* x, Py_ssize_t direction, f64 amount) noexcept nogil:
    """Move along one regional direction: all spending of a region, its wage, or all its prices."""
    cdef Py_ssize_t c, N = e.N, S = e.S, i = direction % N
    cdef f64* cells = x if direction < N else x + N * S + 2 * N
    if N <= direction < 2 * N:
        x[N * S + i] += amount
        return
    for c in range(i * S, (i + 1) * S):
        cells[c] += amount


cdef void set_regional_correction(const Economy* e, const Policy* p, AtOnce at_once, Work* w, f64* x, f64* dense) noexcept nogil:
    """Derivative of the regional residuals, one row a regional direction, at an opened baseline; the caller inverts it.

    ``x`` is scratch of as many numbers as there are unknowns. What the solver has learned stays.
    """
    cdef Py_ssize_t c, d, r, n = unknowns(e.N, e.S, at_once), size = regional_directions(e.N, at_once)
    cdef f64 spent, sold, step = 1e-6
    for r in range(e.N):
        spent = sold = 0.0
        for c in range(r * e.S, (r + 1) * e.S):
            spent += e.expenditure0[c]
            sold += e.revenue0[c]
        for c in range(r * e.S, (r + 1) * e.S):
            w.weight[c], w.price_average[c] = e.expenditure0[c] / spent, e.revenue0[c] / sold
    memset(x, 0, n * sizeof(f64))
    for c in range(e.N * e.S):
        x[c] = 1.0
    temporary_map(e, p, at_once, w, x, w.move)
    for d in range(size):
        add_regional(e, x, d, step)
        temporary_map(e, p, at_once, w, x, w.x_new)
        add_regional(e, x, d, -step)
        for c in range(n):
            w.x_new[c] = (w.move[c] - w.x_new[c]) / step
        regional_residual(e, at_once.price, w, w.x_new, dense + d * size)
        dense[d * size + d] += 1.0


cdef int solve_temporary(
    const Economy* e, const Policy* p, AtOnce at_once, Work* w, f64* x, f64* worst, Py_ssize_t* where
) noexcept nogil:
    """Solve the opened period from the guess in ``x``. Returns passes used, or 0 if tolerance was not reached.

    What one solve learns of the inverse Jacobian, ``up`` and ``down``, serves the next: the economy moves little in a period.
    """
    cdef Py_ssize_t n = unknowns(e.N, e.S, at_once), size = regional_directions(e.N, at_once)
    cdef Py_ssize_t c, d, f, held = <Py_ssize_t> w.held[0]
    cdef int passes
    cdef f64 along, norm, longest, shortened = 1.0
    cdef f64* z = w.x_new
    cdef f64* regional = w.region
    cdef f64* up
    cdef f64* down
    for passes in range(1, PASSES + 1):
        temporary_map(e, p, at_once, w, x, z)
        worst[0], where[0] = 0.0, 0
        for c in range(n):
            z[c] -= x[c]
            if not fabs(z[c]) <= worst[0]:
                worst[0], where[0] = fabs(z[c]), c
        if worst[0] <= TOLERANCE:
            return passes
        if not isfinite(worst[0]):
            return 0
        regional_residual(e, at_once.price, w, z, regional)
        for d in range(size):
            add_regional(e, z, d, dot(size, w.regional + d * size, regional))
        for f in range(held):
            add_scaled(n, dot(n, w.down + f * n, z), w.up + f * n, z)
        if passes > 1:  # the secant of the last move, shortened to a share of `move` or not
            up, down = w.up + held * n, w.down + held * n
            along = dot(n, w.move, z)
            norm = dot(n, w.move, w.move) - along
            for c in range(n):
                up[c] = z[c] - (1.0 - shortened) * w.move[c]
                down[c] = w.move[c] / norm
                z[c] += up[c] * (along / norm)
            held = held + 1 if held < MEMORY else 0
            w.held[0] = held
        longest = 0.0
        for c in range(n):
            longest = fmax(longest, fabs(z[c]))
        shortened = LONGEST / longest if longest > LONGEST else 1.0
        for c in range(n):
            w.move[c] = z[c]
            x[c] += shortened * z[c]
    return 0
