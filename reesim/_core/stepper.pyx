"""One economy in motion: the temporary equilibrium of a period, and what follows from it, over buffers bound once.

The twin of ``reference_engine.run``. A whole run is one call that holds no lock; `Stepper` owns all memory it writes, so that
several can run in threads, and a copy of its blocks is a branch.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcmp, memcpy

import numpy as np

from reesim._core.blocks cimport Economy, Policy, Row, bind_economy, bind_policy, bind_row, f64, row_size
from reesim._core.broyden cimport regional_directions, set_regional_correction, solve_temporary
from reesim._core.certificate cimport Verdict, certificate_scratch, certify
from reesim._core.temporary cimport (
    AtOnce, Work, bind_work, fill_row, learned_size, open_period, set_regime, unknowns, work_size
)
from reesim._core.trade cimport trade_prices, trade_shares
from reesim._core.vector cimport vexp, vlog

from reesim._core.certificate import EQUATIONS
from reesim._core.layout import ROW, Layout, no_policy
from reesim._core.reference import over_baseline


cdef void follow_trade(const Economy* e, f64 trade, const Row* now, Row* after, Work* w) noexcept nogil:
    """Shares close a part of their gap in levels: they keep summing to one, (21)."""
    cdef Py_ssize_t c, flows = e.N * e.N * e.S
    cdef Py_ssize_t cells = e.N * e.S
    vlog(cells, now.posted_price, w.log_p)
    trade_prices(e.N, e.S, w.optimal_power, &w.costs, w.log_p, w.term, w.term + cells, w.term + 2 * cells)
    trade_shares(e.N, e.S, &w.costs, w.term, w.term + cells, after.trade_share)
    for c in range(flows):
        after.trade_share[c] = now.trade_share[c] + trade * (after.trade_share[c] - now.trade_share[c])


cdef void close_log_gap(Py_ssize_t n, const f64* level, f64* target, f64 share_of_gap, f64* after) noexcept nogil:
    """Close a share of log gaps, (21)-(22). ``target`` is overwritten."""
    cdef Py_ssize_t c
    for c in range(n):
        target[c] /= level[c]
    vlog(n, target, target)
    for c in range(n):
        target[c] *= share_of_gap
    vexp(n, target, target)
    for c in range(n):
        after[c] = level[c] * target[c]


cdef void follow_entry(const Economy* e, const Policy* p, f64 entry, const Row* now, Row* after, Work* w) noexcept nogil:
    """Measures follow what free entry would make them, (7), (22); one where a bundle does not exist."""
    cdef Py_ssize_t i, c, S = e.S
    cdef Py_ssize_t cells = e.N * S
    cdef f64 va, unit
    cdef f64* free_R = w.term
    cdef f64* free_L = w.term + cells
    for i in range(e.N):
        unit = now.price_consumption[i] if e.in_good else now.wage[i]
        for c in range(i * S, (i + 1) * S):
            va = e.phi_va[c] * now.spending[c] / (e.mu * unit)
            free_R[c] = free_L[c] = 1.0
            if e.research_R0[c] > 0.0:
                free_R[c] = now.ree_share[c] * va / (e.research_R0[c] * (1.0 - p.entry_subsidy_R[c]))
            if e.research_L0[c] > 0.0:
                free_L[c] = (1.0 - now.ree_share[c]) * va / (e.research_L0[c] * (1.0 - p.entry_subsidy_L[c]))
    close_log_gap(cells, now.A_R, free_R, entry, after.A_R)
    close_log_gap(cells, now.A_L, free_L, entry, after.A_L)


cdef void follow(
    const Economy* e, const Policy* p, AtOnce at_once, f64 entry, f64 price, f64 trade, const Row* now, Row* after, Work* w
) noexcept nogil:
    """Prices and trade follow costs and prices, entry follows profit: (21)-(22), simultaneous, from the row just solved."""
    cdef Py_ssize_t c, cells = e.N * e.S
    if at_once.trade or trade == 0.0:
        memcpy(after.trade_share, now.trade_share, e.N * cells * sizeof(f64))
    else:
        follow_trade(e, trade, now, after, w)
    if at_once.price or price == 0.0:
        memcpy(after.posted_price, now.posted_price, cells * sizeof(f64))
    else:
        for c in range(cells):
            w.term[c] = now.unit_cost[c] / p.output_subsidy[c]
        close_log_gap(cells, now.posted_price, w.term, price, after.posted_price)
    if at_once.entry or entry == 0.0:
        memcpy(after.A_R, now.A_R, cells * sizeof(f64))
        memcpy(after.A_L, now.A_L, cells * sizeof(f64))
    else:
        follow_entry(e, p, entry, now, after, w)


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
    cdef f64[::1] row_block, next_block, memory, learned, scratch
    cdef f64[::1] guess, before, oldest  # unknowns solved last, before that, and before that
    cdef f64[::1] calm  # steps since the regime changed; -1: none yet
    cdef f64[::1] regime  # the policy block that `work` is prepared for
    cdef Economy economy
    cdef Policy policy
    cdef AtOnce at_once
    cdef Work work
    cdef f64 entry, price, trade
    cdef bint corrected

    def __init__(self, parameters, speeds):
        cdef Py_ssize_t N = parameters.regions, S = parameters.sectors, n
        self.parameters = parameters
        self.speeds = tuple(float(speed) for speed in speeds)
        if len(self.speeds) != 3 or not all(0.0 <= speed <= 1.0 for speed in self.speeds):
            raise ValueError(f"speeds are three shares of a gap closed in one step, between 0 and 1: {self.speeds}")
        self.entry, self.price, self.trade = self.speeds
        self.at_once.entry, self.at_once.price, self.at_once.trade = self.entry == 1.0, self.price == 1.0, self.trade == 1.0
        self.economy_block = parameters.block
        self.economy = bind_economy(
            &self.economy_block[0], N, S, parameters.supplier, parameters.entry_in_final_good, parameters.deficit_follows_income
        )
        n = unknowns(N, S, self.at_once)
        self.memory, self.learned = np.zeros(work_size(N, S)), np.zeros(learned_size(n))
        self.scratch = np.zeros(certificate_scratch(N, S))
        self.row_block, self.next_block = np.zeros(row_size(N, S)), np.zeros(row_size(N, S))
        self.guess, self.before, self.oldest = np.zeros(n), np.zeros(n), np.zeros(n)
        self.calm, self.regime = np.full(1, -1.0), no_policy(parameters)
        self.work = bind_work(&self.memory[0], &self.learned[0], N, S, n)
        if self.work.end > &self.memory[0] + self.memory.shape[0]:
            raise MemoryError("the workspace is smaller than what it holds: mend work_size")
        self.policy = bind_policy(&self.regime[0], N, S)
        self.passes, self.fault, self.corrected = 0, (), False
        self._open_at_baseline(np.asarray(self.next_block))
        self.guess[: N * S] = 1.0
        self.before[:] = self.guess
        set_regime(&self.economy, &self.policy, &self.work)

    def _open_at_baseline(self, block):
        cdef Py_ssize_t N = self.economy.N, cells = self.economy.N * self.economy.S
        block[: 3 * cells] = 1.0
        block[3 * cells : (3 + N) * cells] = self.parameters.views()["trade_share0"].ravel()

    def _correct_regions(self):
        """Regional correction, from the baseline without policy; once, when it is first needed."""
        cdef Py_ssize_t N = self.economy.N, S = self.economy.S
        cdef f64[::1] baseline = np.zeros(row_size(N, S))
        cdef const f64[::1] none = no_policy(self.parameters)
        cdef f64[::1] x = np.empty(self.guess.shape[0])
        cdef Py_ssize_t size = regional_directions(N, self.at_once)
        cdef f64[:, ::1] dense = np.empty((size, size))
        cdef f64[:, ::1] regional
        cdef Policy p = bind_policy(&none[0], N, S)
        cdef Row state = bind_row(&baseline[0], N, S)
        self._open_at_baseline(np.asarray(baseline))
        with nogil:
            set_regime(&self.economy, &p, &self.work)
            open_period(&self.economy, &p, self.at_once, &state, &self.work)
            set_regional_correction(&self.economy, &p, self.at_once, &self.work, &x[0], &dense[0, 0])
            set_regime(&self.economy, &self.policy, &self.work)
        regional = np.ascontiguousarray(np.linalg.inv(np.asarray(dense).T) - np.eye(size))
        memcpy(self.work.regional, &regional[0, 0], size * size * sizeof(f64))
        self.corrected = True

    cdef void _take_policy(self, const f64* block) noexcept nogil:
        """Prepare for the policy of the period; the same as before costs a comparison."""
        cdef Py_ssize_t size = self.regime.shape[0]
        if memcmp(block, &self.regime[0], size * sizeof(f64)) == 0:
            return
        memcpy(&self.regime[0], block, size * sizeof(f64))
        self.policy = bind_policy(&self.regime[0], self.economy.N, self.economy.S)
        set_regime(&self.economy, &self.policy, &self.work)
        self.calm[0] = -1.0

    cdef int _solve(self, f64* worst, Py_ssize_t* where) noexcept nogil:
        """Open the period at the next state and solve it; the row then holds state and equilibrium. 0 if not solved."""
        cdef Py_ssize_t c, n = self.guess.shape[0]
        cdef Row state = bind_row(&self.next_block[0], self.economy.N, self.economy.S)
        cdef Row row = bind_row(&self.row_block[0], self.economy.N, self.economy.S)
        cdef const Policy* p = &self.policy
        cdef f64 now
        cdef int passes
        open_period(&self.economy, p, self.at_once, &state, &self.work)
        self.calm[0] += 1.0
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
        cdef Row row = bind_row(&self.row_block[0], self.economy.N, self.economy.S)
        cdef Verdict v
        if policy.shape[0] != self.regime.shape[0]:
            raise ValueError(f"a policy of this economy has {self.regime.shape[0]} numbers, not {policy.shape[0]}")
        if not self.corrected:
            self._correct_regions()
        with nogil:
            self._take_policy(&policy[0])
            solved = self._solve(&worst, &where)
        if not solved:
            self.fault = (0, worst, where, "", -1, -1)
            return None
        v = certify(&self.economy, &self.policy, self.at_once, &row, &self.scratch[0])
        self.fault = (0, v.residual, -1, EQUATIONS[v.equation], v.i, v.s)
        return np.array(self.row_block), v.residual

    def follow(self):
        """Move on by the default rules: the state at the opening of the next period."""
        cdef Row row = bind_row(&self.row_block[0], self.economy.N, self.economy.S)
        cdef Row after = bind_row(&self.next_block[0], self.economy.N, self.economy.S)
        with nogil:
            follow(
                &self.economy, &self.policy, self.at_once, self.entry, self.price, self.trade, &row, &after, &self.work
            )

    def _check_run(self, policies, regimes, rows, residuals):
        periods = len(regimes)
        if rows.shape[0] < periods or residuals.shape[0] < periods or rows.shape[1] != self.row_block.shape[0]:
            raise ValueError("rows or residuals do not fit the economy")
        if policies.shape[1] != self.regime.shape[0]:
            raise ValueError(f"a policy of this economy has {self.regime.shape[0]} numbers, not {policies.shape[1]}")
        if periods and not 0 <= np.min(regimes) <= np.max(regimes) < len(policies):
            raise ValueError(f"regimes should be positions of the {len(policies)} policies")

    def run(
        self, const f64[:, ::1] policies, const int64_t[::1] regimes, Py_ssize_t substeps, f64 tolerance, f64[:, ::1] rows,
        f64[::1] residuals,
    ):
        """Step through periods in one call.

        Parameters
        ----------
        policies : (regimes, policy size)
        regimes : (periods,) ndarray of int64
            Position of the policy of each period.
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
        cdef Py_ssize_t t, step, T = regimes.shape[0], size = self.row_block.shape[0], where = -1
        cdef Row row = bind_row(&self.row_block[0], self.economy.N, self.economy.S)
        cdef Row after = bind_row(&self.next_block[0], self.economy.N, self.economy.S)
        cdef Verdict v
        cdef f64 worst = 0.0
        cdef bint failed = False
        self._check_run(np.asarray(policies), np.asarray(regimes), np.asarray(rows), np.asarray(residuals))
        if not self.corrected:
            self._correct_regions()
        v.residual, v.equation, v.i, v.s = 0.0, 0, -1, -1
        t = 0
        with nogil:
            while t < T and not failed:
                if t == 0 or regimes[t] != regimes[t - 1]:
                    self._take_policy(&policies[regimes[t], 0])
                residuals[t] = 0.0
                for step in range(substeps):
                    if self._solve(&worst, &where) == 0:
                        failed = True
                        break
                    v = certify(&self.economy, &self.policy, self.at_once, &row, &self.scratch[0])
                    where = -1
                    if not v.residual <= residuals[t]:
                        residuals[t] = v.residual
                    if not v.residual <= tolerance:
                        failed = True
                        break
                    if step == 0:
                        memcpy(&rows[t, 0], &self.row_block[0], size * sizeof(f64))
                    follow(
                        &self.economy, &self.policy, self.at_once, self.entry, self.price, self.trade, &row, &after, &self.work
                    )
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
        cdef Stepper twin = Stepper(self.parameters, self.speeds)
        cdef Py_ssize_t cells = self.economy.N * self.economy.S, size = regional_directions(self.economy.N, self.at_once)
        if self.corrected:
            memcpy(twin.work.regional, self.work.regional, size * size * sizeof(f64))
            memcpy(twin.work.weight, self.work.weight, cells * sizeof(f64))
            memcpy(twin.work.price_average, self.work.price_average, cells * sizeof(f64))
            twin.corrected = True
        twin.restore(self.save())
        return twin

    def _moving(self):
        """Views of all that moves; what `Stepper` does next is a function of it."""
        return (
            np.asarray(self.row_block), np.asarray(self.next_block), np.asarray(self.guess), np.asarray(self.before),
            np.asarray(self.oldest), np.asarray(self.calm), np.asarray(self.regime), np.asarray(self.learned),
        )  # fmt: skip

    def place(self, row):
        """Open the next period at the states of a row, and look for its equilibrium first where that of the row is."""
        views = Layout(ROW, self.economy.N, self.economy.S).views(np.asarray(row))
        parts = [over_baseline(views["expenditure"], self.parameters.views()["expenditure0"])]
        parts += [np.log(views[name]) for name in ("wage", "ree_price")]
        if self.at_once.price:
            parts.append(np.log(views["posted_price"]))
        if self.at_once.entry:
            parts += [np.log(views[name]) for name in ("A_R", "A_L")]
        np.asarray(self.next_block)[...] = row
        np.asarray(self.guess)[...] = np.concatenate([part.ravel() for part in parts])
        self.before[:], self.oldest[:] = self.guess, self.guess
        self.calm[0] = 0.0

    def save(self):
        """Everything that moves, as plain arrays; what follows from it is the same bit for bit."""
        return tuple(np.array(block) for block in self._moving())

    def restore(self, saved):
        """Go back to what `save` gave."""
        for block, values in zip(self._moving(), saved, strict=True):
            block[...] = values
        self.policy = bind_policy(&self.regime[0], self.economy.N, self.economy.S)
        set_regime(&self.economy, &self.policy, &self.work)
