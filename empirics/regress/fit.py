"""Poisson and linear regressions with high-dimensional fixed effects, (26): pyfixest computes, and nothing passes silently.

A fit says how many rows it could not use and why. What does not converge, has no rows left, cannot be told apart from
its fixed effects or is not finite is an error that says what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from reesim.empirics.regress import engine
from reesim.empirics.regress.prune import Codes, Dropped, Mask, codes_of, demean, rank, spread_of, usable
from reesim.empirics.regress.records import (
    COLLINEAR,
    DEFAULT,
    FIXEST,
    PPMLHDFE,
    Array,
    Correction,
    Estimator,
    Fit,
    Options,
    Wald,
)
from reesim.empirics.regress.separation import separated
from reesim.errors import ConvergenceError, DataError, InputError, LabelError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DEFAULT",
    "FIXEST",
    "PPMLHDFE",
    "Correction",
    "Dropped",
    "Estimator",
    "Fit",
    "Options",
    "Wald",
    "ols",
    "ppml",
]

WITHIN = 1e-9
"""Variance left within fixed effects, of a regressor of variance one, below which they explain it wholly."""


def ppml(
    frame: pd.DataFrame,
    outcome: str,
    regressors: Sequence[str],
    *,
    effects: Sequence[str] = (),
    cluster: str | Sequence[str] = (),
    options: Options = DEFAULT,
) -> Fit:
    """Fit a Poisson pseudo-maximum-likelihood regression, E y = exp(x'β + fixed effects).

    Parameters
    ----------
    frame : DataFrame
        A row an observation. Columns may have any names.
    outcome : str
        Column of numbers, none negative.
    regressors : sequence of str
        Columns of numbers, at least one.
    effects : sequence of str
        Columns of labels; without any the regression has a constant, reported as ``constant``.
    cluster : str or sequence of up to two str
        Columns of labels; without any the covariance is robust to heteroskedasticity.
    options : Options

    Raises
    ------
    ConvergenceError
        If the iterations did not end.
    DataError
        If no rows are left, a regressor follows from others, or a number is infinite, negative or not a number.
    LabelError
        If there is no such column.
    """
    return _fit("PPML", frame, outcome, regressors, effects, cluster, options)


def ols(
    frame: pd.DataFrame,
    outcome: str,
    regressors: Sequence[str],
    *,
    effects: Sequence[str] = (),
    cluster: str | Sequence[str] = (),
    options: Options = DEFAULT,
) -> Fit:
    """Fit a linear regression, y = x'β + fixed effects; parameters and errors as of `ppml`, the outcome of any sign."""
    return _fit("OLS", frame, outcome, regressors, effects, cluster, options)


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """Columns of a regression as arrays, over the rows of the table given."""

    name: str
    y: Array
    x: Array
    terms: tuple[str, ...]
    effects: dict[str, Codes]
    clusters: dict[str, Codes]
    kept: Mask
    dropped: Dropped

    def without(self, rows: Mask, *, zeros: bool) -> _Sample:
        """The sample after separated rows are gone, and those that then have to go."""
        start = self.kept & ~rows
        kept, single, zero = usable(self.y, list(self.effects.values()), start, poisson=zeros)
        gone = replace(
            self.dropped,
            singletons=self.dropped.singletons + single,
            separated=self.dropped.separated + zero + int((self.kept & rows).sum()),
        )
        return replace(self, kept=kept, dropped=gone)

    def task(self, options: Options) -> engine.Task:
        """What is computed, over the rows kept."""
        rows, effects = self.kept, [codes[self.kept] for codes in self.effects.values()]
        clusters = [codes[rows] for codes in self.clusters.values()]
        return engine.Task(self.name, self.y[rows], self.x[rows], effects, clusters, options)

    def separated(self) -> Mask:
        """Rows kept that a Poisson regression can fit exactly at zero only with infinite coefficients."""
        found = np.zeros_like(self.kept)
        effects = [codes[self.kept] for codes in self.effects.values()]
        found[self.kept] = separated(self.y[self.kept], self.x[self.kept], effects, self.name)
        return found

    def require_rows(self) -> None:
        rows, needed = int(self.kept.sum()), len(self.terms) + 1
        if rows < needed:
            raise DataError(
                f"{self.name}: {rows} of {len(self.y):,} rows are left, too few for {len(self.terms)} coefficients "
                f"({self.dropped}): widen the sample, or use coarser fixed effects"
            )
        effects = rank([codes[self.kept] for codes in self.effects.values()], rows)
        if rows <= effects + len(self.terms):
            raise DataError(
                f"{self.name}: {rows} of {len(self.y):,} rows are left, too few for {len(self.terms)} coefficients and "
                f"{effects} fixed effects ({self.dropped}): widen the sample, or use coarser fixed effects"
            )
        for name, codes in self.clusters.items():
            if len(np.unique(codes[self.kept])) < 2:
                raise DataError(f"{self.name}: all rows are in one cluster of {name!r}: cluster by something finer")


def _fit(
    estimator: Estimator,
    frame: pd.DataFrame,
    outcome: str,
    regressors: Sequence[str],
    effects: Sequence[str],
    cluster: str | Sequence[str],
    options: Options,
) -> Fit:
    clusters = (cluster,) if isinstance(cluster, str) else tuple(cluster)
    sample = _columns(estimator, frame, outcome, tuple(regressors), tuple(effects), clusters)
    poisson = estimator == "PPML"
    nothing = np.zeros_like(sample.kept)
    sample = sample.without(nothing, zeros=poisson and "fe" in options.separation)
    omitted: tuple[str, ...] = ()
    while True:
        sample.require_rows()
        sample, gone = _independent(sample, options)
        omitted += gone
        if not (poisson and "lp" in options.separation):
            break
        endless = sample.separated()
        if not endless.any():
            break
        # Without these rows others may be alone, or a regressor follow from the rest: look again.
        sample = sample.without(endless, zeros="fe" in options.separation)
    return _report(estimator, outcome, sample, omitted, options)


def _independent(sample: _Sample, options: Options) -> tuple[_Sample, tuple[str, ...]]:
    """The sample with regressors that do not follow from fixed effects or from those before them; those that do."""
    rows = sample.kept
    x = sample.x[rows]
    spread = spread_of(x)
    scaled = x / np.where(spread > 0.0, spread, 1.0)
    left = demean(scaled, [codes[rows] for codes in sample.effects.values()], tolerance=1e-8)
    if left is None:
        raise ConvergenceError(
            f"{sample.name}: taking out the fixed effects did not end: they may link too few rows; use coarser ones"
        )
    good: list[int] = []
    for k in range(left.shape[1]):
        alone = float(np.mean(left[:, k] ** 2)) > WITHIN and spread[k] > 0.0
        if alone and _distinct(left[:, [*good, k]]):
            good.append(k)
        elif options.collinear == "refuse":
            raise DataError(f"{sample.name}: {_why_not(sample, k, alone)}")
    if not good:
        raise DataError(f"{sample.name}: every regressor follows from the fixed effects; there is nothing to estimate")
    gone = tuple(term for k, term in enumerate(sample.terms) if k not in good)
    return replace(sample, x=sample.x[:, good], terms=tuple(sample.terms[k] for k in good)), gone


def _distinct(columns: Array) -> bool:
    """Whether no column follows from the others."""
    scaled = columns / np.sqrt(np.mean(columns**2, axis=0))
    return float(np.linalg.eigvalsh(scaled.T @ scaled / len(scaled))[0]) > COLLINEAR


def _why_not(sample: _Sample, k: int, alone: bool) -> str:
    term, rows = repr(sample.terms[k]), int(sample.kept.sum())
    if not alone:
        reason = f"does not vary within {', '.join(map(repr, sample.effects))}" if sample.effects else "does not vary"
        return (
            f"regressor {term} {reason} in the {rows:,} rows used: its coefficient cannot be told apart; leave it out"
        )
    return f"regressor {term} follows from the regressors before it in the {rows:,} rows used: leave it out"


def _report(estimator: Estimator, outcome: str, sample: _Sample, omitted: tuple[str, ...], options: Options) -> Fit:
    result = engine.run(estimator, sample.task(options))
    kept = np.flatnonzero(sample.kept)
    levels = {name: len(np.unique(codes[kept])) for name, codes in sample.effects.items()}
    groups = [len(np.unique(codes[kept])) for codes in sample.clusters.values()]
    terms = sample.terms if sample.effects else ("constant", *sample.terms)
    errors = f"clustered by {' and '.join(sample.clusters)} (CRV1, {options.correction})" if groups else "robust (HC1)"
    absorbed = f" | {' + '.join(levels)}" if levels else ""
    return Fit(
        estimator=estimator, outcome=outcome, terms=terms, coefficients=result.coefficients,
        covariance=result.covariance, df=result.df, observations=len(kept), clusters=min(groups, default=0),
        effects=levels, clustered_by=tuple(sample.clusters), errors=errors, dropped=sample.dropped, omitted=omitted,
        deviance=result.deviance, kept=kept,
        call=f"{estimator}: {outcome} ~ {' + '.join(terms)}{absorbed}; errors {errors}; pyfixest {result.version}",
    )  # fmt: skip


def _columns(
    estimator: str,
    frame: pd.DataFrame,
    outcome: str,
    terms: tuple[str, ...],
    effects: tuple[str, ...],
    clusters: tuple[str, ...],
) -> _Sample:
    name = f"{estimator} of {outcome}"
    if not terms:
        raise InputError(f"{name}: give at least one regressor")
    if len(clusters) > 2:
        raise InputError(f"{name}: clusters in {len(clusters)} ways; at most two are supported")
    for column in (outcome, *terms, *effects, *clusters):
        if column not in frame.columns:
            raise LabelError(f"{name}: the table has no column {column!r}; it has {', '.join(map(str, frame.columns))}")
    y, x = _numbers(frame, outcome, name), np.column_stack([_numbers(frame, term, name) for term in terms])
    kept = np.isfinite(y) & np.isfinite(x).all(axis=1)
    for column in (*effects, *clusters):
        kept &= frame[column].notna().to_numpy()
    if estimator == "PPML" and (y[kept] < 0.0).any():
        row = int(np.flatnonzero(kept & (y < 0.0))[0])
        raise DataError(f"{name}: row {row + 1} is {y[row]:g}; a Poisson regression needs outcomes of 0 or more")
    labels = {column: codes_of(frame[column].to_numpy(dtype=object)) for column in (*effects, *clusters)}
    return _Sample(
        name, y, x, terms, {e: labels[e] for e in effects}, {c: labels[c] for c in clusters}, kept,
        Dropped(missing=int((~kept).sum())),
    )  # fmt: skip


def _numbers(frame: pd.DataFrame, column: str, name: str) -> Array:
    """A column as numbers; nan where missing, never infinite."""
    try:
        values: Array = frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: column {column!r} should hold numbers: {error}") from error
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0])
        raise DataError(
            f"{name}: column {column!r} is infinite in row {row + 1}: mend it, or leave it empty to drop the row"
        )
    return values
