"""Inference that leans less on the number of clusters: permuted sensitivity, and the wild cluster bootstrap."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from reesim.empirics.regress.design import Design
from reesim.empirics.regress.fit import Fit, Options
from reesim.empirics.regress.prune import Array, Codes, codes_of, demean
from reesim.errors import ConvergenceError, DataError, InputError

if TYPE_CHECKING:
    import pandas as pd

Weights = Literal["rademacher", "webb"]
WEBB = np.array([-math.sqrt(1.5), -1.0, -math.sqrt(0.5), math.sqrt(0.5), 1.0, math.sqrt(1.5)])
"""Six points of mean 0 and variance 1 (Webb 2023), for few clusters."""

SLACK = 1e-9
"""Relative distance within which a draw counts as far out as the estimate itself, so that rounding breaks no ties."""

MANY = 3000
"""Clusters that the bootstrap takes: a matrix of their square is kept."""

BLOCK = 200
"""Columns demeaned at a time: memory stays at rows x BLOCK numbers."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Resampled:
    """A p-value from draws.

    Parameters
    ----------
    method : str
        What was drawn, in words.
    statistic : float
        Of the sample: the coefficient for permutations, t for the bootstrap.
    draws : (B,) ndarray
        The same of each draw.
    p : float
        Share of draws at least as far from zero. All there are where they can be listed, which makes it exact;
        otherwise (1 + number) / (1 + draws).
    exact : bool
    seed : int
    failed : int
        Draws without a number, which are not in `draws`; p counts them as far out.
    """

    method: str
    statistic: float
    draws: Array
    p: float
    exact: bool
    seed: int
    failed: int = 0

    def __str__(self) -> str:
        how = "all" if self.exact else f"seed {self.seed}"
        lost = f"; {self.failed} more could not be fitted and count as far out" if self.failed else ""
        return f"{self.method}: p = {self.p:.4f} ({len(self.draws):,} draws, {how}{lost})"


def permute_sensitivity(design: Design, fit: Fit, draws: int = 9999, seed: int = 2010) -> Resampled:
    """Randomisation inference: sensitivity dealt out anew among industries, everything else as it is.

    Under the null that sensitivity has nothing to do with what happened to an industry, any order is as likely as the one
    observed. The coefficient of a least-squares fit is β(s) = s'b / s'Cs, where b and C hold, by industry, the outcome and
    the dummies industry x post with fixed effects and controls taken out: each draw costs a product of an S x S matrix.
    A Poisson regression is fitted anew for each draw, so ask for hundreds rather than thousands. A draw that has no finite
    coefficient is counted, and counts as far out.

    Parameters
    ----------
    design : Design
    fit : Fit
        Of this design.
    draws : int
        If there are no more orders than this, all are listed and p is exact.
    seed : int

    Raises
    ------
    InputError
        If draws are not positive.
    ConvergenceError
        If taking out fixed effects did not end.
    """
    if draws < 1:
        raise InputError(f"{draws} draws: should be 1 or more")
    frame = design.frame.iloc[fit.kept]
    codes = codes_of(frame[design.industry].to_numpy(dtype=object))
    count = int(codes.max()) + 1
    s = np.empty(count)
    s[codes] = frame["sensitivity"].to_numpy(dtype=np.float64)
    dealt, exact = _dealt(s, draws, seed)
    failed = 0
    if fit.estimator == "PPML":
        found = np.array([_refit(design, frame, one[codes]) for one in dealt])
        values = found[np.isfinite(found)]
        failed = len(found) - len(values)
        statistic = fit.coefficient(design.term)
    else:
        b, c = _by_industry(design, fit, codes)
        values, statistic = _coefficients(dealt, b, c), float(_coefficients(s[None, :], b, c)[0])
    return Resampled(
        method=f"sensitivity permuted among {count} industries", statistic=statistic, draws=values,
        p=_share(values, statistic, exact, failed), exact=exact, seed=seed, failed=failed,
    )  # fmt: skip


def _dealt(s: Array, draws: int, seed: int) -> tuple[Array, bool]:
    """Orders of sensitivities: all of them if there are no more than the draws, or random ones."""
    if len(s) <= 12 and math.factorial(len(s)) <= draws:
        return np.array(list(itertools.permutations(s))), True
    return np.random.default_rng(seed).permuted(np.broadcast_to(s, (draws, len(s))), axis=1), False


def _refit(design: Design, frame: pd.DataFrame, sensitivity: Array) -> float:
    """Coefficient of the Poisson regression with another sensitivity in each row; nan if it has none."""
    moved = replace(design, frame=frame.assign(**{design.term: sensitivity * frame["post"]}))
    try:
        return moved.fit("PPML", Options(separation=("fe",))).coefficient(design.term)
    except (ConvergenceError, DataError):
        return math.nan  # counted by the caller


def _by_industry(design: Design, fit: Fit, codes: Codes) -> tuple[Array, Array]:
    """By industry, the outcome and the dummies industry x post, with fixed effects and controls taken out: b, C."""
    sample, count = _Partialled.of(design, fit), int(codes.max()) + 1
    post = design.frame.iloc[fit.kept]["post"].to_numpy(dtype=np.float64)
    y = sample.partial(sample.y[:, None])[:, 0]
    b = np.asarray(np.bincount(codes, weights=post * y, minlength=count), dtype=np.float64)
    c = np.empty((count, count))
    for start in range(0, count, BLOCK):
        block = np.arange(start, min(start + BLOCK, count))
        dummies = sample.partial(post[:, None] * (codes[:, None] == block))
        for k, column in zip(block, dummies.T, strict=True):
            c[:, k] = np.bincount(codes, weights=post * column, minlength=count)
    return b, c


def wild_bootstrap(
    design: Design, fit: Fit, term: str = "", draws: int = 9999, weights: Weights = "webb", seed: int = 2010
) -> Resampled:
    """Wild cluster bootstrap of t, with the null of no effect imposed, for a least-squares fit.

    Residuals under the null are multiplied by one random weight a cluster, and t is computed anew with the same clustered
    covariance (Cameron, Gelbach and Miller 2008). As y* is linear in the weights, so are the scores of the clusters, and
    all draws follow from one G x G matrix (Roodman, MacKinnon, Nielsen and Webb 2019). Small-sample factors cancel.

    Parameters
    ----------
    design : Design
    fit : Fit
        Of this design, by least squares, clustered in one way.
    term : str, optional
        Default: sensitivity x post.
    draws : int
        With Rademacher weights, if there are no more than this many combinations all are listed.
    weights : {"webb", "rademacher"}
        Six points, for any number of clusters, or ±1.
    seed : int

    Raises
    ------
    InputError
        If the fit is not of least squares with one way of clusters, the weights are not known, or draws not positive.
    ConvergenceError
        If taking out fixed effects did not end.
    """
    if fit.estimator != "OLS" or draws < 1:
        raise InputError("the wild cluster bootstrap needs a least-squares fit and 1 draw or more")
    if len(fit.clustered_by) != 1:
        raise InputError("the wild cluster bootstrap needs a fit clustered in exactly one way")
    sample = _Partialled.of(design, fit, but=term or design.term)
    x = sample.partial(sample.x[:, None])[:, 0]
    u = sample.partial(sample.y[:, None])[:, 0]
    codes = codes_of(design.frame.iloc[fit.kept][fit.clustered_by[0]].to_numpy(dtype=object))
    count = int(codes.max()) + 1
    if count > MANY:
        raise InputError(
            f"{count:,} clusters: the bootstrap keeps a matrix of their square and is for {MANY:,} at most; with so many "
            "clusters the clustered standard error will do"
        )
    power = float(x @ x)
    own = np.bincount(codes, weights=x * x, minlength=count)
    moved = np.empty((count, count))
    for start in range(0, count, BLOCK):
        block = np.arange(start, min(start + BLOCK, count))
        parts = sample.partial(u[:, None] * (codes[:, None] == block))
        for h, column in zip(block, parts.T, strict=True):
            moved[:, h] = np.bincount(codes, weights=x * column, minlength=count)
    drawn, exact = _weights(count, draws, weights, seed)

    def t_of(w: Array) -> Array:
        scores = w @ moved.T
        beta = scores.sum(axis=1) / power
        error = np.sqrt(((scores - beta[:, None] * own) ** 2).sum(axis=1)) / power
        return beta / np.where(error > 0.0, error, math.inf)

    statistic = float(t_of(np.ones((1, count)))[0])
    values = t_of(drawn)
    return Resampled(
        method=f"wild cluster bootstrap, {weights} weights, {count} clusters", statistic=statistic, draws=values,
        p=_share(values, statistic, exact), exact=exact, seed=seed,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Partialled:
    """Rows of a fit: outcome, a regressor, and how to take fixed effects and the other regressors out of columns."""

    y: Array
    x: Array
    partial: Callable[[Array], Array]

    @classmethod
    def of(cls, design: Design, fit: Fit, but: str = "") -> _Partialled:
        frame = design.frame.iloc[fit.kept]
        term = but or design.term
        others = [name for name in fit.terms if name not in (term, "constant")]
        effects = [codes_of(frame[name].to_numpy(dtype=object)) for name in fit.effects]
        basis = _basis(frame[others].to_numpy(dtype=np.float64), effects)

        def partial(columns: Array) -> Array:
            left = _within(columns, effects)
            return left - basis @ (basis.T @ left)

        y = frame[fit.outcome].to_numpy(dtype=np.float64)
        return cls(y, frame[term].to_numpy(dtype=np.float64), partial)


def _basis(columns: Array, effects: Sequence[Codes]) -> Array:
    """Orthonormal columns of the other regressors within fixed effects."""
    if not columns.shape[1]:
        return np.zeros((len(columns), 0))
    return np.linalg.qr(_within(columns, effects))[0]


def _within(columns: Array, effects: Sequence[Codes]) -> Array:
    left = demean(columns, effects, tolerance=1e-11)
    if left is None:
        raise ConvergenceError("taking out the fixed effects did not end: they may link too few rows; use coarser ones")
    return left


def _coefficients(dealt: Array, b: Array, c: Array) -> Array:
    power = np.einsum("ds,st,dt->d", dealt, c, dealt, optimize=True)
    return (dealt @ b) / power


def _weights(count: int, draws: int, weights: Weights, seed: int) -> tuple[Array, bool]:
    if weights == "rademacher":
        if 2**count <= draws:
            return np.array(list(itertools.product((-1.0, 1.0), repeat=count))), True
        values = np.array([-1.0, 1.0])
    elif weights == "webb":
        values = WEBB
    else:
        raise InputError(f"weights {weights!r}: should be webb or rademacher")
    return np.random.default_rng(seed).choice(values, size=(draws, count)), False


def _share(values: Array, statistic: float, exact: bool, failed: int = 0) -> float:
    far = failed + int((np.abs(values) >= abs(statistic) * (1.0 - SLACK)).sum())
    draws = failed + len(values)
    return far / draws if exact else (1 + far) / (1 + draws)
