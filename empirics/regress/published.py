"""The slides' regressions of (26), as numbers to stand beside."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from reesim.data.csvfiles import parse_number, read_table
from reesim.empirics.files import OWN_DATA

FILE = OWN_DATA / "deck_regressions.csv"
HEADER = (
    "exercise", "outcome", "estimator", "column", "group", "estimate", "std_error", "observations", "clusters", "status",
    "source",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A coefficient of the slides, on sensitivity x post.

    Parameters
    ----------
    estimate, std_error : float
        On the slides' scale of sensitivity, which they do not state: 7.4 % per standard deviation beside 15.46 implies a
        standard deviation of 0.0046.
    observations, clusters : int
    column : int
        Its number in the slides' table.
    status, source : str
    """

    estimate: float
    std_error: float
    observations: int
    clusters: int
    column: int
    status: str
    source: str

    @property
    def t(self) -> float:
        """Ratio of estimate and standard error, which no scale changes."""
        return self.estimate / self.std_error


@functools.cache
def _all() -> dict[tuple[str, str, str, str], Published]:
    found = {}
    for row, cells in enumerate(read_table(FILE, HEADER), start=2):
        exercise, outcome, estimator, column, group, *numbers, status, source = cells
        estimate, error, observations, clusters = (
            parse_number(cell, FILE, row, name) for cell, name in zip(numbers, HEADER[5:9], strict=True)
        )
        found[exercise, outcome, estimator, group] = Published(
            estimate=estimate, std_error=error, observations=int(observations), clusters=int(clusters),
            column=int(column), status=status, source=source,
        )  # fmt: skip
    return found


def published(exercise: str, outcome: str, estimator: str, group: str) -> Published | None:
    """Return the slides' coefficient, or None where they have none.

    Parameters
    ----------
    exercise : {"patents", "exports"}
    outcome : {"enhancing patents", "annualised growth", "difference to China"}
    estimator : {"PPML", "OLS"}
    group : str
        One of the groups of the slides.

    Raises
    ------
    DataError
        If the table shipped with the package is damaged.
    """
    return _all().get((exercise, outcome, estimator, group))


def table() -> dict[tuple[str, str, str, str], Published]:
    """All of them, by exercise, outcome, estimator and group."""
    return dict(_all())
