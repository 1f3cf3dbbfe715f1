"""Sensitivity to rare earths (25), and on which scale, sample and trimming its spread is the one that the slides imply."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from reesim.data.csvfiles import listed, parse_number, read_rows
from reesim.empirics.files import OWN_DATA
from reesim.errors import DataError, LabelError

if TYPE_CHECKING:
    import pandas as pd

    from reesim.empirics.iotable.concordance import SicMap

__all__ = [
    "COEFFICIENT", "EFFECT", "SCALES", "TRIMMINGS", "closest", "deck_requirements", "implied_sd", "industry_samples", "moments",
    "sensitivity",
]  # fmt: skip

Array: TypeAlias = npt.NDArray[np.float64]

DECK = OWN_DATA / "deck_requirements.csv"
ELEMENTS = ("Ce", "La", "Nd", "Pr", "Dy")
PER_THOUSAND = 1000.0

EFFECT = 0.074
"""Rise of patents per standard deviation of sensitivity in the slides."""

COEFFICIENT = 15.46
"""Of sensitivity times post in the slides' regression of patents outside China, by PPML (its standard error is 4.943)."""

PATENT_CLUSTERS = 81
"""Industries in the slides' regression of patents in the United States."""

OUTLIERS = ("3691", "3499")
"""Storage batteries and other fabricated metals: ten times above the rest of the slides' table."""

SCALES = {
    ("USD per USD", "0 to 100"): 1.0,
    ("USD per USD", "0 to 1"): 0.01,
    ("USD per 1000 USD", "0 to 100"): 1000.0,
    ("USD per 1000 USD", "0 to 1"): 10.0,
}
"""Factor on (25) by unit of requirements and range of complementarity."""

TRIMMINGS = {
    "none": (1.0, False),
    "top 1 % dropped": (0.99, False),
    "top 2 % dropped": (0.98, False),
    "top 5 % dropped": (0.95, False),
    "winsorised at 99 %": (0.99, True),
    "winsorised at 95 %": (0.95, True),
}
"""Quantile of the sample above which values are dropped, or (True) set to it. Zero bounds the other side."""

COLUMNS = (
    "requirements", "complementarity", "sample", "trimming", "weighting", "n", "mean", "sd", "coefficient", "coefficient_log",
    "ratio",
)  # fmt: skip


def sensitivity(requirements: pd.DataFrame, complementarity: pd.Series[float]) -> pd.Series[float]:
    """Sensitivity of each unit: requirements times complementarity, summed over elements (25).

    Parameters
    ----------
    requirements : pandas.DataFrame, shape (units, elements)
        Total requirements, USD of the element per USD of final demand; units are industries or sectors. No column of sums.
    complementarity : pandas.Series
        Score by element, from 0 (a perfect substitute) to 100 (none); elements beyond the columns are no harm.

    Returns
    -------
    pandas.Series
        By unit.

    Raises
    ------
    LabelError
        If an element has no score.
    DataError
        If a score is not between 0 and 100, or a requirement is not finite.
    """
    missing = sorted(set(requirements.columns) - set(complementarity.index))
    if missing:
        raise LabelError(f"no complementarity for {listed(missing)}; columns of requirements should be elements only")
    scores = complementarity.loc[list(requirements.columns)]
    wrong = scores[~scores.between(0.0, 100.0)]
    if len(wrong):
        raise DataError(f"complementarity of {wrong.index[0]} is {wrong.iloc[0]:g}; it should lie between 0 and 100")
    bad = ~(requirements.abs() < math.inf)
    if bad.to_numpy().any():
        raise DataError(f"requirements of {requirements.index[bad.any(axis=1)][0]}: a number is missing or infinite")
    return requirements.mul(scores, axis=1).sum(axis=1).rename("sensitivity")


def deck_requirements() -> pd.DataFrame:
    """Total requirements of the slides' eight industries, USD per USD of final demand.

    Returns
    -------
    pandas.DataFrame
        By SIC industry: columns All, Ce, La, Nd, Pr, Dy. Published with two decimals of a thousandth, so each holds to
        0.000005; All is as printed, not the sum.
    """
    import pandas as pd

    header, *rows = read_rows(DECK)
    place = {name: header.index(name) for name in ("sic", "All", *ELEMENTS)}
    numbers = {
        name: [
            parse_number(row[place[name]], DECK, line, name) / PER_THOUSAND for line, row in enumerate(rows, start=2)
        ]
        for name in ("All", *ELEMENTS)
    }
    return pd.DataFrame(numbers, index=pd.Index([row[place["sic"]] for row in rows], name="sic"))


def implied_sd(effect: float = EFFECT, coefficient: float = COEFFICIENT) -> float:
    """Standard deviation of sensitivity at which a PPML coefficient means the effect: log(1 + effect) / coefficient.

    Raises
    ------
    DataError
        If the two have not the same sign.
    """
    if not effect * coefficient > 0.0 or effect <= -1.0:
        raise DataError(f"no standard deviation gives an effect of {effect:g} at a coefficient of {coefficient:g}")
    return math.log1p(effect) / coefficient


def industry_samples(found: pd.Series[float], links: SicMap) -> dict[str, tuple[str, ...]]:
    """Samples of SIC industries over which a standard deviation may have been taken.

    Parameters
    ----------
    found : pandas.Series
        Sensitivity by SIC industry of manufacturing.
    links : SicMap
        Links to the benchmark table.

    Raises
    ------
    LabelError
        If one of the slides' eight industries is not there.
    """
    eight = tuple(deck_requirements().index)
    absent = [sic for sic in eight if sic not in found.index]
    if absent:
        raise LabelError(f"no sensitivity for SIC {listed(absent)} of the slides' table")
    linked = set(links.linked_to(eight))
    largest = found.sort_values(ascending=False, kind="stable")
    return {
        "all manufacturing": tuple(found.index),
        "positive": tuple(found.index[found > 0.0]),
        "all but 3691 and 3499": tuple(sic for sic in found.index if sic not in OUTLIERS),
        "linked to the slides' eight": tuple(sic for sic in found.index if sic in linked),
        f"the {PATENT_CLUSTERS} largest": tuple(largest.index[:PATENT_CLUSTERS]),
        "the slides' eight": eight,
        "the eight but 3691 and 3499": tuple(sic for sic in eight if sic not in OUTLIERS),
    }


def moments(
    found: pd.Series[float],
    samples: Mapping[str, Collection[str]] | None = None,
    weights: pd.Series[float] | None = None,
    *,
    effect: float = EFFECT,
    coefficient: float = COEFFICIENT,
) -> pd.DataFrame:
    """Mean and standard deviation of sensitivity on every scale, sample and trimming.

    Parameters
    ----------
    found : pandas.Series
        Sensitivity by unit (25), of requirements in USD per USD and scores from 0 to 100.
    samples : mapping of str to collection of str, optional
        Units by name of the sample; by default all.
    weights : pandas.Series, optional
        Output by unit: adds rows weighted by it. Quantiles of trimming stay unweighted.
    effect, coefficient : float
        What the spread is compared with, see `implied_sd`.

    Returns
    -------
    pandas.DataFrame
        Columns requirements and complementarity (the scale), sample, trimming, weighting ("none" or "output"); n, mean, sd
        (with n - 1; weighted, so that equal weights give the unweighted); coefficient and coefficient_log, those at which one
        sd is the effect, linear and in logarithms; ratio, sd over the implied one. Where n is 1 there is no sd, nor anything
        that follows from it; where nothing varies there are no coefficients.

    Raises
    ------
    LabelError
        If a sample names a unit that is not there, or a unit has no weight.
    DataError
        If a sample is empty, a number is not finite, or a weight negative.
    """
    import pandas as pd

    target = implied_sd(effect, coefficient)
    rows: list[tuple[str | float, ...]] = []
    for sample, units in ({"all": tuple(found.index)} if samples is None else samples).items():
        values, shares = _taken(found, sample, units), None if weights is None else _taken(weights, sample, units)
        if shares is not None and (shares < 0.0).any():
            raise DataError(f"sample {sample!r}: a weight is negative")
        for trimming, weighting, n, mean, sd in _spreads(values, shares):
            for (unit, scores), factor in SCALES.items():
                rows.append(
                    (unit, scores, sample, trimming, weighting, n, *_row(mean * factor, sd * factor, effect, target))
                )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def closest(table: pd.DataFrame, rows: int = 10) -> pd.DataFrame:
    """Rows of `moments` whose standard deviation comes closest to the implied one, in ratio, the closest first."""
    distance = table["ratio"].where(table["ratio"] > 0.0).map(math.log, na_action="ignore").abs()
    order = distance.dropna().sort_values(kind="stable").index[:rows]
    return table.loc[order].reset_index(drop=True)


def _row(mean: float, sd: float, effect: float, target: float) -> tuple[float, ...]:
    if not sd > 0.0:
        return (mean, sd, math.nan, math.nan, sd / target)
    return (mean, sd, effect / sd, math.log1p(effect) / sd, sd / target)


def _taken(series: pd.Series[float], sample: str, units: Collection[str]) -> Array:
    if not len(units):
        raise DataError(f"sample {sample!r} is empty")
    absent = sorted(set(units) - set(series.index))
    if absent:
        raise LabelError(f"sample {sample!r}: no {series.name or 'number'} for {listed(absent)}")
    values: Array = np.asarray(series.loc[list(units)], dtype=np.float64)
    if not np.isfinite(values).all():
        raise DataError(f"sample {sample!r}: a {series.name or 'number'} is missing or infinite")
    return values


def _spreads(values: Array, weights: Array | None) -> Iterator[tuple[str, str, int, float, float]]:
    """Trimming, weighting, n, mean, standard deviation."""
    for trimming, (quantile, winsorised) in TRIMMINGS.items():
        bound = np.quantile(values, quantile)
        kept = np.ones(len(values), dtype=bool) if winsorised else values <= bound
        part = np.minimum(values, bound)[kept]
        for weighting, mass in (("none", np.ones(len(values))), ("output", weights)):
            if mass is not None:
                yield (trimming, weighting, len(part), *_mean_sd(part, mass[kept]))


def _mean_sd(values: Array, mass: Array) -> tuple[float, float]:
    n, total = len(values), float(mass.sum())
    if not total > 0.0:
        return math.nan, math.nan
    mean = float(mass @ values) / total
    if n < 2:
        return mean, math.nan
    return mean, math.sqrt(float(mass @ (values - mean) ** 2) / total * n / (n - 1))
