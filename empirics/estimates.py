"""Estimates as tidy rows: one layout for every exercise, with the slides' number beside."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from reesim.empirics.files import write_csv
from reesim.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One coefficient of one fit.

    Parameters
    ----------
    exercise, outcome, estimator, group, term : str
        Where it comes from: ``exports``, ``annualised growth``, ``OLS``, ``NONCHN``, ``sensitivity x post``.
    estimate, std_error : float
        Finite; the standard error is not negative.
    observations, clusters : int
        Of the sample that was fitted; no clusters are 0.
    deck_estimate, deck_std_error : float
        The slides' own number, nan where they have none.

    Raises
    ------
    DataError
        If a number is not what it should be: nothing that is not finite is written as an estimate.
    """

    exercise: str
    outcome: str
    estimator: str
    group: str
    term: str
    estimate: float
    std_error: float
    observations: int
    clusters: int
    deck_estimate: float = math.nan
    deck_std_error: float = math.nan

    def __post_init__(self) -> None:
        if not (math.isfinite(self.estimate) and math.isfinite(self.std_error) and self.std_error >= 0.0):
            raise DataError(
                f"{self.exercise}, {self.estimator}, {self.group}, {self.term}: estimate {self.estimate:g} with standard error "
                f"{self.std_error:g} is not a result"
            )


def to_frame(estimates: Iterable[Estimate]) -> pd.DataFrame:
    """Return estimates as a table, a row each, in the order of the fields."""
    import pandas as pd

    names = [item.name for item in fields(Estimate)]
    return pd.DataFrame([[getattr(row, name) for name in names] for row in estimates], columns=names)


def write(estimates: Iterable[Estimate], file: Path) -> Path:
    """Write ``estimates.csv``.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    return write_csv(to_frame(estimates), file)
