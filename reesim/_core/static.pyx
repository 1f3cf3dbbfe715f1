"""The static equilibrium solved directly: Anderson acceleration on a system with measures eliminated by (7)-(8).

The twin of ``reference_engine.static_map`` and ``reference_engine.anderson``. Shares no iteration code with the stepper.
Unknowns: log c, log w, log q, log Y/Y0.
"""

from libc.math cimport exp, fabs, isfinite, log, sqrt
from libc.string cimport memcpy, memset

from reesim._core.blocks cimport Economy, Policy, Row, bind_economy, bind_policy, bind_row, f64, policy_size, row_size
from reesim._core.ces cimport Nest, ree_nest
from reesim._core.market cimport Clearing, add_rare_earth_income, clear_rare_earths
from reesim._core.temporary cimport final_prices, material_costs, optimal_shares

import numpy as np

cdef enum:
    PASSES = 160
    MEMORY = 40

cdef f64 TOLERANCE = 2e-12
cdef f64 INDEPENDENT = 1e-13  # of a column's length that must be left after taking out the columns before it

cdef struct Static:
    bint endogenous
    bint free                   # entry is free and paid in labour: research is part of the payroll
    f64* trade_share
    f64* log_P
    f64* final_share
    f64* materials
    f64* share_R
    f64* log_v
    f64* log_A_R
    f64* log_A_L
    f64* sales
    f64* spent
    f64* scratch
    f64* log_P_C
    f64* labour
    f64* value
    f64* income
    f64* embargo
    f64* price
    Clearing market


cdef Py_ssize_t static_size(Py_ssize_t N, Py_ssize_t S) noexcept nogil:
    return N * N * S + 11 * N * S + 6 * N


cdef Static bind_static(f64* block, const Economy* e, bint endogenous) noexcept nogil:
    cdef Static w
    cdef Py_ssize_t i, c, N = e.N, cells = e.N * e.S
    cdef f64* at = block
    w.endogenous, w.free = endogenous, endogenous and not e.in_good
    w.trade_share = at
    at += N * cells
    w.log_P, w.final_share, w.materials, w.share_R, w.log_v = at, at + cells, at + 2 * cells, at + 3 * cells, at + 4 * cells
    w.log_A_R, w.log_A_L, w.sales, w.spent = at + 5 * cells, at + 6 * cells, at + 7 * cells, at + 8 * cells
    w.scratch = at + 9 * cells  # two numbers a cell
    at += 11 * cells
    w.log_P_C, w.labour, w.value, w.income, w.embargo, w.price = at, at + N, at + 2 * N, at + 3 * N, at + 4 * N, at + 5 * N
    for i in range(N):
        w.labour[i] = e.labour0[i]
        if not endogenous and not e.in_good:
            for c in range(i * e.S, (i + 1) * e.S):
                w.labour[i] -= e.research_R0[c] + e.research_L0[c]
    return w


cdef void technology(const Economy* e, Static* w, const f64* log_wage, const f64* log_ree, const f64* log_y) noexcept nogil:
    """Bundle shares, measures and price of value added, free entry solved out: (8) gives A_R/A_L, (7) then A_L."""
    cdef Py_ssize_t i, s, c
    cdef f64 z, relative, log_unit
    cdef Nest nest
    for i in range(e.N):
        log_unit = w.log_P_C[i] if e.in_good else log_wage[i]
        for s in range(e.S):
            c = i * e.S + s
            z = 1.0 - e.epsilon[s]
            relative = log_ree[i] - log_wage[i]
            w.log_A_R[c] = w.log_A_L[c] = 0.0
            if w.endogenous:
                relative /= 1.0 + e.theta * z
            nest = ree_nest(e.ree_share0[c], z, relative)
            if w.endogenous:
                w.log_A_L[c] = -z * nest.log_gain + log_y[c] - log_unit  # (1 - s_R) / (1 - s_R0) = exp(-z log_gain)
                if e.ree_share0[c] > 0.0:
                    w.log_A_R[c] = w.log_A_L[c] + z * relative
            w.share_R[c] = nest.share
            w.log_v[c] = log_wage[i] - e.theta * w.log_A_L[c] + nest.log_gain


cdef void rare_earth_value(const Economy* e, Static* w) noexcept nogil:
    """What users spend on rare earths, (15)."""
    cdef Py_ssize_t i, c
    for i in range(e.N):
        w.value[i] = 0.0
        for c in range(i * e.S, (i + 1) * e.S):
            w.value[i] += w.share_R[c] * e.phi_va[c] * w.sales[c]
        w.value[i] *= (e.mu - 1.0) / e.mu


cdef void static_incomes(const Economy* e, const Policy* p, Static* w, const f64* log_wage) noexcept nogil:
    """Final demand, (16)."""
    cdef Py_ssize_t i, c
    cdef f64 world = 0.0, wanted = 0.0
    for i in range(e.N):
        w.income[i] = exp(log_wage[i]) * w.labour[i]
        if not w.free:
            for c in range(i * e.S, (i + 1) * e.S):
                w.income[i] += e.phi_va[c] * w.sales[c] / e.mu
    add_rare_earth_income(e, p, w.value, w.price, w.market.mine_price, w.market.quota_wedge, w.income)
    if not e.deficit_follows_income:
        for i in range(e.N):
            w.income[i] += e.deficit0[i]
        return
    for i in range(e.N):
        world += w.income[i]
        wanted += e.deficit_share[i] * w.income[i]
    for i in range(e.N):
        w.income[i] *= 1.0 + e.deficit_share[i] - wanted / world


cdef void static_sales(const Economy* e, Static* w) noexcept nogil:
    """One round of the expenditure circuit, (13)-(14)."""
    cdef Py_ssize_t i, j, k, s, N = e.N, S = e.S
    cdef f64 amount
    for i in range(N):
        for s in range(S):
            w.spent[i * S + s] = w.final_share[i * S + s] * w.income[i]
        for k in range(S):
            amount = w.sales[i * S + k]
            for s in range(S):
                w.spent[i * S + s] += e.phi[(i * S + k) * S + s] * amount
    memset(w.sales, 0, N * S * sizeof(f64))
    for j in range(N):
        for i in range(N):
            for s in range(S):
                w.sales[j * S + s] += w.trade_share[(j * N + i) * S + s] * w.spent[i * S + s]


cdef void static_map(const Economy* e, const Policy* p, Static* w, const f64* x, f64* x_new, Row* out) noexcept nogil:
    """One pass: prices, sales, factor markets, technology, costs, each with what came before it. ``out`` may be NULL."""
    cdef Py_ssize_t i, c, cells = e.N * e.S
    cdef const f64* log_wage = x + cells
    cdef const f64* log_ree = log_wage + e.N
    cdef const f64* log_y = log_ree + e.N
    cdef f64* new_wage = x_new + cells
    cdef f64* new_ree = new_wage + e.N
    cdef f64* new_y = new_ree + e.N
    cdef f64 factor = 1.0 if w.free else (e.mu - 1.0) / e.mu
    cdef f64 world = 0.0
    optimal_shares(e, x, w.trade_share, w.log_P, w.scratch)
    final_prices(e, w.log_P, w.log_P_C, w.final_share)
    technology(e, w, log_wage, log_ree, log_y)
    for c in range(cells):
        w.sales[c] = exp(log_y[c]) * e.revenue0[c]
    rare_earth_value(e, w)
    w.market = clear_rare_earths(e, p, w.value, w.embargo, w.price)
    static_incomes(e, p, w, log_wage)
    if out != NULL:
        static_row(e, w, x, out)
    static_sales(e, w)
    if out != NULL:
        memcpy(out.expenditure, w.spent, cells * sizeof(f64))
    rare_earth_value(e, w)
    w.market = clear_rare_earths(e, p, w.value, w.embargo, w.price)
    for i in range(e.N):
        new_wage[i] = -w.value[i]
        for c in range(i * e.S, (i + 1) * e.S):
            new_wage[i] += factor * e.phi_va[c] * w.sales[c]
        new_wage[i] /= w.labour[i]
        world += new_wage[i] * e.labour0[i]
    for i in range(e.N):
        new_wage[i] = log(new_wage[i] * (e.numeraire / world))
        new_ree[i] = log(w.price[i])
    for c in range(cells):
        new_y[c] = log(w.sales[c] / e.revenue0[c])
    technology(e, w, new_wage, new_ree, new_y)
    material_costs(e, w.log_P, w.materials)
    for c in range(cells):
        x_new[c] = e.phi_va[c] * w.log_v[c] + w.materials[c]


cdef void static_row(const Economy* e, const Static* w, const f64* x, Row* out) noexcept nogil:
    """Read the equilibrium off at the unknowns."""
    cdef Py_ssize_t i, c, cells = e.N * e.S
    for c in range(cells):
        out.posted_price[c] = out.unit_cost[c] = exp(x[c])
        out.A_R[c], out.A_L[c] = exp(w.log_A_R[c]), exp(w.log_A_L[c])
        out.price_index[c], out.value_added_price[c] = exp(w.log_P[c]), exp(w.log_v[c])
        out.ree_share[c], out.revenue[c], out.spending[c] = w.share_R[c], w.sales[c], w.sales[c]
    for i in range(e.N):
        out.wage[i], out.ree_price[i] = exp(x[cells + i]), w.price[i]
        out.price_consumption[i], out.final_demand[i] = exp(w.log_P_C[i]), w.income[i]
        out.ree_wedge_embargo[i] = w.embargo[i]
    out.ree_mine_price[0], out.ree_wedge_quota[0] = w.market.mine_price, w.market.quota_wedge
    memcpy(out.trade_share, w.trade_share, e.N * cells * sizeof(f64))


cdef int anderson(
    const Economy* e, const Policy* p, Static* w, f64* x, f64* r, f64* last_r, f64* Q, f64* dG, f64* R, f64* worst
) noexcept nogil:
    """Combine all passes so that the residual is smallest in least squares; the factorisation grows by a column a pass.

    ``Q``, ``dG``: (MEMORY, n); ``R``: (MEMORY + 1, MEMORY), its last row scratch. Returns passes, or 0 if not solved.
    """
    cdef Py_ssize_t n = 2 * e.N * e.S + 2 * e.N
    cdef Py_ssize_t c, k, m, held = 0
    cdef Py_ssize_t limit = min(MEMORY, n // 2)  # more moves than that say little new in a small system
    cdef int passes
    cdef f64 dot, norm, whole
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
        if passes > 1:
            if held == limit:
                held = 0
            q = Q + held * n
            whole = 0.0
            for c in range(n):  # the last move is already in dG: add the change of residual
                q[c] = r[c] - last_r[c]
                dG[held * n + c] += q[c]
                whole += q[c] * q[c]
            for k in range(held):
                dot = 0.0
                for c in range(n):
                    dot += Q[k * n + c] * q[c]
                R[k * MEMORY + held] = dot
                for c in range(n):
                    q[c] -= dot * Q[k * n + c]
            norm = 0.0
            for c in range(n):
                norm += q[c] * q[c]
            norm = sqrt(norm)
            R[held * MEMORY + held] = norm
            if norm > INDEPENDENT * sqrt(whole):  # otherwise the pass has taught nothing new
                for c in range(n):
                    q[c] /= norm
                held += 1
        memcpy(last_r, r, n * sizeof(f64))
        for k in range(held):
            dot = 0.0
            for c in range(n):
                dot += Q[k * n + c] * r[c]
            gamma[k] = dot
        for k in range(held - 1, -1, -1):
            for m in range(k + 1, held):
                gamma[k] -= R[k * MEMORY + m] * gamma[m]
            gamma[k] /= R[k * MEMORY + k]
        for k in range(held):
            for c in range(n):
                r[c] -= gamma[k] * dG[k * n + c]
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
    """

    cdef readonly object parameters
    cdef readonly bint endogenous
    cdef readonly double worst
    cdef readonly int passes
    cdef const f64[::1] economy_block
    cdef f64[::1] memory, x, r, last, Q, dG, R
    cdef Economy economy
    cdef Static work

    def __init__(self, parameters, bint endogenous):
        cdef Py_ssize_t N = parameters.regions, S = parameters.sectors, n = 2 * N * S + 2 * N
        self.parameters, self.endogenous = parameters, endogenous
        self.economy_block = parameters.block
        self.economy = bind_economy(
            &self.economy_block[0], N, S, parameters.supplier, parameters.entry_in_final_good, parameters.deficit_follows_income
        )
        self.memory = np.zeros(static_size(N, S))
        self.work = bind_static(&self.memory[0], &self.economy, endogenous)
        self.x, self.r, self.last = np.zeros(n), np.zeros(n), np.zeros(n)
        self.Q, self.dG, self.R = np.zeros(MEMORY * n), np.zeros(MEMORY * n), np.zeros((MEMORY + 1) * MEMORY)
        self.worst, self.passes = 0.0, 0

    def solve(self, const f64[::1] policy, start=None):
        """Solve at a policy from ``start`` (unknowns, default the baseline). Returns True if tolerance was reached."""
        if policy.shape[0] != policy_size(self.economy.N):
            raise ValueError("policy does not fit the economy")
        cdef Policy p = bind_policy(&policy[0], self.economy.N)
        np.asarray(self.x)[...] = 0.0 if start is None else start
        with nogil:
            self.passes = anderson(
                &self.economy, &p, &self.work, &self.x[0], &self.r[0], &self.last[0],
                &self.Q[0], &self.dG[0], &self.R[0], &self.worst,
            )
        return self.passes > 0

    @property
    def unknowns(self):
        """Log c, log w, log q, log Y/Y0 where the solver stands."""
        return np.array(self.x)

    def residual(self, const f64[::1] policy, const f64[::1] x):
        """One pass from x less x: the system's residual."""
        cdef Policy p = bind_policy(&policy[0], self.economy.N)
        if x.shape[0] != self.x.shape[0] or policy.shape[0] != policy_size(self.economy.N):
            raise ValueError("policy or unknowns do not fit the economy")
        static_map(&self.economy, &p, &self.work, &x[0], &self.r[0], NULL)
        return np.asarray(self.r) - np.asarray(x)

    def row(self, const f64[::1] policy, const f64[::1] x):
        """The row (states and equilibrium) at unknowns x."""
        cdef f64[::1] block = np.zeros(row_size(self.economy.N, self.economy.S))
        cdef Policy p = bind_policy(&policy[0], self.economy.N)
        cdef Row out = bind_row(&block[0], self.economy.N, self.economy.S)
        if x.shape[0] != self.x.shape[0] or policy.shape[0] != policy_size(self.economy.N):
            raise ValueError("policy or unknowns do not fit the economy")
        static_map(&self.economy, &p, &self.work, &x[0], &self.r[0], &out)
        return np.asarray(block)
