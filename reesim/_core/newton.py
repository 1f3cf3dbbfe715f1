"""Newton's method on the compiled static system, for where Anderson's iteration fails: strong scale economies, mostly."""

from __future__ import annotations

import numpy as np

from reesim._core.layout import POLICY, Array, Layout, Parameters, no_policy
from reesim._core.reference_engine import NotSolved
from reesim._core.static import StaticSolver

NEWTON_STEPS = 60
NEWTON_TOLERANCE = 1e-12
"""On the change of any unknown in a pass, in logs: certificates at 1e-10 follow with room."""
LARGEST = 4000
"""Unknowns above which a dense Jacobian is not worth its while (a second a step)."""
NUDGE = 1e-7
"""Forward differences of the compiled pass: seven digits of the Jacobian, of which Newton's method needs two or three."""


def solve(solver: StaticSolver, policy: Array, x: Array) -> tuple[Array, int]:
    """Newton's method with step halving on the largest residual.

    Returns
    -------
    x : ndarray
        Unknowns, as the solver orders them.
    steps : int

    Raises
    ------
    NotSolved
        If the residual stops falling above tolerance, or the system is too large.
    """
    if x.size > LARGEST:
        raise NotSolved(f"Newton's method is for up to {LARGEST} unknowns, not {x.size}")
    residual = solver.residual(policy, x)
    for step in range(1, NEWTON_STEPS + 1):
        size = np.abs(residual).max()
        if size <= NEWTON_TOLERANCE:
            return x, step
        if not np.isfinite(size):
            break
        move = np.linalg.solve(_jacobian(solver, policy, x, residual), -residual)
        scale = min(1.0, 1.0 / np.abs(move).max())
        while True:
            trial = x + scale * move
            after = solver.residual(policy, trial)
            if np.isfinite(after).all() and (np.abs(after).max() < size or size <= 1e2 * NEWTON_TOLERANCE):
                break
            scale /= 2.0
            if scale < 1e-6:
                raise NotSolved(f"Newton's method stopped at a residual of {size:.1e}")
        x, residual = trial, after
    raise NotSolved(f"Newton's method: {step} steps, residual {np.abs(residual).max():.1e}")


def _jacobian(solver: StaticSolver, policy: Array, x: Array, residual: Array) -> Array:
    columns = np.empty((x.size, x.size))
    for k in range(x.size):
        moved = x.copy()
        moved[k] += NUDGE
        columns[k] = solver.residual(policy, moved)
    return (columns - residual).T / NUDGE


def solve_by_degrees(solver: StaticSolver, policy: Array) -> tuple[Array, int]:
    """Newton's method from the baseline; if that fails, along a path on which the policy tightens by degrees."""
    start = np.zeros_like(solver.unknowns)
    try:
        return solve(solver, policy, start)
    except (NotSolved, np.linalg.LinAlgError):
        pass
    x, steps = start, 0
    for degree in np.linspace(0.1, 1.0, 10):
        x, steps = solve(solver, partial_policy(solver.parameters, policy, float(degree)), x)
    return x, steps


def partial_policy(parameters: Parameters, policy: Array, degree: float) -> Array:
    """Policy between none (degree 0) and itself (degree 1): ratios and limits in logs, shares and capacities in levels."""
    layout = Layout(POLICY, parameters.regions, parameters.sectors)
    part = no_policy(parameters)
    given, views = layout.views(policy), layout.views(part)
    for name, view in views.items():
        if name in ("entry_subsidy_R", "entry_subsidy_L", "mine_supply"):
            view[...] = degree * given[name]
        elif name == "rent_share":
            view[...] = given[name]
        else:  # what has no limit at the baseline starts at the baseline's own volume
            base = np.where(np.isinf(view), 1.0, view)
            view[...] = np.where(np.isinf(given[name]), np.inf, base * (given[name] / base) ** degree)
    return part
