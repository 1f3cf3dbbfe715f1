"""How far a ranking hangs on what was chosen or is not known: rank correlations, Monte Carlo, variants beside the slides."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from reesim.data.csvfiles import listed
from reesim.errors import DataError, LabelError, ReesimError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MonteCarlo", "beside", "gaps", "monte_carlo", "rank_correlations"]

Array: TypeAlias = npt.NDArray[np.float64]

TOP = (8, 25)
"""Industries counted from the top: as many as the slides print, and three times that."""

LEVEL = 0.9
"""Share of draws between the ends of an interval."""


@dataclass(frozen=True, slots=True, eq=False)
class MonteCarlo:
    """Draws of a measure by unit, with the baseline that they vary.

    Parameters
    ----------
    units : tuple of str
        Industries.
    baseline_u : (U,) ndarray
        Measure without uncertainty.
    values_du : (D, U) ndarray
        Measure by draw; row d is always what seed and d give, however many draws there are.
    seed : int
    """

    units: tuple[str, ...]
    baseline_u: Array
    values_du: Array
    seed: int

    def summary(self, level: float = LEVEL, top: int = TOP[0]) -> pd.DataFrame:
        """Median and interval of measure and rank, by unit.

        Parameters
        ----------
        level : float
            Share of draws within an interval, the rest in equal parts on both sides.
        top : int
            Ranks that count as the top.

        Returns
        -------
        pandas.DataFrame
            Columns baseline, median, low, high; rank (1 is the largest; ties share the mean), rank_median, rank_low,
            rank_high; in_top, the share of draws in which the unit ranks within the top.

        Raises
        ------
        DataError
            If `level` is not between 0 and 1.
        """
        import pandas as pd

        if not 0.0 < level < 1.0:
            raise DataError(f"the level of an interval should lie between 0 and 1, not {level:g}")
        ends = (0.5, (1.0 - level) / 2.0, (1.0 + level) / 2.0)
        ranks_du = _ranks(self.values_du)
        columns: dict[str, Array] = {"baseline": self.baseline_u}
        columns |= zip(("median", "low", "high"), np.quantile(self.values_du, ends, axis=0), strict=True)
        columns["rank"] = _ranks(self.baseline_u)
        columns |= zip(("rank_median", "rank_low", "rank_high"), np.quantile(ranks_du, ends, axis=0), strict=True)
        columns["in_top"] = (ranks_du <= top).mean(axis=0)
        return pd.DataFrame(columns, index=pd.Index(self.units, name="unit"))

    def correlations(self) -> pd.Series[float]:
        """Spearman's rank correlation of each draw with the baseline; missing if all units of a draw are equal."""
        import pandas as pd

        base = _ranks(self.baseline_u)
        found = [_correlation(base, ranks) for ranks in _ranks(self.values_du)]
        return pd.Series(found, index=pd.RangeIndex(len(found), name="draw"), name="spearman")


def monte_carlo(
    draw: Callable[[np.random.Generator], pd.Series[float]],
    draws: int,
    seed: int,
    baseline: pd.Series[float],
    progress: Callable[[int, int], None] | None = None,
) -> MonteCarlo:
    """Draw a measure again and again.

    Parameters
    ----------
    draw : callable
        Gives the measure by unit from a random generator, over the units of `baseline` in any order.
    draws : int
        How many.
    seed : int
        Not negative. Draw d takes the d-th child of this seed, so it does not hang on the draws before it.
    baseline : pandas.Series
        Measure without uncertainty.
    progress : callable, optional
        Told after every draw how many of how many are done.

    Raises
    ------
    DataError
        If numbers make no sense, or a draw fails: the message names it, and nothing is returned.
    LabelError
        If a draw has other units.
    """
    if draws < 1 or seed < 0:
        raise DataError(f"Monte Carlo needs at least one draw and a seed not below zero, not {draws} and {seed}")
    units = tuple(baseline.index)
    values_du = np.empty((draws, len(units)))
    for number in range(draws):
        place = f"draw {number} of {draws} (seed {seed})"
        # The child is made by its number: SeedSequence(seed).spawn(n)[number], without the others.
        generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
        try:
            series = draw(generator)
        except (ReesimError, ArithmeticError, ValueError) as error:
            raise DataError(f"{place} failed: {error}. Take narrower uncertainty, or no draws (--draws 0)") from error
        values_du[number] = _aligned(series, units, place)
        if progress is not None:
            progress(number + 1, draws)
    values_du.flags.writeable = False
    return MonteCarlo(units, _aligned(baseline, units, "the baseline"), values_du, seed)


def rank_correlations(
    variants: Mapping[str, pd.Series[float]], baseline: str | None = None, top: Iterable[int] = TOP
) -> pd.DataFrame:
    """Compare the ranking of each variant with that of the baseline.

    Parameters
    ----------
    variants : mapping of str to pandas.Series
        A measure by unit; all over the same units, in any order.
    baseline : str, optional
        Variant compared with; by default the first.
    top : iterable of int
        For each number k, how many of the k largest are among the k largest of the baseline; equal values count by label.

    Returns
    -------
    pandas.DataFrame
        By variant: columns spearman, kendall (tau-b; both mind ties), top_k for each k, units.

    Raises
    ------
    LabelError
        If there is no such baseline, or units differ.
    DataError
        If there is no variant, or all units of a variant are equal, so that it has no ranking.
    """
    import pandas as pd
    from scipy import stats

    if not variants:
        raise DataError("no variant to compare: give at least the baseline")
    name = next(iter(variants)) if baseline is None else baseline
    if name not in variants:
        raise LabelError(f"no variant {name!r} for the baseline; known: {', '.join(variants)}")
    units, counts, rows = tuple(sorted(variants[name].index)), tuple(top), []
    values = {variant: _aligned(series, units, f"variant {variant!r}") for variant, series in variants.items()}
    for variant, measure in values.items():
        if np.ptp(measure) == 0.0:
            raise DataError(f"variant {variant!r}: all {len(units)} units are equal, so it ranks none before another")
        shared = [len(_largest(measure, k) & _largest(values[name], k)) for k in counts]
        spearman = _correlation(_ranks(measure), _ranks(values[name]))
        rows.append((spearman, float(stats.kendalltau(measure, values[name]).statistic), *shared, len(units)))
    columns = ["spearman", "kendall", *(f"top_{k}" for k in counts), "units"]
    return pd.DataFrame(rows, columns=columns, index=pd.Index(list(values), name="variant"))


def beside(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Requirements of ours beside published ones, cell by cell.

    Parameters
    ----------
    ours, theirs : pandas.DataFrame, shape (units, columns)
        Same unit of measurement. Ours may have more rows and columns.

    Returns
    -------
    pandas.DataFrame
        Columns unit, element, ours, theirs, ratio (ours over theirs; missing where theirs is zero).

    Raises
    ------
    LabelError
        If ours lacks a row or column of theirs.
    """
    import pandas as pd

    absent = sorted((set(theirs.index) - set(ours.index)) | (set(theirs.columns) - set(ours.columns)))
    if absent:
        raise LabelError(f"no {listed(absent)} to set beside the published table")
    units, elements = list(theirs.index), list(theirs.columns)
    table = pd.DataFrame({"unit": np.repeat(units, len(elements)), "element": elements * len(units)})
    table["ours"] = ours.loc[units, elements].to_numpy(dtype=np.float64).ravel()
    table["theirs"] = theirs.to_numpy(dtype=np.float64).ravel()
    table["ratio"] = table["ours"] / table["theirs"].where(table["theirs"] > 0.0)
    return table


def gaps(variants: Mapping[str, pd.DataFrame], theirs: pd.DataFrame, column: str = "All") -> pd.DataFrame:
    """How far each variant is from published requirements, for one column over their units.

    Parameters
    ----------
    variants : mapping of str to pandas.DataFrame
        Requirements by unit, in the unit of measurement of `theirs`.
    theirs : pandas.DataFrame
        Published requirements.
    column : str
        Column compared.

    Returns
    -------
    pandas.DataFrame
        By variant: level (geometric mean of ours over theirs), spread (standard deviation of the logarithm of that ratio: what
        no common factor closes), smallest and largest (ratio), units (compared: positive in both), zeros (in one only).

    Raises
    ------
    LabelError
        If a variant lacks a unit or the column.
    DataError
        If a variant has no unit in common that is positive in both.
    """
    import pandas as pd

    rows = []
    for name, ours in variants.items():
        table = beside(ours, theirs[[column]])
        both = table[(table["ours"] > 0.0) & (table["theirs"] > 0.0)]
        if both.empty:
            raise DataError(f"variant {name!r}: no unit has positive requirements {column!r} in both tables")
        zeros = int(((table["ours"] > 0.0) != (table["theirs"] > 0.0)).sum())
        logs = np.log(both["ratio"].to_numpy())
        bounds = (float(both["ratio"].min()), float(both["ratio"].max()))
        rows.append((math.exp(logs.mean()), float(logs.std()), *bounds, len(both), zeros))
    columns = ["level", "spread", "smallest", "largest", "units", "zeros"]
    return pd.DataFrame(rows, columns=columns, index=pd.Index(list(variants), name="variant"))


def _aligned(series: pd.Series[float], units: tuple[str, ...], place: str) -> Array:
    """Numbers in the order of the units."""
    if series.index.has_duplicates:
        raise LabelError(f"{place}: {series.index[series.index.duplicated()][0]} stands twice")
    other = sorted(set(series.index) ^ set(units))
    if other:
        raise LabelError(f"{place}: the units differ from the baseline's: {listed(other)}")
    values: Array = np.asarray(series.loc[list(units)], dtype=np.float64)
    if not np.isfinite(values).all():
        worst = units[int(np.argmin(np.isfinite(values)))]
        raise DataError(f"{place}: the number of {worst} is missing or infinite")
    return values


def _ranks(values: Array) -> Array:
    """Ranks along the last axis, 1 for the largest; ties share their mean."""
    from scipy import stats

    ranks: Array = stats.rankdata(-values, axis=-1)
    return ranks


def _correlation(left: Array, right: Array) -> float:
    x, y = left - left.mean(), right - right.mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / scale if scale > 0.0 else math.nan


def _largest(values: Array, count: int) -> set[int]:
    return set(np.argsort(-values, kind="stable")[:count].tolist())
