"""The one place that speaks to pyfixest: arrays in, plain numbers out, its warnings read and its failures given names."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from reesim.empirics.regress.prune import Codes, spread_of
from reesim.empirics.regress.records import Array, Estimator, Options
from reesim.errors import ConvergenceError, DataError, InputError, ReesimError

EFFECTS_TOLERANCE = 1e-10
"""Change at which fixed effects count as taken out, in units of variables scaled to one."""

NOTHING = 1e-11
"""Coefficient and robust standard error, of variables of spread one, below which all of a linear fit is rounding."""

DEGENERATE = 1e-6
"""Ratio of clustered and robust standard errors below which the clusters cannot carry one."""

ROUNDS = 100_000
"""How often fixed effects may be taken out in turn."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One regression over n rows.

    Parameters
    ----------
    name : str
        For messages.
    y : (n,) ndarray
    x : (n, K) ndarray
    effects, clusters : list of (n,) ndarray of int
    options : Options
    """

    name: str
    y: Array
    x: Array
    effects: list[Codes]
    clusters: list[Codes]
    options: Options


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Numbers of a fit: with a constant first where there are no fixed effects."""

    coefficients: Array
    covariance: Array
    df: float
    deviance: float
    version: str


def run(estimator: Estimator, task: Task) -> Result:
    """Compute a fit on rows of which none has to go.

    Raises
    ------
    ConvergenceError
        If the iterations did not end.
    DataError
        If a result is not finite.
    """
    size = float(task.y.mean() if estimator == "PPML" else spread_of(task.y[:, None])[0])
    if not size > 0.0:
        raise DataError(f"{task.name}: the outcome is the same in all {len(task.y):,} rows used: nothing to explain")
    frame, scale_x, scale_y = _scaled(task, task.effects, size)
    clusters = " + ".join(f"c{i}" for i in range(len(task.clusters)))
    with _quiet(task.name):
        model = _call(
            estimator,
            frame,
            len(scale_x),
            len(task.effects),
            {"CRV1": clusters} if clusters else "hetero",
            task.options,
        )
    if len(task.y) != model._N or model._collin_vars:
        raise ReesimError(f"{task.name}: pyfixest left out rows or regressors that were to be used; please report this")
    if estimator == "PPML" and not model.convergence:
        raise ConvergenceError(
            f"{task.name}: no convergence in {task.options.iterations} iterations: look for regressors or fixed effects "
            "that fit zeros exactly (Options.separation), or raise Options.iterations"
        )
    found = _unscaled(estimator, task, model, scale_x, scale_y)
    _require_errors(estimator, task, model)
    return found


def _scaled(task: Task, effects: list[Codes], size: float) -> tuple[Any, Array, float]:
    """Columns around zero of spread one under names of our own: tolerances do not hang on units, nor formulas on labels."""
    import pandas as pd

    spread = task.x.std(axis=0)
    frame = pd.DataFrame({"y": task.y / size})
    for k in range(task.x.shape[1]):
        frame[f"x{k}"] = (task.x[:, k] - task.x[:, k].mean()) / spread[k]
    for i, codes in enumerate(effects):
        frame[f"f{i}"] = codes
    for i, codes in enumerate(task.clusters):
        frame[f"c{i}"] = codes
    return frame, spread, size


def _call(
    estimator: Estimator,
    frame: Any,
    regressors: int,
    effects: int,
    errors: Any,
    options: Options,
) -> Any:
    import pyfixest

    formula = "y ~ " + " + ".join(f"x{k}" for k in range(regressors))
    if effects:
        formula += " | " + " + ".join(f"f{i}" for i in range(effects))
    correction = options.correction
    common = {
        "vcov": errors or "hetero",
        "ssc": pyfixest.ssc(k_adj=correction.parameters, k_fixef="nonnested", G_adj=correction.groups, G_df="min"),
        "fixef_rm": "none",
        "demeaner": pyfixest.MapDemeaner(fixef_tol=EFFECTS_TOLERANCE, fixef_maxiter=ROUNDS),
    }
    if estimator == "OLS":
        return pyfixest.feols(formula, frame, **common)
    return pyfixest.fepois(
        formula, frame, iwls_tol=options.tolerance, iwls_maxiter=options.iterations, separation_check=[],
        **common,
    )  # fmt: skip


def _unscaled(estimator: Estimator, task: Task, model: Any, scale_x: Array, size: float) -> Result:
    import pyfixest

    back = _back(task, scale_x) * (size if estimator == "OLS" else 1.0)
    beta = back @ np.asarray(model._beta_hat, dtype=np.float64)
    covariance = back @ np.asarray(model._vcov, dtype=np.float64) @ back.T
    constant = not task.effects
    if estimator == "PPML":
        deviance = float(model.deviance) * size
        if constant:
            beta[0] += np.log(size)
    else:
        deviance = float(np.sum(np.asarray(model._u_hat) ** 2)) * size**2
    if not (np.isfinite(beta).all() and np.isfinite(covariance).all() and (np.diag(covariance) >= 0.0).all()):
        raise DataError(
            f"{task.name}: a coefficient or its standard error is not finite: the clusters or rows are too few for it, "
            "or a regressor all but follows from the others"
        )
    return Result(beta, covariance, float(model._df_t), deviance, pyfixest.__version__)


def _back(task: Task, spread: Array) -> Array:
    """From coefficients of scaled columns to those of columns as given, a matrix; a constant first, if there is one."""
    slopes = np.diag(1.0 / spread)
    if task.effects:
        return slopes
    back = np.zeros((len(spread) + 1, len(spread) + 1))
    back[0, 0], back[0, 1:], back[1:, 1:] = 1.0, -task.x.mean(axis=0) / spread, slopes
    return back


def _require_errors(estimator: Estimator, task: Task, model: Any) -> None:
    """Refuse fits of nothing, and clusters so few that their scores are zero whatever the data are."""
    beta = np.abs(np.asarray(model._beta_hat, dtype=np.float64))
    own = np.sqrt(np.diag(np.asarray(model._vcov, dtype=np.float64)))
    if task.clusters:
        with _quiet(task.name):
            robust = np.sqrt(np.diag(np.asarray(model.vcov("hetero")._vcov, dtype=np.float64)))
    else:
        robust = own
    if estimator == "OLS" and task.effects and (beta < NOTHING).all() and (robust < NOTHING).all():
        raise DataError(f"{task.name}: fixed effects explain the outcome: nothing is left to explain")
    if ((own < DEGENERATE * robust) & (robust > NOTHING / DEGENERATE)).any():
        groups = min(len(np.unique(codes)) for codes in task.clusters)
        raise DataError(
            f"{task.name}: the clustered standard error is zero by construction with {groups} clusters and these fixed "
            "effects: cluster by something finer, or widen the sample"
        )


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Read pyfixest's warnings: deprecations are its own business, the rest goes on up."""
    from scipy.linalg import LinAlgWarning

    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        with _named(name):
            yield
    for item in caught:
        if "pyfixest" in item.filename and issubclass(item.category, DeprecationWarning | FutureWarning):
            continue
        if issubclass(item.category, LinAlgWarning):
            raise DataError(f"{name}: a regressor all but follows from the others ({item.message}): leave one out")
        warnings.warn_explicit(item.message, item.category, item.filename, item.lineno)


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        from pyfixest.errors import NonConvergenceError
    except ImportError as error:
        raise InputError(
            "regressions need the package pyfixest, 0.60 or later: install reesim with its extra, reesim[empirics]"
        ) from error
    try:
        yield
    except NonConvergenceError as error:
        raise ConvergenceError(f"{name}: no convergence: raise Options.iterations") from error
    except np.linalg.LinAlgError as error:
        raise DataError(f"{name}: a regressor all but follows from the others ({error}): leave one out") from error
    except ValueError as error:
        if "Demeaning failed" in str(error):
            raise ConvergenceError(
                f"{name}: taking out the fixed effects did not end: they may link too few rows; use coarser ones"
            ) from error
        raise
