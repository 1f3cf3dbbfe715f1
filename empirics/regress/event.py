"""Event studies: sensitivity times year dummies, with a joint test of the years before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reesim.empirics.estimates import Estimate
from reesim.empirics.regress.design import BASE, Design
from reesim.empirics.regress.fit import DEFAULT, Estimator, Fit, Options, Wald, ols, ppml
from reesim.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


CLUSTERS_A_YEAR = 4
"""Clusters that a joint test asks for, for each coefficient: with fewer the clustered covariance makes it reject far too often
(in panels simulated without any trend too). Ours, a rule of thumb."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EventStudy:
    """Coefficients of sensitivity by year, zero in the base year.

    Parameters
    ----------
    design : Design
    fit : Fit
    base : int
    years : tuple of int
        Years that have a coefficient, in order; the base year has none.
    before, after : Wald or None
        Joint tests that all coefficients before the base year, or after it, are zero; None where the clusters are too
        few to carry them, or there are no such years.
    notes : tuple of str
    """

    design: Design
    fit: Fit
    base: int
    years: tuple[int, ...]
    before: Wald | None
    after: Wald | None
    notes: tuple[str, ...] = ()

    def frame(self, level: float = 0.95) -> pd.DataFrame:
        """Columns year, estimate, std_error, low, high: a row a year, the base year with zeros."""
        import pandas as pd

        rows = [(self.base, 0.0, 0.0, 0.0, 0.0)]
        for year in self.years:
            term = term_of(year)
            rows.append((year, self.fit.coefficient(term), self.fit.std_error(term), *self.fit.interval(term, level)))
        return pd.DataFrame(sorted(rows), columns=["year", "estimate", "std_error", "low", "high"])

    def estimates(self) -> list[Estimate]:
        """Tidy rows, one a year; the slides show theirs in a figure without numbers."""
        terms = [term_of(year) for year in self.years]
        return self.fit.estimates(self.design.exercise, self.design.group, terms, outcome=self.design.label)

    def lines(self) -> list[str]:
        """What the tests say, in sentences."""
        name = f"{self.design.exercise}, {self.design.group}, event study"
        tests = {f"no effect before {self.base}": self.before, "no effect after": self.after}
        told = [f"{name}, {what}: {test}" for what, test in tests.items() if test]
        return [*told, *(f"{name}, {note}" for note in self.notes)]


def term_of(year: int) -> str:
    """Name of a year's term."""
    return f"sensitivity x {year}"


def event_study(
    design: Design, estimator: Estimator = "OLS", base: int = BASE, options: Options = DEFAULT
) -> EventStudy:
    """Fit (26) with a coefficient for each year instead of one for all after.

    Parameters
    ----------
    design : Design
    estimator : {"PPML", "OLS"}
    base : int
        Year whose coefficient is zero.
    options : Options

    Raises
    ------
    ConvergenceError, DataError
        As of `fit.ppml`; DataError also if the sample has no rows of the base year.
    """
    frame = design.frame[design.frame[design.outcome].notna()]
    years = sorted(int(year) for year in frame["year"].unique())
    if base not in years:
        raise DataError(
            f"event study: no rows of the base year {base}; years with an outcome: {years[0]} to {years[-1]}"
        )
    years.remove(base)
    columns = {term_of(year): design.frame["sensitivity"] * (design.frame["year"] == year) for year in years}
    compute = ppml if estimator == "PPML" else ols
    fit = compute(
        design.frame.assign(**columns), design.outcome, (*columns, *design.controls), effects=design.effects,
        cluster=design.cluster, options=options,
    )  # fmt: skip
    kept = tuple(year for year in years if term_of(year) in fit.terms)
    before, why_before = _test(fit, [year for year in kept if year < base], "before")
    after, why_after = _test(fit, [year for year in kept if year > base], "after")
    return EventStudy(
        design=design, fit=fit, base=base, years=kept, before=before, after=after, notes=(*why_before, *why_after)
    )


def _test(fit: Fit, years: list[int], when: str) -> tuple[Wald | None, tuple[str, ...]]:
    if not years:
        return None, ()
    if fit.clusters < CLUSTERS_A_YEAR * len(years):
        return None, (f"no joint test of the {len(years)} years {when}: {fit.clusters} clusters are too few",)
    return fit.wald([term_of(year) for year in years]), ()
