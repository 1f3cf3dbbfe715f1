"""The static equilibrium solved directly: Anderson acceleration of a pass, with a regional correction.

The twin of ``reference_engine.anderson``. Shares no iteration code with the stepper.
"""

from libc.math cimport fabs, isfinite, sqrt
from libc.string cimport memcpy

from reesim._core.blocks cimport Economy, Policy, Row, bind_economy, bind_policy, bind_row, f64, policy_size, row_size
from reesim._core.static_map cimport Static, bind_static, set_policy, static_map, static_size, static_unknowns
from reesim._core.sums cimport add_scaled, dot

import numpy as np

from reesim._core.regional import RegionalCorrection

cdef enum:
    PASSES = 200
    MEMORY = 40
    LARGE = 1000  # unknowns from which remembering more than a few moves costs more than it saves
    FEW = 12

cdef f64 TOLERANCE = 2e-12
cdef f64 INDEPENDENT = 1e-13  # of a column's length that must be left after taking out the columns before it

cdef struct Correction:        # of residuals, see `regional`
    const f64* cost_weight      # is
    const f64* spending_weight  # is
    const f64* matrix           # 2N by 2N
    f64* average                # 2N
    f64* move                   # 2N


cdef void correct(const Economy* e, Correction* k, f64* r) noexcept nogil:
    """Move all costs and all spending of a region by what their average residuals call for."""
    cdef Py_ssize_t i, c, N = e.N, S = e.S, cells = e.N * e.S
    for i in range(N):
        k.average[i] = dot(S, k.cost_weight + i * S, r + i * S)
        k.average[N + i] = dot(S, k.spending_weight + i * S, r + cells + i * S)
    for i in range(2 * N):
        k.move[i] = dot(2 * N, k.matrix + i * 2 * N, k.average)
    for i in range(N):
        for c in range(i * S, (i + 1) * S):
            r[c] += k.move[i]
            r[cells + c] += k.move[N + i]


cdef int anderson(
    const Economy* e, const Policy* p, Static* w, Correction* correction, Py_ssize_t memory, f64* x, f64* r, f64* last_r,
    f64* Q, f64* dG, f64* R, f64* worst
) noexcept nogil:
    """Combine passes so that the corrected residual is smallest in least squares; the factorisation grows by a column a pass.

    ``correction`` may be NULL.
    ``Q``, ``dG``: (MEMORY, n); ``R``: (MEMORY + 1, MEMORY), its last row scratch. Returns passes, or 0 if not solved.
    """
    cdef Py_ssize_t n = static_unknowns(e)
    cdef Py_ssize_t c, k, m, held = 0
    cdef Py_ssize_t limit = min(memory, n // 2)  # more moves than that say little new in a small system
    cdef int passes
    cdef f64 norm, whole
    cdef f64* gamma = R + MEMORY * MEMORY
    cdef f64* q
    for passes in range(1, PASSES + 1):
        static_map(e, p, w, x, r, NULL)
        worst[0] = 0.0
        for c in range(n):
            r[c] -= x[c]
            if not fabs(r[c]) <= worst[0]:
                worst[0] = fabs(r[c])
        if worst[0] <= TOLERANCE:
            return passes
        if not isfinite(worst[0]):
            return 0
        if correction != NULL:
            correct(e, correction, r)
        if passes > 1:
            if held == limit:
                held = 0
            q = Q + held * n
            for c in range(n):  # the last move is already in dG: add the change of residual
                q[c] = r[c] - last_r[c]
                dG[held * n + c] += q[c]
            whole = dot(n, q, q)
            for k in range(held):
                R[k * MEMORY + held] = dot(n, Q + k * n, q)
                add_scaled(n, -R[k * MEMORY + held], Q + k * n, q)
            norm = sqrt(dot(n, q, q))
            R[held * MEMORY + held] = norm
            if norm > INDEPENDENT * sqrt(whole):  # otherwise the pass has taught nothing new
                for c in range(n):
                    q[c] /= norm
                held += 1
        memcpy(last_r, r, n * sizeof(f64))
        for k in range(held):
            gamma[k] = dot(n, Q + k * n, r)
        for k in range(held - 1, -1, -1):
            for m in range(k + 1, held):
                gamma[k] -= R[k * MEMORY + m] * gamma[m]
            gamma[k] /= R[k * MEMORY + k]
        for k in range(held):
            add_scaled(n, -gamma[k], dG + k * n, r)
        m = held if held < limit else 0
        for c in range(n):
            x[c] += r[c]
            dG[m * n + c] = r[c]
    return 0


cdef class StaticSolver:
    """Solves static equilibria of one economy; reusable, with memory of its own.

    Parameters
    ----------
    parameters : layout.Parameters
    endogenous : bool
        Technology: free entry if true, measures at baseline if false.
    correction : regional.RegionalCorrection, optional
        Of these parameters, where it is at hand.
    """

    cdef readonly object parameters
    cdef readonly bint endogenous
    cdef readonly double worst
    cdef readonly int passes
    cdef public int memory
    cdef const f64[::1] economy_block
    cdef f64[::1] block, x, r, last, Q, dG, R, row_block, averages
    cdef const f64[:, ::1] cost_weight, spending_weight, matrix
    cdef Economy economy
    cdef Static work
    cdef Correction correction

    def __init__(self, parameters, bint endogenous, correction=None):
        cdef Py_ssize_t N = parameters.regions, S = parameters.sectors, n
        self.parameters, self.endogenous = parameters, endogenous
        self.economy_block = parameters.block
        self.economy = bind_economy(
            &self.economy_block[0], N, S, parameters.supplier, parameters.entry_in_final_good, parameters.deficit_follows_income
        )
        self.block = np.zeros(static_size(N, S))
        self.work = bind_static(&self.block[0], &self.economy, endogenous)
        n = static_unknowns(&self.economy)
        self.x, self.r, self.last = np.zeros(n), np.zeros(n), np.zeros(n)
        self.Q, self.dG, self.R = np.empty(MEMORY * n), np.empty(MEMORY * n), np.zeros((MEMORY + 1) * MEMORY)
        self.row_block, self.averages = np.zeros(row_size(N, S)), np.zeros(4 * N)
        correction = correction or RegionalCorrection.of(parameters)
        self.cost_weight, self.spending_weight = correction.cost_weight, correction.spending_weight
        self.matrix = correction.matrix
        self.correction.cost_weight, self.correction.spending_weight = &self.cost_weight[0, 0], &self.spending_weight[0, 0]
        self.correction.matrix = &self.matrix[0, 0]
        self.correction.average, self.correction.move = &self.averages[0], &self.averages[2 * N]
        self.worst, self.passes = 0.0, 0
        self.memory = MEMORY if n <= LARGE else FEW

    cdef Policy _policy(self, const f64[::1] policy, Py_ssize_t unknowns) except *:
        if policy.shape[0] != policy_size(self.economy.N, self.economy.S) or unknowns != self.x.shape[0]:
            raise ValueError("policy or unknowns do not fit the economy")
        return bind_policy(&policy[0], self.economy.N, self.economy.S)

    def solve(self, const f64[::1] policy, start=None):
        """Solve at a policy from ``start`` (unknowns, default the baseline). Returns True if tolerance was reached.

        Where trade all but ends the baseline's regional correction leads astray: then the plain iteration has its turn.
        """
        cdef Policy p = self._policy(policy, self.x.shape[0])
        cdef Row out = bind_row(&self.row_block[0], self.economy.N, self.economy.S)
        cdef Correction* correction = &self.correction
        cdef int _turn
        for _turn in range(2):
            np.asarray(self.x)[...] = 0.0 if start is None else start
            with nogil:
                set_policy(&self.economy, &p, &self.work)
                self.passes = anderson(
                    &self.economy, &p, &self.work, correction, self.memory, &self.x[0], &self.r[0], &self.last[0],
                    &self.Q[0], &self.dG[0], &self.R[0], &self.worst,
                )
                if self.passes > 0:
                    static_map(&self.economy, &p, &self.work, &self.x[0], &self.r[0], &out)
            if self.passes > 0:
                return True
            correction = NULL
        return False

    @property
    def found(self):
        """The row (states and equilibrium) of the last solve that reached tolerance."""
        return np.array(self.row_block)

    @property
    def unknowns(self):
        """Log c, log E/E0 and, with rare earths, log w and log q where the solver stands."""
        return np.array(self.x)

    def residual(self, const f64[::1] policy, const f64[::1] x):
        """One pass from x less x: the system's residual."""
        cdef Policy p = self._policy(policy, x.shape[0])
        with nogil:
            set_policy(&self.economy, &p, &self.work)
            static_map(&self.economy, &p, &self.work, &x[0], &self.r[0], NULL)
        return np.asarray(self.r) - np.asarray(x)

    def row(self, const f64[::1] policy, const f64[::1] x):
        """The row (states and equilibrium) at unknowns x."""
        block = np.zeros(row_size(self.economy.N, self.economy.S))
        cdef f64[::1] view = block
        cdef Policy p = self._policy(policy, x.shape[0])
        cdef Row out = bind_row(&view[0], self.economy.N, self.economy.S)
        with nogil:
            set_policy(&self.economy, &p, &self.work)
            static_map(&self.economy, &p, &self.work, &x[0], &self.r[0], &out)
        return block
