"""One economy in motion: the temporary equilibrium of a period, and what follows from it, over buffers bound once.

The twin of ``reference_engine.run``. A whole run is one call that holds no lock; `Stepper` owns all memory it writes, so that
several can run in threads, and a copy of its blocks is a branch.
"""

from libc.math cimport exp, log
from libc.string cimport memcpy

from reesim._core.blocks cimport Economy, Policy, Row, bind_economy, bind_policy, bind_row, f64, policy_size, row_size
from reesim._core.broyden cimport set_regional_correction, solve_temporary
from reesim._core.certificate cimport Verdict, certify
from reesim._core.temporary cimport (
    AtOnce, Work, bind_work, fill_row, learned_size, open_period, optimal_shares, unknowns, work_size
)

import numpy as np

from reesim._core.certificate import EQUATIONS


cdef void follow(
    const Economy* e, AtOnce at_once, f64 entry, f64 price, f64 trade, const Row* now, Row* after, Work* w
) noexcept nogil:
    """Prices and trade follow costs and prices, entry follows profit: (21)-(22), simultaneous, from the row just solved."""
    cdef Py_ssize_t i, s, c, cells = e.N * e.S
    cdef f64 va, log_unit
    if not at_once.trade:
        for c in range(cells):
            w.log_p[c] = log(now.posted_price[c])
        optimal_shares(e, w.log_p, after.trade_share, w.log_P, w.term)
        for c in range(e.N * cells):
            after.trade_share[c] = now.trade_share[c] + trade * (after.trade_share[c] - now.trade_share[c])
    else:
        memcpy(after.trade_share, now.trade_share, e.N * cells * sizeof(f64))
    for i in range(e.N):
        log_unit = log(now.price_consumption[i] if e.in_good else now.wage[i])
        for s in range(e.S):
            c = i * e.S + s
            after.posted_price[c], after.A_R[c], after.A_L[c] = now.posted_price[c], now.A_R[c], now.A_L[c]
            if not at_once.price and price > 0.0:
                after.posted_price[c] *= exp(price * log(now.unit_cost[c] / now.posted_price[c]))
            if at_once.entry or entry == 0.0:
                continue
            va = e.phi_va[c] * now.spending[c] / e.mu
            if e.research_R0[c] > 0.0:
                after.A_R[c] *= exp(entry * (log(now.ree_share[c] * va / (e.research_R0[c] * now.A_R[c])) - log_unit))
            after.A_L[c] *= exp(entry * (log((1.0 - now.ree_share[c]) * va / (e.research_L0[c] * now.A_L[c])) - log_unit))


cdef bint same_policy(const Policy* p, f64* last, Py_ssize_t N) noexcept nogil:
    """Whether the policy is that of the period before, which is then overwritten."""
    cdef Py_ssize_t i
    cdef bint same = last[2 * N] == p.quota and last[2 * N + 1] == p.rent_share
    for i in range(N):
        same = same and last[i] == p.tax[i] and last[N + i] == p.embargo[i]
        last[i], last[N + i] = p.tax[i], p.embargo[i]
    last[2 * N], last[2 * N + 1] = p.quota, p.rent_share
    return same


cdef class Stepper:
    """Steps an economy from its baseline.

    Parameters
    ----------
    parameters : layout.Parameters
    speeds : (3,) sequence of float
        Shares of the gap that entry, posted prices and trade shares close in one step, in [0, 1]; 1 is at once, 0 never.

    Attributes
    ----------
    row : ndarray
        Opening state and equilibrium of the last period solved (a copy).
    state : ndarray
        State at the opening of the next period (a view: a user's own rule writes here).
    passes : int
        Passes through the markets so far.
    """

    cdef readonly object parameters
    cdef readonly object speeds
    cdef readonly long passes
    cdef readonly tuple fault
    cdef const f64[::1] economy_block
    cdef f64[::1] row_block, next_block, memory, own
    cdef f64[::1] guess, before, oldest, calm, policy_block  # unknowns solved last and before, periods since policy changed
    cdef Economy economy
    cdef AtOnce at_once
    cdef Work work
    cdef f64 entry, price, trade

    def __init__(self, parameters, speeds):
        cdef Py_ssize_t N = parameters.regions, S = parameters.sectors, n
        self.parameters = parameters
        self.speeds = tuple(float(speed) for speed in speeds)
        self.entry, self.price, self.trade = self.speeds
        if not all(0.0 <= speed <= 1.0 for speed in self.speeds):
            raise ValueError(f"speeds are shares of a gap closed in one step, between 0 and 1: {self.speeds}")
        self.at_once.entry, self.at_once.price, self.at_once.trade = self.entry == 1.0, self.price == 1.0, self.trade == 1.0
        self.economy_block = parameters.block
        self.economy = bind_economy(
            &self.economy_block[0], N, S, parameters.supplier, parameters.entry_in_final_good, parameters.deficit_follows_income
        )
        n = unknowns(N, S, self.at_once)
        self.memory = np.zeros(work_size(N, S))
        self.row_block, self.next_block = np.zeros(row_size(N, S)), np.zeros(row_size(N, S))
        self.guess, self.before, self.oldest, self.own = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(N + S)
        self.calm, self.policy_block = np.zeros(1), np.zeros(2 * N + 2)
        self.work = bind_work(&self.memory[0], N, S)
        self.passes, self.fault = 0, ()
        self._open_at_baseline()
        self._correct_regions()

    def _open_at_baseline(self):
        cdef Py_ssize_t N = self.economy.N, cells = self.economy.N * self.economy.S
        np.asarray(self.next_block)[: 3 * cells] = 1.0
        np.asarray(self.next_block)[3 * cells : (3 + N) * cells] = self.parameters.views()["trade_share0"].ravel()
        np.asarray(self.guess)[:] = 0.0
        np.asarray(self.guess)[:cells] = 1.0
        self.before[:] = self.guess

    def _correct_regions(self):
        cdef Py_ssize_t N = self.economy.N
        cdef f64[::1] policy = np.ones(2 * N + 2)
        cdef f64[:, ::1] dense = np.empty((2 * N, 2 * N))
        policy[N : 2 * N + 1] = np.inf
        policy[2 * N + 1] = 0.0
        cdef Policy p = bind_policy(&policy[0], N)
        cdef Row state = bind_row(&self.next_block[0], N, self.economy.S)
        open_period(&self.economy, self.at_once, &state, &self.work)
        set_regional_correction(&self.economy, &p, self.at_once, &self.work, &dense[0, 0])
        inverse = np.linalg.inv(np.asarray(dense)) - np.eye(2 * N)
        cdef f64[:, ::1] regional = np.ascontiguousarray(inverse)
        memcpy(self.work.regional, &regional[0, 0], 4 * N * N * sizeof(f64))
        self.work.held[0] = 0.0

    cdef int _solve(self, const Policy* p, f64* worst, Py_ssize_t* where) noexcept nogil:
        """Open the period at the next state and solve it; the row then holds state and equilibrium. 0 if not solved."""
        cdef Py_ssize_t c, n = self.guess.shape[0]
        cdef Row state = bind_row(&self.next_block[0], self.economy.N, self.economy.S)
        cdef Row row = bind_row(&self.row_block[0], self.economy.N, self.economy.S)
        cdef f64 now
        cdef int passes
        open_period(&self.economy, self.at_once, &state, &self.work)
        self.calm[0] = self.calm[0] + 1.0 if same_policy(p, &self.policy_block[0], self.economy.N) else 0.0
        for c in range(n):  # the path is smooth between changes of policy: extrapolate as far as it has been
            now = self.guess[c]
            if self.calm[0] >= 3.0:
                self.guess[c] = 3.0 * (now - self.before[c]) + self.oldest[c]
            elif self.calm[0] == 2.0:
                self.guess[c] = 2.0 * now - self.before[c]
            self.oldest[c] = self.before[c]
            self.before[c] = now
        passes = solve_temporary(&self.economy, p, self.at_once, &self.work, &self.guess[0], worst, where)
        self.passes += passes
        if passes == 0:
            self.work.held[0] = 0.0
            memcpy(&self.guess[0], &self.before[0], n * sizeof(f64))
            passes = solve_temporary(&self.economy, p, self.at_once, &self.work, &self.guess[0], worst, where)
            self.passes += passes
        if passes == 0:
            memcpy(&self.guess[0], &self.before[0], n * sizeof(f64))
            return 0
        fill_row(&self.economy, p, self.at_once, &state, &self.work, &self.guess[0], &row)
        return passes

    def solve(self, const f64[::1] policy):
        """Solve the next period without moving on. Returns (row, residual) or sets ``fault`` and returns None."""
        cdef f64 worst = 0.0
        cdef Py_ssize_t where = 0
        cdef int solved
        cdef Policy p = bind_policy(&policy[0], self.economy.N)
        cdef Row row = bind_row(&self.row_block[0], self.economy.N, self.economy.S)
        cdef Verdict v
        with nogil:
            solved = self._solve(&p, &worst, &where)
        if not solved:
            self.fault = (0, worst, where, "", -1, -1)
            return None
        v = certify(&self.economy, &p, self.at_once, &row, &self.own[0])
        self.fault = (0, v.residual, -1, EQUATIONS[v.equation], v.i, v.s)
        return np.array(self.row_block), v.residual

    def follow(self):
        """Move on by the default rules: the state at the opening of the next period."""
        cdef Row row = bind_row(&self.row_block[0], self.economy.N, self.economy.S)
        cdef Row after = bind_row(&self.next_block[0], self.economy.N, self.economy.S)
        with nogil:
            follow(&self.economy, self.at_once, self.entry, self.price, self.trade, &row, &after, &self.work)

    def run(self, const f64[:, ::1] policies, Py_ssize_t substeps, f64 tolerance, f64[:, ::1] rows, f64[::1] residuals):
        """Step through periods in one call.

        Parameters
        ----------
        policies : (periods, policy size)
        substeps : int
            Steps a period; the policy of a period holds for all of them. Rows record the first.
        tolerance : float
            Largest residual a certificate may show.
        rows : (periods, row size), written
        residuals : (periods,), written
            Largest residual over the period's steps.

        Returns
        -------
        int
            Periods done. If fewer than asked, ``fault`` says (period, residual, unknown, equation, region, sector): unknown is
            -1 when the iteration ended well but the certificate did not.
        """
        cdef Py_ssize_t t, step, T = policies.shape[0], size = self.row_block.shape[0], where = -1
        cdef Row row = bind_row(&self.row_block[0], self.economy.N, self.economy.S)
        cdef Row after = bind_row(&self.next_block[0], self.economy.N, self.economy.S)
        cdef Policy p
        cdef Verdict v
        cdef f64 worst = 0.0
        cdef bint failed = False
        if rows.shape[0] < T or residuals.shape[0] < T or rows.shape[1] != size:
            raise ValueError("rows or residuals do not fit the economy")
        if policies.shape[1] != policy_size(self.economy.N):
            raise ValueError("policies do not fit the economy")
        v.residual, v.equation, v.i, v.s = 0.0, 0, -1, -1
        t = 0
        with nogil:
            while t < T and not failed:
                p = bind_policy(&policies[t, 0], self.economy.N)
                residuals[t] = 0.0
                for step in range(substeps):
                    if self._solve(&p, &worst, &where) == 0:
                        failed = True
                        break
                    v = certify(&self.economy, &p, self.at_once, &row, &self.own[0])
                    where = -1
                    if not v.residual <= residuals[t]:
                        residuals[t] = v.residual
                    if not v.residual <= tolerance:
                        failed = True
                        break
                    if step == 0:
                        memcpy(&rows[t, 0], &self.row_block[0], size * sizeof(f64))
                    follow(&self.economy, self.at_once, self.entry, self.price, self.trade, &row, &after, &self.work)
                if not failed:
                    t += 1
        self.fault = (t, worst if where >= 0 else v.residual, where, EQUATIONS[v.equation], v.i, v.s) if failed else ()
        return t

    @property
    def row(self):
        """Opening state and equilibrium of the last period solved."""
        return np.array(self.row_block)

    @property
    def state(self):
        """State block at the opening of the next period, writable: (3 + N) N S numbers."""
        cdef Py_ssize_t cells = self.economy.N * self.economy.S
        return np.asarray(self.next_block)[: (3 + self.economy.N) * cells]

    def copy(self):
        """Branch: an independent stepper at the same point, bit for bit."""
        twin = Stepper(self.parameters, self.speeds)
        twin.restore(self.save())
        return twin

    def _moving(self):
        """Views of all that moves; what `Stepper` does next is a function of it."""
        cdef Py_ssize_t size = learned_size(4 * self.economy.N * self.economy.S + 2 * self.economy.N)
        learned = np.asarray(self.memory)[self.memory.shape[0] - size :]
        return (
            np.asarray(self.row_block), np.asarray(self.next_block), np.asarray(self.guess), np.asarray(self.before),
            np.asarray(self.oldest), np.asarray(self.calm), np.asarray(self.policy_block), learned,
        )  # fmt: skip

    def save(self):
        """Everything that moves, as plain arrays; what follows from it is the same bit for bit."""
        return tuple(np.array(block) for block in self._moving())

    def restore(self, saved):
        """Go back to what `save` gave."""
        for block, values in zip(self._moving(), saved, strict=True):
            block[...] = values
