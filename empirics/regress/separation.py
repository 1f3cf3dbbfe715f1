"""Rows that a Poisson regression can only fit with infinite coefficients, found by a linear program."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reesim.empirics.regress.prune import Array, Codes, Mask
from reesim.errors import ConvergenceError

CERTAIN = 1e-6
"""Height of a direction, at most one, above which a row counts as separated; the program is solved to 1e-9."""


def separated(outcome: Array, regressors: Array, effects: Sequence[Codes], name: str) -> Mask:
    """Find separated rows.

    A row is separated if some combination z of regressors and fixed effects is zero wherever the outcome is positive,
    nowhere negative, and positive in that row: along −z the likelihood rises for ever, and the row is fitted exactly at
    zero (Correia, Guimarães and Zylkin, "Verifying the existence of maximum likelihood estimates for generalized linear
    models"). The program maximises Σ z over rows with outcome zero subject to z ≤ 1. Where it finds nothing there is
    nothing; where it finds rows, ask again without them.

    Parameters
    ----------
    outcome : (N,) ndarray
        None negative.
    regressors : (N, K) ndarray
    effects : sequence of (N,) ndarray of int
        Without any, a constant is added.
    name : str
        For messages.

    Returns
    -------
    (N,) ndarray of bool

    Raises
    ------
    ConvergenceError
        If the program was not solved.
    """
    from scipy import sparse
    from scipy.optimize import linprog

    found, zero = np.zeros(len(outcome), dtype=bool), outcome == 0.0
    if not zero.any():
        return found
    spread = regressors.std(axis=0)
    columns = [sparse.csr_array((regressors - regressors.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0))]
    for codes in effects or [np.zeros(len(outcome), dtype=np.int64)]:
        level, code = np.unique(codes, return_inverse=True)
        ones, rows = np.ones(len(code)), np.arange(len(code))
        columns.append(sparse.csr_array((ones, (rows, code)), shape=(len(code), len(level))))
    x = sparse.csr_array(sparse.hstack(columns))
    at_zero, positive = x[zero], x[~zero]
    n = at_zero.shape[0]
    with np.errstate(all="ignore"):  # the solver's own presolve
        solved = linprog(
            -np.asarray(at_zero.sum(axis=0)).ravel(),
            A_ub=sparse.vstack([at_zero, -at_zero]), b_ub=np.concatenate([np.ones(n), np.zeros(n)]),
            A_eq=positive, b_eq=np.zeros(positive.shape[0]), bounds=(None, None), method="highs",
            options={"primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9},
        )  # fmt: skip
    if solved.status != 0:
        raise ConvergenceError(
            f"{name}: the search for separated rows did not end ({solved.message}): try separation=('fe',) in Options, and "
            "look for coefficients that run away"
        )
    found[zero] = at_zero @ solved.x > CERTAIN
    return found
