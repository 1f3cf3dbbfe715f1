"""What the model's regression is to reproduce: the response of patents per standard deviation of sensitivity, (26)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from reesim.errors import DataError

PERCENT = 7.4
"""The slides' response of patents outside China to one standard deviation of sensitivity, per cent."""

NINETY_FIVE = 1.959963984540054
"""Standard errors on either side of an interval of 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A response and how sure it is.

    Parameters
    ----------
    response : float
        Coefficient of (26) times the standard deviation of sensitivity: log points per standard deviation.
    std_error : float
        Of the same, above 0.
    source : str
        Where it is from, in words.
    group : str
        Regions of the regression: one of the slides' groups.

    Raises
    ------
    DataError
        If the numbers are not finite, or the standard error is not above 0: without one there is no interval.
    """

    response: float
    std_error: float
    source: str
    group: str = "NONCHN"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.response) and math.isfinite(self.std_error) and self.std_error > 0.0):
            raise DataError(
                f"target {self.response:g} with standard error {self.std_error:g}: both should be finite, and the "
                "standard error above 0"
            )

    @property
    def percent(self) -> float:
        """The response in per cent."""
        return percent(self.response)

    @property
    def percent_error(self) -> float:
        """Its standard error in percentage points, by the delta method."""
        return 100.0 * math.exp(self.response) * self.std_error

    def band(self, errors: float = NINETY_FIVE) -> tuple[float, float]:
        """Return the response less and plus a number of standard errors, log points."""
        return self.response - errors * self.std_error, self.response + errors * self.std_error

    def criterion(self, response: float) -> float:
        """Squared distance of a response in standard errors: 3.84 at the ends of the interval of 95 %."""
        return ((response - self.response) / self.std_error) ** 2


def percent(response: float) -> float:
    """Log points as per cent."""
    return 100.0 * math.expm1(response)


def of_slides() -> Target:
    """Return the slides' target: 15.46 (4.943), which they read as 7.4 % per standard deviation.

    Raises
    ------
    DataError
        If the shipped table of the slides' regressions lacks it.
    """
    from reesim.empirics.regress.published import published

    found = published("patents", "enhancing patents", "PPML", "NONCHN")
    if found is None:
        raise DataError("the slides' regression of patents outside China is not in the shipped table; reinstall reesim")
    response = math.log1p(PERCENT / 100.0)
    return Target(
        response=response, std_error=response / found.t,
        source=f"slides: {found.estimate:g} ({found.std_error:g}), that is {PERCENT:g} % per standard deviation",
    )  # fmt: skip


def of_panel(file: Path, *, group: str = "NONCHN") -> Target:
    """Estimate the target on a panel of patents of the user's: regression (26) by PPML.

    Parameters
    ----------
    file : path
        Patents by region, industry and year, see `reesim.empirics.panels.schema.read_panel`.
    group : str
        One of the slides' groups.

    Raises
    ------
    DataError
        If the file cannot be read or the sample cannot be built.
    ConvergenceError
        If the regression did not converge.
    """
    from reesim.empirics.panels.schema import read_panel
    from reesim.empirics.regress.design import TERM, default_sensitivity, design

    panel = read_panel(file, "patents")
    sample = design(panel, default_sensitivity(panel), group=group)
    fit = sample.fit("PPML")
    sample = sample.used(fit)
    return Target(
        response=fit.coefficient(TERM) * sample.sd, std_error=fit.std_error(TERM) * sample.sd, group=group,
        source=f"{panel.source}: {fit.coefficient(TERM):.4g} ({fit.std_error(TERM):.4g}) at a standard deviation of "
        f"{sample.sd:.4g}",
    )  # fmt: skip
