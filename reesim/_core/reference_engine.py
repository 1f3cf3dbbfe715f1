"""The algorithms of the core in plain NumPy: the stepper, the static solver and the certificate, over `reference`'s equations.

The stepper and the static solver share no iteration code: the first is Broyden's method with a regional correction on the
temporary equilibrium, the second Anderson's on a static system with measures eliminated. Each tests the other.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from reesim._core import reference as ref
from reesim._core.layout import Array, Parameters, no_policy
from reesim._core.reference import Equations
from reesim._core.regional import RegionalCorrection

STEP_TOLERANCE = 1e-13
"""Largest change of any unknown (a log, or an output ratio) in the last pass of a step: paths differ by iteration below 1e-12."""
STATIC_TOLERANCE = 2e-12
"""The same for static equilibria: leaves certificates room below 1e-10."""
STEP_PASSES = 400
STATIC_PASSES = 160
ANDERSON_MEMORY = 40
BROYDEN_MEMORY = 30
LONGEST_MOVE = 0.5
"""Of any unknown in one pass of a step: far from the solution a longer one overshoots."""


class NotSolved(ArithmeticError):
    """The iteration ended without reaching tolerance."""


# --- the stepper ----------------------------------------------------------------------------------------------------------


def open_policy(par: Equations) -> Equations:
    """The baseline's own policy."""
    return ref.name_policy(par.parameters, no_policy(par.parameters))


def baseline_state(par: Equations) -> Equations:
    """The state before any policy: every hat one, shares at baseline."""
    one = np.ones((par.N, par.S))
    return Equations(A_R=one, A_L=one, posted_price=one, trade_share=par.trade_share0.copy())


def opening_guess(par: Equations, at_once: Equations) -> Array:
    """Unknowns of the temporary equilibrium at the baseline."""
    zero = np.zeros((par.N, par.S))
    return ref.pack(at_once, zero + 1.0, np.zeros(par.N), np.zeros(par.N), zero, zero, zero)


def regional_correction(par: Equations, at_once: Equations, length: int) -> SimpleNamespace:
    """Directions in which the plain iteration is slow, an exact solve: all spending of a region, its wage, all its prices.

    What a region earns leaks abroad only at the rate of its imports: the size of regions converges slowly, all else quickly.
    """
    N, cells = par.N, par.N * par.S
    size = 3 * N if at_once.price else 2 * N
    span, weight = np.zeros((size, length)), np.zeros((size, length))
    for i in range(N):
        here = slice(i * par.S, (i + 1) * par.S)
        span[i, here] = span[N + i, cells + i] = weight[N + i, cells + i] = 1.0
        weight[i, here] = par.expenditure0[i] / par.expenditure0[i].sum()
        if at_once.price:
            span[2 * N + i, cells + 2 * N :][here] = 1.0
            weight[2 * N + i, cells + 2 * N :][here] = par.revenue0[i] / par.revenue0[i].sum()
    none = open_policy(par)
    period = ref.open_period(par, none, baseline_state(par), at_once)
    x, h = opening_guess(par, at_once), 1e-6
    start = ref.temporary_map(par, none, at_once, period, x)[0]
    moved = [ref.temporary_map(par, none, at_once, period, x + h * d)[0] for d in span]
    coarse = np.eye(size) - weight @ ((np.array(moved) - start) / h).T
    return SimpleNamespace(span=span, weight=weight, matrix=np.linalg.inv(coarse) - np.eye(size))


def corrected(correction: SimpleNamespace, residual: Array) -> Array:
    """Add the regional correction to a residual."""
    return residual + (correction.matrix @ (correction.weight @ residual)) @ correction.span


def broyden(
    residual_of: Callable[[Array], Array], x: Array, correction: SimpleNamespace, learned: list[tuple[Array, Array]]
) -> tuple[Array, int]:
    """Broyden's good method on g(x) - x, the inverse kept as rank-one factors, from the regional correction as first guess.

    ``learned`` carries the factors from one solve to the next: the economy moves little in a period.
    """
    move, shortened = None, 1.0
    for passes in range(1, STEP_PASSES + 1):
        residual = residual_of(x)
        if np.abs(residual).max() <= STEP_TOLERANCE:
            return x, passes
        z = corrected(correction, residual)
        for up, down in learned:
            z = z + up * (down @ z)
        if move is not None:  # the secant of the last move, shortened or not
            up, down = z - (1.0 - shortened) * move, move / (move @ (move - z))
            learned.append((up, down))
            if len(learned) > BROYDEN_MEMORY:
                learned.clear()
            z = z + up * (down @ z)
        longest = np.abs(z).max()
        shortened = LONGEST_MOVE / longest if longest > LONGEST_MOVE else 1.0
        x, move = x + shortened * z, z
        if not np.isfinite(x).all():
            break
    raise NotSolved(f"temporary equilibrium: {passes} passes")


def solve_temporary(
    par: Equations,
    policy: Equations,
    at_once: Equations,
    state: Equations,
    x: Array,
    correction: SimpleNamespace,
    learned: list[tuple[Array, Array]],
) -> tuple[Array, Equations]:
    """Temporary equilibrium at a state, (20)."""
    period = ref.open_period(par, policy, state, at_once)
    x, _ = broyden(lambda u: ref.temporary_map(par, policy, at_once, period, u)[0] - u, x, correction, learned)
    return x, ref.temporary_map(par, policy, at_once, period, x)[1]


def next_state(par: Equations, policy: Equations, speeds: Equations, state: Equations, eq: Equations) -> Equations:
    """Prices and trade follow, then entry, (21)-(22). ``speeds`` are shares of the gap closed in a step; 1 is at once."""
    after = Equations(A_R=eq.A_R, A_L=eq.A_L, posted_price=eq.posted_price, trade_share=eq.trade_share)
    if speeds.price < 1.0:
        target = np.exp(ref.supply_price(policy, np.log(eq.unit_cost)))
        after.posted_price = ref.adjust_log(state.posted_price, target, speeds.price)
    if speeds.trade < 1.0:
        best = ref.optimal_trade_share(par, ref.trade_costs(par, policy), np.log(eq.posted_price))
        after.trade_share = ref.adjust_level(state.trade_share, best, speeds.trade)
    if speeds.entry < 1.0:
        unit = ref.entry_unit(par, eq.wage, np.log(eq.price_consumption))
        free_R, free_L = ref.free_entry(par, policy, eq.ree_share, eq.spending, unit)
        after.A_R = ref.adjust_log(state.A_R, free_R, speeds.entry)
        after.A_L = ref.adjust_log(state.A_L, free_L, speeds.entry)
    return after


def run(parameters: Parameters, speeds: Equations, policies: list[Equations], substeps: int = 1) -> list[Equations]:
    """Step through a list of policies from the baseline; one equilibrium and its opening state a period.

    Periods of one regime hand over the same policy object.
    """
    par = ref.unpack(parameters)
    at_once = Equations(price=speeds.price == 1.0, trade=speeds.trade == 1.0, entry=speeds.entry == 1.0)
    state, x = baseline_state(par), opening_guess(par, at_once)
    correction = regional_correction(par, at_once, x.size)
    learned: list[tuple[Array, Array]] = []
    rows: list[Equations] = []
    before, oldest, calm, last = x, x, 0, None
    for policy in policies:
        for substep in range(substeps):
            calm, last = (calm + 1 if policy is last else 0), policy
            guess = 3.0 * (x - before) + oldest if calm >= 3 else 2.0 * x - before if calm == 2 else x
            try:
                found, eq = solve_temporary(par, policy, at_once, state, guess, correction, learned)
            except NotSolved:
                learned.clear()
                found, eq = solve_temporary(par, policy, at_once, state, x, correction, learned)
            oldest, before, x = before, x, found
            if substep == 0:
                rows.append(eq)
            state = next_state(par, policy, speeds, state, eq)
    return rows


# --- the static equilibrium -----------------------------------------------------------------------------------------------


def static_technology(
    par: Equations, policy: Equations, endogenous: bool, log_wage: Array, log_ree: Array, log_y: Array, log_unit: Array
) -> Equations:
    """Measures, bundle share and value-added price with free entry solved out: (8) gives A_R/A_L, (7) then A_L.

    ``log_y`` is the log of spending on inputs over baseline sales.
    """
    gap = (log_ree - log_wage)[:, None]
    if not endogenous:
        log_v, share_R = ref.value_added(
            par, np.broadcast_to(gap, log_y.shape), np.broadcast_to(log_wage[:, None], log_y.shape)
        )
        return Equations(log_v=log_v, share_R=share_R, log_A_R=np.zeros_like(log_y), log_A_L=np.zeros_like(log_y))
    enters = par.research_R0 > 0.0
    lean = np.where(
        enters, np.log1p(-policy.entry_subsidy_L) - np.log1p(-policy.entry_subsidy_R), 0.0
    )  # of log A_R/A_L
    bundle = (gap - par.theta * lean) / np.where(enters, 1.0 + par.theta * par.z, 1.0)
    _, share_R = ref.value_added(par, bundle, np.zeros_like(log_y))
    log_A_L = np.log((1.0 - share_R) / (1.0 - par.ree_share0)) + log_y - log_unit[:, None]
    log_A_L = np.where(par.research_L0 > 0.0, log_A_L - np.log1p(-policy.entry_subsidy_L), 0.0)
    log_v, _ = ref.value_added(par, bundle, log_wage[:, None] - par.theta * log_A_L)
    log_A_R = np.where(enters, log_A_L + par.z * bundle + lean, 0.0)
    return Equations(log_v=log_v, share_R=share_R, log_A_R=log_A_R, log_A_L=log_A_L)


def static_map(par: Equations, policy: Equations, endogenous: bool, x: Array) -> tuple[Array, Equations]:
    """One pass through the static system: prices, sales, factor markets, spending, costs, each with what came before.

    Unknowns: log c, log w, log q, log E/E0. The level of all money follows from the numeraire in every pass.
    """
    N, cells = par.N, par.N * par.S
    log_c, log_wage = x[:cells].reshape(N, -1), x[cells : cells + N]
    log_ree, log_spent = x[cells + N : cells + 2 * N], x[cells + 2 * N :].reshape(N, -1)
    costs, log_p = ref.trade_costs(par, policy), ref.supply_price(policy, log_c)
    log_P, trade_share = ref.optimal_price_index(par, costs, log_p), ref.optimal_trade_share(par, costs, log_p)
    log_P_C, final_share = ref.final_price_and_share(par, log_P)
    free, factor = endogenous and not par.entry_in_final_good, (par.mu - 1.0) / par.mu
    endowment = par.labour0 * policy.labour
    labour = endowment - (0.0 if endogenous else ref.research_labour(par, 1.0, 1.0))
    unit = log_P_C if par.entry_in_final_good else log_wage
    spent = np.exp(log_spent) * par.expenditure0
    sales = ref.revenue(costs, trade_share, spent)
    log_y = np.log(ref.over_baseline(policy.output_subsidy * sales, par.revenue0))
    tech = static_technology(par, policy, endogenous, log_wage, log_ree, log_y, unit)
    va = par.phi_va * policy.output_subsidy * sales
    va_R = tech.share_R * va
    research = ref.research_payroll(par, policy, va_R, va) if free else np.zeros(N)
    new_wage = (factor * np.sum(va - va_R, axis=1) + research) / labour
    level = par.numeraire / np.sum(new_wage * endowment)
    new_wage, now = level * new_wage, level * spent
    sales, va, va_R, research, log_y = level * sales, level * va, level * va_R, level * research, log_y + np.log(level)
    spending, value = policy.output_subsidy * sales, factor * va_R.sum(axis=1)
    mine, quota, embargo, prices = ref.clear_rare_earths(par, policy, value, new_wage)
    own = np.sum(sales - spending, axis=1) + new_wage * labour + va.sum(axis=1) / par.mu - research
    own += ref.rare_earth_income(par, policy, value, prices, quota, new_wage)
    own += ref.goods_taxes(policy, trade_share, now)
    final_demand = ref.with_deficits(par, own)
    new_spent = ref.expenditure(par, final_share, final_demand, spending)
    log_new_wage, log_new_ree = np.log(new_wage), np.log(prices)
    unit = log_P_C if par.entry_in_final_good else log_new_wage
    after = static_technology(par, policy, endogenous, log_new_wage, log_new_ree, log_y, unit)
    log_new_c = ref.unit_cost(par, policy, after.log_v, log_P)
    log_new_spent = np.log(ref.over_baseline(new_spent, par.expenditure0))
    eq = Equations(
        A_R=np.exp(tech.log_A_R), A_L=np.exp(tech.log_A_L), posted_price=np.exp(log_p), trade_share=trade_share,
        wage=np.exp(log_wage), ree_price=prices, ree_mine_price=mine, ree_wedge_quota=quota, ree_wedge_embargo=embargo,
        final_demand=final_demand, price_consumption=np.exp(log_P_C), price_index=np.exp(log_P), expenditure=spent,
        revenue=sales, spending=spending, unit_cost=np.exp(log_c), value_added_price=np.exp(tech.log_v),
        ree_share=tech.share_R,
    )  # fmt: skip
    return np.concatenate([log_new_c.ravel(), log_new_wage, log_new_ree, log_new_spent.ravel()]), eq


def regionally_corrected(correction: RegionalCorrection, residual: Array) -> Array:
    """Move all costs and all spending of a region by what their average residuals call for."""
    n, s = correction.cost_weight.shape
    parts = residual[: n * s].reshape(n, s), residual[n * s + 2 * n :].reshape(n, s)
    weights = correction.cost_weight, correction.spending_weight
    averages = np.concatenate([(weight * part).sum(axis=1) for weight, part in zip(weights, parts, strict=True)])
    moves = np.repeat(correction.matrix @ averages, s)
    return residual + np.concatenate([moves[: n * s], np.zeros(2 * n), moves[n * s :]])


def anderson(
    g: Callable[[Array], Array], x: Array, correct: Callable[[Array], Array] = lambda residual: residual
) -> tuple[Array, int]:
    """Anderson acceleration: the combination of recent passes whose corrected residual is smallest in least squares."""
    moves: list[Array] = []
    changes: list[Array] = []
    last: tuple[Array, Array] | None = None
    for passes in range(1, STATIC_PASSES + 1):
        residual = g(x) - x
        if np.abs(residual).max() <= STATIC_TOLERANCE:
            return x, passes
        residual = correct(residual)
        if last is not None:
            moves.append(x - last[0])
            changes.append(residual - last[1])
            if len(changes) > min(ANDERSON_MEMORY, x.size // 2):
                moves.clear()
                changes.clear()
        last = x, residual
        x = x + residual
        if changes:
            D = np.array(changes)
            mix = np.linalg.lstsq(D.T, residual, rcond=None)[0]
            x = x - mix @ (np.array(moves) + D)
        if not np.isfinite(x).all():
            break
    raise NotSolved(f"static equilibrium: {passes} passes")


def solve_static(parameters: Parameters, policy: Equations, endogenous: bool) -> tuple[Equations, int]:
    """Static equilibrium from the baseline."""
    par = ref.unpack(parameters)
    correction, start = RegionalCorrection.of(parameters), np.zeros(2 * par.N * par.S + 2 * par.N)

    def step(x: Array) -> Array:
        return static_map(par, policy, endogenous, x)[0]

    try:
        x, passes = anderson(step, start, lambda residual: regionally_corrected(correction, residual))
    except NotSolved:  # where trade all but ends the baseline's correction leads astray
        x, passes = anderson(step, start)
    return static_map(par, policy, endogenous, x)[1], passes
