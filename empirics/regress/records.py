"""What a regression is asked for and what it gives back: plain records, whatever library computes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from reesim.empirics.estimates import Estimate
from reesim.empirics.regress.prune import Codes, Dropped
from reesim.errors import DataError, InputError, LabelError

Array = npt.NDArray[np.float64]
Estimator = Literal["PPML", "OLS"]

COLLINEAR = 1e-9
"""Smallest eigenvalue of correlations below which one of the variables follows from the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Small-sample factor on a clustered covariance.

    Parameters
    ----------
    groups : bool
        G / (G − 1); with two-way clusters G is the smaller number.
    parameters : bool
        (N − 1) / (N − K); K counts regressors, and levels of fixed effects that are not nested in clusters.
    """

    groups: bool = True
    parameters: bool = True

    def __str__(self) -> str:
        parts = ["G/(G-1)"] * self.groups + ["(N-1)/(N-K)"] * self.parameters
        return " x ".join(parts) or "none"


FIXEST = Correction()
"""The default: that of fixest."""

PPMLHDFE = Correction(parameters=False)
"""That of Stata's maximum-likelihood commands, and of ppmlhdfe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a fit is computed.

    Parameters
    ----------
    correction : Correction
        Small-sample factor.
    separation : tuple of {"fe", "lp"}
        Searches for separated rows of a Poisson regression: levels that are zero throughout, and a linear program that
        finds them in any combination of regressors and fixed effects.
    collinear : {"refuse", "omit"}
        Whether a regressor that follows from the others, or from fixed effects, is an error or left out by name.
    iterations : int
        Of the Poisson regression.
    tolerance : float
        Relative change of its deviance at which it ends. The covariance takes its weights from the iteration before, so this is
        near the last digit: its square root is what weights may still be off.
    """

    correction: Correction = FIXEST
    separation: tuple[Literal["fe", "lp"], ...] = ("fe", "lp")
    collinear: Literal["refuse", "omit"] = "refuse"
    iterations: int = 100
    tolerance: float = 1e-14


DEFAULT = Options()


@dataclass(frozen=True, slots=True)
class Wald:
    """A joint test that coefficients are zero.

    Parameters
    ----------
    statistic : float
        Wald's χ² over the number of restrictions: F.
    restrictions : int
    df : float
        Of the denominator; inf makes it a χ² test.
    p : float
    """

    statistic: float
    restrictions: int
    df: float
    p: float

    def __str__(self) -> str:
        return f"F({self.restrictions}, {self.df:g}) = {self.statistic:.3f}, p = {self.p:.4f}"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Fit:
    """Result of one regression.

    Parameters
    ----------
    estimator : {"PPML", "OLS"}
    outcome : str
    terms : tuple of str
        Regressors, in the order of the coefficients.
    coefficients : (K,) ndarray
    covariance : (K, K) ndarray
    df : float
        Degrees of freedom of the t distribution that p-values and intervals use: clusters − 1.
    observations, clusters : int
        Of the sample that was fitted; without clusters 0, with two ways the smaller number.
    effects : mapping of str to int
        Fixed effects and how many levels each has in the sample.
    clustered_by : tuple of str
    errors : str
        How the covariance is computed, in words.
    dropped : Dropped
        Rows given and not used.
    omitted : tuple of str
        Regressors left out because they follow from others, empty unless that was allowed.
    deviance : float
        Of the Poisson regression; sum of squared residuals of a linear one.
    kept : (N,) ndarray of int
        Positions of the rows used, in the table that was given.
    call : str
        What was computed, in words.
    """

    estimator: Estimator
    outcome: str
    terms: tuple[str, ...]
    coefficients: Array
    covariance: Array
    df: float
    observations: int
    clusters: int
    effects: Mapping[str, int]
    clustered_by: tuple[str, ...]
    errors: str
    dropped: Dropped
    omitted: tuple[str, ...]
    deviance: float
    kept: Codes
    call: str

    @property
    def std_errors(self) -> Array:
        """(K,) ndarray."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def t(self) -> Array:
        """(K,) ndarray: coefficients over their standard errors; infinite where the fit is exact."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.coefficients / self.std_errors

    @property
    def p(self) -> Array:
        """(K,) ndarray: two-sided p-values of the t distribution with `df` degrees of freedom."""
        from scipy.stats import t

        return np.asarray(2.0 * t.sf(np.abs(self.t), self.df))

    def at(self, term: str) -> int:
        """Return the position of a term.

        Raises
        ------
        LabelError
            If the fit has no such term.
        """
        if term not in self.terms:
            raise LabelError(f"the fit has no term {term!r}; it has {', '.join(self.terms)}")
        return self.terms.index(term)

    def coefficient(self, term: str) -> float:
        """Return the coefficient of a term."""
        return float(self.coefficients[self.at(term)])

    def std_error(self, term: str) -> float:
        """Return the standard error of a term."""
        return float(self.std_errors[self.at(term)])

    def interval(self, term: str, level: float = 0.95) -> tuple[float, float]:
        """Return the confidence interval of a term.

        Raises
        ------
        InputError
            If the level is not between 0 and 1.
        """
        from scipy.stats import t

        if not 0.0 < level < 1.0:
            raise InputError(f"confidence level {level:g}: should be between 0 and 1")
        half = float(t.isf((1.0 - level) / 2.0, self.df)) * self.std_error(term)
        return self.coefficient(term) - half, self.coefficient(term) + half

    def wald(self, terms: Sequence[str]) -> Wald:
        """Test that all these coefficients are zero, by F with `df` in the denominator.

        Raises
        ------
        DataError
            If there are more restrictions than the clusters can carry: their covariance has no inverse.
        """
        from scipy.stats import chi2, f

        at = [self.at(term) for term in terms]
        if not at:
            raise DataError("a joint test needs at least one coefficient")
        b, v = self.coefficients[at], self.covariance[np.ix_(at, at)]
        scale = np.sqrt(np.diag(v))
        if np.linalg.eigvalsh(v / np.outer(scale, scale))[0] < COLLINEAR:
            raise DataError(
                f"no joint test of {len(at)} coefficients: with {self.clusters} clusters their covariance has no inverse; "
                "test fewer, or use finer clusters"
            )
        statistic = float(b @ np.linalg.solve(v, b)) / len(at)
        p = f.sf(statistic, len(at), self.df) if math.isfinite(self.df) else chi2.sf(statistic * len(at), len(at))
        return Wald(statistic, len(at), self.df, float(p))

    def estimates(
        self,
        exercise: str,
        group: str,
        terms: Iterable[str] | None = None,
        *,
        outcome: str | None = None,
        deck: Mapping[str, tuple[float, float]] | None = None,
    ) -> list[Estimate]:
        """Return tidy rows, one a term.

        Parameters
        ----------
        exercise, group : str
            What stands in these columns.
        terms : iterable of str, optional
            Which; all by default.
        outcome : str, optional
            What stands in that column; the fit's own by default.
        deck : mapping of str to (float, float), optional
            The slides' estimate and standard error by term.
        """
        rows = []
        for term in self.terms if terms is None else terms:
            deck_estimate, deck_error = (deck or {}).get(term, (math.nan, math.nan))
            rows.append(
                Estimate(
                    exercise=exercise, outcome=self.outcome if outcome is None else outcome, estimator=self.estimator,
                    group=group, term=term, estimate=self.coefficient(term), std_error=self.std_error(term),
                    observations=self.observations, clusters=self.clusters, deck_estimate=deck_estimate,
                    deck_std_error=deck_error,
                )
            )  # fmt: skip
        return rows
