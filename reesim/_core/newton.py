"""Newton's method on the static system, and the spectrum of the entry dynamics, from one analytic linearisation.

Expenditures and measures are eliminated: the unknowns are log c, log w and log q, of length NS + 2N. Used where Anderson's
iteration fails (strong scale economies), and for the stability of any equilibrium found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reesim._core import reference as ref
from reesim._core.layout import Array
from reesim._core.reference import Equations
from reesim._core.reference_engine import NotSolved

NEWTON_STEPS = 60
CIRCUIT_ROUNDS = 200
NEWTON_TOLERANCE = 1e-12
"""On the residuals of the reduced system, in logs: certificates at 1e-10 follow with room."""


@dataclass(frozen=True, slots=True)
class Point:
    """The reduced system at one point: everything its residuals and derivatives need."""

    log_c: Array
    log_wage: Array
    log_ree: Array
    log_A_R: Array
    log_A_L: Array
    log_P: Array
    log_P_C: Array
    trade_share: Array
    final_share: Array
    share_R: Array
    log_v: Array
    sales: Array
    value: Array
    final_demand: Array
    own_income: Array
    labour: Array
    kept_share: Array
    clearing: Array  # log q that clears the market at this spending
    regime: Array  # derivative of those with respect to log value

    def unknowns(self, par: Equations) -> Array:
        """Log c, log w, log q, log Y/Y0, as the static solver orders them."""
        log_y = np.log(self.sales / par.revenue0)
        return np.concatenate([self.log_c.ravel(), self.log_wage, self.log_ree, log_y.ravel()])


def clearing_derivative(par: Equations, policy: Equations, value: Array) -> tuple[Array, Array, float, float]:
    """User prices that clear the rare-earth market, and d log q / d log value in the regime in force, (15).

    Returns
    -------
    prices : (i,), regime : (i, i), mine_price, quota_wedge
    """
    mine, quota, embargo = ref.clear_rare_earths(par, policy, value)
    prices = ref.user_prices(par, policy, mine, quota, embargo)
    held, home = embargo > 0.0, par.supplier
    use = value / (par.tax0 * prices)
    regime = np.zeros((par.N, par.N))
    if quota > 0.0:
        regime[:, home] = 1.0
        free = par.foreign & ~held
        tau = policy.tax + quota
        pull = use[free] / np.sum(use[free] / tau[free])  # dx = sum pull (dlog value - dlog value_home)
        rows = np.flatnonzero(free)
        regime[np.ix_(rows, rows)] += pull / tau[free][:, None]
        regime[rows, home] -= pull.sum() / tau[free]
    else:
        weight = np.where(held, 0.0, use)
        regime[:] = weight / weight.sum()
    regime[held] = 0.0
    regime[held, held] = 1.0
    return prices, regime, mine, quota


def _technology(
    par: Equations, endogenous: bool, log_wage: Array, log_ree: Array, log_A: tuple[Array, Array] | None
) -> Array:
    """Log relative price of the bundles: free entry solved out by (8), or at given measures."""
    gap = (log_ree - log_wage)[:, None]
    if endogenous:
        return gap / (1.0 + par.theta * par.z) + np.zeros((par.N, par.S))
    shift = 0.0 if log_A is None else par.theta * (log_A[0] - log_A[1])
    return gap - shift + np.zeros((par.N, par.S))


def evaluate(
    par: Equations, policy: Equations, endogenous: bool, z: Array, log_A: tuple[Array, Array] | None = None
) -> tuple[Point, Array]:
    """Solve spending and measures out at z = (log c, log w, log q) and return the point with its residuals.

    ``log_A`` gives the measures when technology is not endogenous (None: baseline).
    """
    N, cells = par.N, par.N * par.S
    log_c, log_wage, log_ree = z[:cells].reshape(N, -1), z[cells : cells + N], z[cells + N :]
    log_P = ref.optimal_price_index(par, log_c)
    trade_share = par.trade_share0 * np.exp((1.0 - par.sigma) * (log_c[:, None, :] - log_P[None, :, :]))
    log_P_C, final_share = ref.final_price_and_share(par, log_P)
    relative = _technology(par, endogenous, log_wage, log_ree, log_A)
    log_gain, share_R = ref.value_added(par, relative, np.zeros((N, par.S)))
    free = endogenous and not par.entry_in_final_good
    labour = par.labour0
    if not endogenous:
        A_R, A_L = (1.0, 1.0) if log_A is None else (np.exp(log_A[0]), np.exp(log_A[1]))
        labour = par.labour0 - ref.research_labour(par, A_R, A_L)
    sales, own, kept = _solve_sales(par, policy, free, np.exp(log_wage) * labour, share_R, trade_share, final_share)
    va = par.phi_va * sales
    factor = (par.mu - 1.0) / par.mu
    value = factor * np.sum(share_R * va, axis=1)
    if endogenous:
        unit = log_P_C if par.entry_in_final_good else log_wage
        log_A_L = np.log((1.0 - share_R) / (1.0 - par.ree_share0)) + np.log(sales / par.revenue0) - unit[:, None]
        log_A_R = np.where(par.ree_share0 > 0.0, log_A_L + par.z * relative, 0.0)
    else:
        log_A_R, log_A_L = log_A if log_A is not None else (np.zeros((N, par.S)), np.zeros((N, par.S)))
    log_v = log_wage[:, None] - par.theta * log_A_L + log_gain
    prices, regime, _, _ = clearing_derivative(par, policy, value)
    point = Point(
        log_c, log_wage, log_ree, log_A_R, log_A_L, log_P, log_P_C, trade_share, final_share, share_R, log_v, sales, value,
        ref.with_deficits(par, own), own, labour, kept, np.log(prices), regime,
    )  # fmt: skip
    payroll = (1.0 if free else factor) * va.sum(axis=1) - value
    on_labour = np.log(payroll / labour) - log_wage
    on_labour[np.argmax(par.labour0)] = np.log(np.sum(np.exp(log_wage) * par.labour0) / par.numeraire)
    residual = np.concatenate([(log_c - ref.unit_cost(par, log_v, log_P)).ravel(), on_labour, log_ree - point.clearing])
    return point, residual


def _solve_sales(
    par: Equations, policy: Equations, free: bool, wages: Array, share_R: Array, trade_share: Array, final_share: Array
) -> tuple[Array, Array, Array]:
    """Sales from the expenditure circuit (13)-(16), with own income and the share of its rare-earth bill a region keeps as rent.

    The circuit is linear but for rents that importers keep and deficits that follow income; both settle in a few rounds.
    """
    N, cells = par.N, par.N * par.S
    bill = (par.mu - 1.0) / par.mu * share_R * par.phi_va
    demand, spread = _materials_circuit(par, trade_share), _by_final_demand(par, trade_share, final_share)
    transfer, kept = np.zeros(N), np.zeros(N)
    for _ in range(CIRCUIT_ROUNDS):
        earn = np.zeros((N, N, par.S))  # own income of i out of a dollar of sales of (j, s)
        earn[par.supplier] = (1.0 - kept)[:, None] * bill
        for i in range(N):
            earn[i, i] += kept[i] * bill[i] + (0.0 if free else par.phi_va[i] / par.mu)
        income = earn.reshape(N, cells)
        scale = 1.0 + transfer
        system = np.eye(cells) - demand - spread @ (scale[:, None] * income)
        shift = scale * wages + (0.0 if par.deficit_follows_income else par.deficit0)
        sales = np.linalg.solve(system, spread @ shift)
        own = wages + income @ sales
        before = transfer, kept
        if par.deficit_follows_income:
            transfer = par.deficit_share - np.sum(par.deficit_share * own) / own.sum()
        if policy.rent_share > 0.0:
            kept = _kept_share(par, policy, np.sum(bill * sales.reshape(N, -1), axis=1))
        if max(np.abs(transfer - before[0]).max(), np.abs(kept - before[1]).max()) <= 1e-15:
            return np.asarray(sales).reshape(N, -1), own, kept
    raise NotSolved("rents and deficits did not settle")


def _kept_share(par: Equations, policy: Equations, value: Array) -> Array:
    """Share of a destination's rare-earth bill that its own licence holders keep, (15)."""
    mine, quota, embargo = ref.clear_rare_earths(par, policy, value)
    return np.where(
        par.foreign, policy.rent_share * quota * mine / ref.user_prices(par, policy, mine, quota, embargo), 0.0
    )


def _by_final_demand(par: Equations, trade_share: Array, final_share: Array) -> Array:
    """Sales of (j, s) out of a dollar of final demand in i, (NS, N)."""
    return (trade_share * final_share[None]).transpose(0, 2, 1).reshape(par.N * par.S, par.N)


def _materials_circuit(par: Equations, trade_share: Array) -> Array:
    """Sales of (j, s) out of a dollar that sector k of i spends, (NS, NS)."""
    return np.einsum("jis,iks->jsik", trade_share, par.phi).reshape(par.N * par.S, -1)


@dataclass(frozen=True, slots=True)
class Derivative:
    """Linearised reduced system: residuals by unknowns, and what measures do when they are given."""

    by_unknowns: Array  # (NS + 2N, NS + 2N)
    sales_by_unknowns: Array  # (NS, NS + 2N), d log Y
    by_measures: Array  # (NS + 2N, 2NS), with measures given
    sales_by_measures: Array  # (NS, 2NS)


def linearise(par: Equations, policy: Equations, endogenous: bool, at: Point) -> Derivative:
    """Analytic derivatives of the residuals of `evaluate` at a point, spending eliminated through its own linear system."""
    N, S, cells = par.N, par.S, par.N * par.S
    n, theta = cells + 2 * N, par.theta
    free, in_good = endogenous and not par.entry_in_final_good, par.entry_in_final_good
    factor = (par.mu - 1.0) / par.mu
    region = np.repeat(np.eye(N), S, axis=0)  # (NS, N)
    E_c = np.hstack([np.eye(cells), np.zeros((cells, 2 * N))])
    E_w, E_q = (np.hstack([np.zeros((N, cells + k * N)), np.eye(N), np.zeros((N, (1 - k) * N))]) for k in (0, 1))
    into = np.einsum("jis,st->isjt", at.trade_share, np.eye(S)).reshape(cells, cells)
    dP = into @ E_c
    dP_C = np.einsum("is,isn->in", at.final_share, dP.reshape(N, S, n))
    du = region @ (E_q - E_w) / (1.0 + (theta * np.tile(par.z, N)[:, None] if endogenous else 0.0))
    z, sR = np.tile(par.z, N)[:, None], at.share_R.reshape(cells, 1)
    va = (par.phi_va * at.sales).reshape(cells)
    # the circuit: Y (dlogY) = C dz + M A, solved below
    sales = at.sales.reshape(cells)
    spent = ref.expenditure(par, at.final_share, at.final_demand, at.sales).reshape(cells)
    final = (at.final_share * at.final_demand[:, None]).reshape(cells)
    sigma = np.tile(par.sigma, N)
    spread = _by_final_demand(par, at.trade_share, at.final_share)
    own_by_z, own_by_sales, own_by_A = _income_derivatives(par, policy, free, at, sR, z, du, E_w, n)
    close = _closure_derivative(par, at)
    rhs = ((1.0 - sigma) * sales)[:, None] * E_c + into.T @ (-((1.0 - sigma) * spent)[:, None] * dP)
    rhs += into.T @ ((1.0 - par.rho) * final[:, None] * (dP - region @ dP_C)) + spread @ (close @ own_by_z)
    system = np.diag(sales) - _materials_circuit(par, at.trade_share) * sales - spread @ (close @ own_by_sales)
    solved = np.linalg.solve(system, np.hstack([rhs, spread @ (close @ own_by_A)]))
    dY, dY_A = solved[:, :n], solved[:, n:]
    # costs
    unit = region @ (dP_C if in_good else E_w)
    if endogenous:
        dv, dv_A = region @ E_w + sR * (1.0 + theta * z) * du - theta * dY + theta * unit, np.zeros((cells, 2 * cells))
    else:
        dv = region @ E_w + sR * du
        dv_A = np.hstack([-theta * np.diag(sR[:, 0]), -theta * np.diag(1.0 - sR[:, 0])])
    phi = np.einsum("iks,ij->ikjs", par.phi, np.eye(N)).reshape(cells, cells)
    phi_va = par.phi_va.reshape(cells, 1)
    on_cost, on_cost_A = E_c - phi_va * dv - phi @ dP, -phi_va * dv_A
    # factor markets
    bill = factor * sR * va[:, None]
    dvalue = region.T @ (bill * ((1.0 - sR) * z * du + dY))
    tilt = np.zeros((cells, 2 * cells)) if endogenous else np.hstack([-theta * np.eye(cells), theta * np.eye(cells)])
    dvalue_A = region.T @ (bill * ((1.0 - sR) * z * tilt + dY_A))
    coefficient = (1.0 if free else factor) * va[:, None]
    payroll = (1.0 if free else factor) * va.reshape(N, S).sum(axis=1) - at.value
    on_labour = (region.T @ (coefficient * dY) - dvalue) / payroll[:, None] - E_w
    on_labour_A = (region.T @ (coefficient * dY_A) - dvalue_A) / payroll[:, None]
    if not endogenous and not in_good:
        on_labour_A = on_labour_A + _research(par, at) / at.labour[:, None]
    largest = np.argmax(par.labour0)
    bill_w = np.exp(at.log_wage) * par.labour0
    on_labour[largest], on_labour_A[largest] = (bill_w / bill_w.sum()) @ E_w, 0.0
    worth = at.regime / at.value[None, :] if np.all(at.value > 0.0) else np.zeros_like(at.regime)
    on_ree, on_ree_A = E_q - worth @ dvalue, -worth @ dvalue_A
    return Derivative(np.vstack([on_cost, on_labour, on_ree]), dY, np.vstack([on_cost_A, on_labour_A, on_ree_A]), dY_A)


def _research(par: Equations, at: Point) -> Array:
    """Research labour by region and measure, d labour / d log A less its sign, (N, 2NS)."""
    outlay = np.stack([par.research_R0 * np.exp(at.log_A_R), par.research_L0 * np.exp(at.log_A_L)])
    return np.einsum("vis,ij->jvis", outlay, np.eye(par.N)).reshape(par.N, -1)


def _income_derivatives(
    par: Equations,
    policy: Equations,
    free: bool,
    at: Point,
    sR: Array,
    z: Array,
    du: Array,
    E_w: Array,
    n: int,
) -> tuple[Array, Array, Array]:
    """Own income by unknowns, by log sales and by log measures, (16)."""
    N, S, cells = par.N, par.S, par.N * par.S
    region = np.repeat(np.eye(N), S, axis=0)
    va = (par.phi_va * at.sales).reshape(cells)
    bill = (par.mu - 1.0) / par.mu * sR[:, 0] * va
    kept = _kept_derivative(par, policy, at)
    route = kept.copy()  # of rare-earth bills into own income
    route[par.supplier] += 1.0 - kept.sum(axis=0)
    by_bill = route @ region.T
    by_z = (np.exp(at.log_wage) * at.labour)[:, None] * E_w + by_bill @ (bill[:, None] * (1.0 - sR) * z * du)
    by_sales = by_bill * bill
    if not free:
        by_sales = by_sales + region.T * (va / par.mu)
    by_A = np.zeros((N, 2 * cells))
    if not free:
        pull = -par.theta * by_bill * (bill * ((1.0 - sR) * z)[:, 0])
        by_A = np.hstack([pull, -pull])
        if not par.entry_in_final_good:
            by_A = by_A - np.exp(at.log_wage)[:, None] * _research(par, at)
    return by_z, by_sales, by_A


def _kept_derivative(par: Equations, policy: Equations, at: Point) -> Array:
    """Rents importers keep, by their spending on rare earths, (N, N): rent_share x w_R / q_i times spending."""
    by_value = np.diag(at.kept_share)
    _, _, mine, quota = clearing_derivative(par, policy, at.value)
    if quota == 0.0 or policy.rent_share == 0.0:
        return by_value
    free = int(
        np.argmin(np.where(par.foreign, np.exp(at.clearing) / mine - policy.tax, np.inf))
    )  # the quota alone holds it
    log_w, log_q = at.regime[par.supplier], at.regime  # by log value
    log_x = (policy.tax[free] + quota) / quota * (log_q[free] - log_w)
    change = (at.kept_share * at.value)[:, None] * (log_x + log_w - log_q)
    return by_value + change / at.value


def _closure_derivative(par: Equations, at: Point) -> Array:
    """Final demand by own income, (N, N), for the closure in force, (16)."""
    if not par.deficit_follows_income:
        return np.eye(par.N)
    own, d = at.own_income, par.deficit_share
    mean = np.sum(d * own) / own.sum()
    return np.diag(1.0 + d - mean) - np.outer(own, d - mean) / own.sum()


def solve(par: Equations, policy: Equations, endogenous: bool, z: Array) -> tuple[Point, int]:
    """Newton's method with step halving on the largest residual.

    Raises
    ------
    NotSolved
        If the residual stops falling above tolerance.
    """
    point, residual = evaluate(par, policy, endogenous, z)
    for step in range(1, NEWTON_STEPS + 1):
        size = np.abs(residual).max()
        if size <= NEWTON_TOLERANCE:
            return point, step
        move = np.linalg.solve(linearise(par, policy, endogenous, point).by_unknowns, residual)
        scale = min(1.0, 1.0 / np.abs(move).max())
        while True:
            try:
                trial, after = evaluate(par, policy, endogenous, z - scale * move)
            except (NotSolved, np.linalg.LinAlgError):
                after = np.array([np.inf])
            if np.isfinite(after).all() and (np.abs(after).max() < size or size <= 1e2 * NEWTON_TOLERANCE):
                break
            scale /= 2.0
            if scale < 1e-6:
                raise NotSolved(f"Newton's method stopped at a residual of {size:.1e}")
        z, point, residual = z - scale * move, trial, after
    raise NotSolved(f"Newton's method: {NEWTON_STEPS} steps, residual {np.abs(residual).max():.1e}")


def entry_dynamics(par: Equations, policy: Equations, row: Equations) -> Array:
    """Jacobian of log(profit / entry cost) with respect to log measures, prices and trade at once, (22).

    Returns
    -------
    (m, m) ndarray
        Over measures that exist; times the speed of entry it is the linearised dynamics.
    """
    N, S, cells = par.N, par.S, par.N * par.S
    z = np.concatenate([np.log(row.unit_cost).ravel(), np.log(row.wage), np.log(row.ree_price)])
    point, _ = evaluate(par, policy, False, z, (np.log(row.A_R), np.log(row.A_L)))
    d = linearise(par, policy, False, point)
    by_A = np.linalg.solve(d.by_unknowns, -d.by_measures)
    dY = d.sales_by_unknowns @ by_A + d.sales_by_measures
    region = np.repeat(np.eye(N), S, axis=0)
    dw, dq = by_A[cells : cells + N], by_A[cells + N :]
    tilt = np.hstack([-par.theta * np.eye(cells), par.theta * np.eye(cells)])
    du = region @ (dq - dw) + tilt
    unit = dw
    if par.entry_in_final_good:
        weights = point.final_share[:, None, :] * point.trade_share.transpose(1, 0, 2)  # i, j, s
        unit = weights.reshape(N, cells) @ by_A[:cells]
    sR, zz = point.share_R.reshape(cells, 1), np.tile(par.z, N)[:, None]
    gain_R = (1.0 - sR) * zz * du + dY - region @ unit
    gain_L = -sR * zz * du + dY - region @ unit
    gain = np.vstack([gain_R, gain_L]) - np.eye(2 * cells)
    exists = np.concatenate([(par.research_R0 > 0.0).ravel(), (par.research_L0 > 0.0).ravel()])
    return gain[np.ix_(exists, exists)]
