"""The same regression otherwise: other measures of sensitivity, one industry less, other years."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from reesim.data.csvfiles import parse_number, read_table
from reesim.empirics.estimates import Estimate
from reesim.empirics.panels.schema import Panel
from reesim.empirics.regress.design import NOT_MANUFACTURING, Design, design
from reesim.empirics.regress.fit import DEFAULT, Estimator, Fit, Options
from reesim.errors import DataError, ReesimError

if TYPE_CHECKING:
    import pandas as pd

Array: TypeAlias = npt.NDArray[np.float64]

BATTERIES = "La"
"""Element of battery alloys, in the applications that the extended table counts."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Variant:
    """One way of running (26).

    Parameters
    ----------
    name : str
    design : Design or None
    fit : Fit or None
        None where it cannot be fitted.
    reason : str
        Why not; empty if it was.
    """

    name: str
    design: Design | None = None
    fit: Fit | None = None
    reason: str = ""

    @property
    def per_sd(self) -> tuple[float, float]:
        """Effect of one standard deviation of its own sensitivity, and the standard error."""
        if self.design is None or self.fit is None:
            raise DataError(f"{self.name}: not fitted: {self.reason}")
        term, sd = self.design.term, self.design.sd
        return self.fit.coefficient(term) * sd, self.fit.std_error(term) * sd

    def estimates(self) -> list[Estimate]:
        """One tidy row, the variant's name in its term; none where it was not fitted."""
        if self.design is None or self.fit is None:
            return []
        (row,) = self.fit.estimates(
            self.design.exercise, self.design.group, [self.design.term], outcome=self.design.label
        )
        return [_renamed(row, f"{row.term}: {self.name}"), per_sd(self.design, self.fit, f": {self.name}")]


def per_sd(made: Design, fit: Fit, suffix: str = "", deck: tuple[float, float] | None = None) -> Estimate:
    """Tidy row of the effect of one standard deviation of sensitivity over the industries that the fit has used."""
    made = made.used(fit)
    known = {} if deck is None else {made.term: deck}
    (row,) = fit.estimates(made.exercise, made.group, [made.term], outcome=made.label, deck=known)
    return Estimate(
        exercise=row.exercise, outcome=row.outcome, estimator=row.estimator, group=row.group,
        term=f"{made.term}, per standard deviation{suffix}", estimate=row.estimate * made.sd,
        std_error=row.std_error * made.sd, observations=row.observations, clusters=row.clusters,
        deck_estimate=row.deck_estimate, deck_std_error=row.deck_std_error,
    )  # fmt: skip


def percent(fit: Fit, effect: float, error: float) -> tuple[float, float]:
    """Effect and error in per cent: of log points of a count by Poisson, with the delta method, or of a share or growth."""
    slope = math.exp(effect) if fit.estimator == "PPML" else 1.0
    return float(per_cent(fit, effect)), 100.0 * slope * error


def per_cent(fit: Fit, effect: npt.ArrayLike) -> Array:
    """Effects in per cent: log points of a count by Poisson are more than hundredths, at the ends of an interval too."""
    return np.asarray(100.0 * (np.expm1(effect) if fit.estimator == "PPML" else np.asarray(effect)))


def variant(name: str, make: Callable[[], Design], estimator: Estimator = "OLS", options: Options = DEFAULT) -> Variant:
    """Fit one variant; what cannot be fitted is kept with its reason, so that a table of many says so and goes on."""
    try:
        made = make()
        fit = made.fit(estimator, options)
        return Variant(name=name, design=made.used(fit), fit=fit)
    except ReesimError as error:
        return Variant(name=name, reason=str(error))


def variants(
    panel: Panel,
    sensitivity: pd.Series[float],
    ways: Mapping[str, Mapping[str, Any]],
    estimator: Estimator = "OLS",
    **common: Any,
) -> list[Variant]:
    """Fit (26) once for each set of arguments of `design`, such as ``{"without 2009": {"years": …}}``."""
    return [
        variant(name, lambda way=way: design(panel, sensitivity, **(common | dict(way))), estimator)  # type: ignore[misc]
        for name, way in ways.items()
    ]


def alternatives(
    panel: Panel, sensitivities: Mapping[str, pd.Series[float]], estimator: Estimator = "OLS", **common: Any
) -> list[Variant]:
    """Fit (26) with other measures of sensitivity; compare them per standard deviation, as their scales differ."""
    return [
        variant(name, lambda series=series: design(panel, series, **common), estimator)  # type: ignore[misc]
        for name, series in sensitivities.items()
    ]


def leave_one_out(
    panel: Panel,
    sensitivity: pd.Series[float],
    estimator: Estimator = "OLS",
    industries: Iterable[str] | None = None,
    **common: Any,
) -> list[Variant]:
    """Fit (26) without each industry in turn, or without each of those named."""
    codes = sorted(set(panel.frame[panel.industry]) & set(sensitivity.index.astype(str)), key=_order)
    return [
        variant(f"without {code}", lambda code=code: design(panel, sensitivity, without=[code], **common), estimator)  # type: ignore[misc]
        for code in (codes if industries is None else industries)
    ]


def shipped_alternatives(panel: Panel) -> dict[str, pd.Series[float]]:
    """Other measures from the extended input-output table, for the codes a panel uses.

    Total requirements without weighing by complementarity; the same without the element of battery alloys; direct
    purchases alone where the table has them.

    Raises
    ------
    DataError
        If the table has no industry of the panel.
    """
    from reesim.empirics.iotable.outputs import shipped
    from reesim.empirics.panels.exports import sensitivity as of_wiod

    tables, codes = shipped(), set(panel.frame[panel.industry])
    if codes & {f"c{number}" for number in range(3, 17)}:
        measured = tables["industries"]
        columns = _measures(measured.rename(columns={"All": "total"}))
        return {name: of_wiod(measured.assign(sensitivity=column)) for name, column in columns.items()}
    for name, key in (("total_requirements", "sic"), ("sectors", "sector")):
        frame = tables[name].set_index(key).rename(columns={"All": "total"})
        frame = frame.drop(index=[code for code in NOT_MANUFACTURING if code in frame.index])
        if codes & set(frame.index.astype(str)):
            return {label: column.set_axis(column.index.astype(str)) for label, column in _measures(frame).items()}
    raise DataError(f"the extended table has no industry of the panel of {panel.kind} ({panel.source})")


def _measures(frame: pd.DataFrame) -> dict[str, pd.Series[float]]:
    found = {"total requirements": frame["total"], "without batteries": frame["total"] - frame[BATTERIES]}
    if "direct" in frame:
        found["direct purchases"] = frame["direct"]
    return found


def read_sensitivity(file: Path) -> pd.Series[float]:
    """Read a measure of the user's: csv with columns industry and sensitivity.

    Raises
    ------
    DataError
        If the file cannot be read, or a number is not one or below zero, or an industry is there twice.
    """
    import pandas as pd

    found: dict[str, float] = {}
    for row, (industry, text) in enumerate(read_table(file, ("industry", "sensitivity")), start=2):
        value = parse_number(text, file, row, "sensitivity")
        if value < 0.0:
            raise DataError(f"{file}: row {row}: sensitivity {value:g} is below zero")
        if industry in found:
            raise DataError(f"{file}: row {row}: industry {industry!r} is there twice")
        found[industry] = value
    return pd.Series(found, name="sensitivity", dtype=float)


def _renamed(row: Estimate, term: str) -> Estimate:
    from dataclasses import replace

    return replace(row, term=term)


def _order(code: str) -> tuple[int, str]:
    digits = "".join(letter for letter in code if letter.isdecimal())
    return (int(digits) if digits else 0, code)
