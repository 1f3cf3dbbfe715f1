"""Epsilon, gamma and kappa by sector from the direction of innovation, (24), with errors, intervals and covariance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from reesim.empirics.estimates import Estimate
from reesim.empirics.structural import inversion
from reesim.empirics.structural.inversion import Technology
from reesim.empirics.structural.panel import FactorPanel
from reesim.empirics.structural.regressions import Effects, Errors, Line, Method, fit_line, require_choices
from reesim.errors import DataError, InputError
from reesim.scenario import default_world
from reesim.scenario.estimates import EstimatedElasticities

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
GammaFrom = Literal["share", "constant"]

WEAK = 10.0
"""First-stage F below which instruments are called weak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """How (24) is estimated.

    Parameters
    ----------
    method : {"OLS", "2SLS", "PPML"}
    instruments : tuple of str
        Columns of the panel, for 2SLS.
    effects : {"none", "region"}
        One constant a sector, as in the slides, or one by region too.
    errors : {"jackknife", "cluster"}
        Clustered by region: CR3, by leaving each out, or CR1. With few regions CR1 is too small.
    gamma : {"share", "constant"}
        From an observed share of the R bundle in value added by (23), or from the constant of (24), which needs f_R = f_L
        and technology and prices in true units.
    technology : Technology
    level : float
        Of the intervals.

    Raises
    ------
    InputError
        If the choices are none, or do not go together.
    """

    method: Method = "OLS"
    instruments: tuple[str, ...] = ()
    effects: Effects = "none"
    errors: Errors = "jackknife"
    gamma: GammaFrom = "share"
    technology: Technology = field(default_factory=Technology)
    level: float = 0.95

    def __post_init__(self) -> None:
        require_choices(self.method, self.effects, self.errors, self.instruments)
        if self.gamma not in ("share", "constant"):
            raise InputError(f"gamma {self.gamma!r}: should be share or constant")
        if self.gamma == "constant" and self.effects == "region":
            raise InputError("with effects by region there is no one constant that gamma could come from: take share")
        if not 0.0 < self.level < 1.0:
            raise InputError(f"level {self.level:g}: should be between 0 and 1")

    def __str__(self) -> str:
        through = f" with {', '.join(self.instruments)}" if self.instruments else ""
        own = ", a constant by region" if self.effects == "region" else ""
        errors = "leaving each out (CR3)" if self.errors == "jackknife" else "sandwich (CR1)"
        weights = "an observed share by (23)" if self.gamma == "share" else "the constant with f_R = f_L"
        return (
            f"{self.method}{through}{own}; errors clustered by region, {errors}; gamma from {weights}; mu "
            f"{self.technology.mu:g}, delta {self.technology.delta:g}"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SectorFit:
    """What was found of one sector. Each quantity is (estimate, standard error, low, high).

    Parameters
    ----------
    sector : str
    line : Line
        Slope and constant.
    beta, epsilon, kappa, log_odds_gamma : tuple of four float
        Standard errors of the last three are by the delta method; the intervals of epsilon, kappa and, from a share, of
        gamma are images of that of beta. Nan where the slope admits no epsilon above zero.
    share : float
        Observed share of the R bundle behind gamma; nan if it comes from the constant.
    """

    sector: str
    line: Line
    beta: tuple[float, float, float, float]
    epsilon: tuple[float, float, float, float]
    kappa: tuple[float, float, float, float]
    log_odds_gamma: tuple[float, float, float, float]
    share: float

    @property
    def admissible(self) -> bool:
        """Whether the slope has an epsilon above zero that meets (9)."""
        return bool(np.isfinite(self.epsilon[0])) and self.epsilon[0] > 0.0

    @property
    def cut_off(self) -> bool:
        """Whether the interval of the slope reaches the values at which epsilon would be zero or less."""
        return self.epsilon[2] == 0.0

    @property
    def gamma(self) -> float:
        """Weight of the R bundle."""
        return float(inversion.from_log_odds(self.log_odds_gamma[0]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StructuralFit:
    """Estimates of all sectors.

    Parameters
    ----------
    sectors : tuple of SectorFit
    specification : Specification
    source : str
        Whose panel it is, in words.
    """

    sectors: tuple[SectorFit, ...]
    specification: Specification
    source: str

    def __getitem__(self, sector: str) -> SectorFit:
        for one in self.sectors:
            if one.sector == sector:
                return one
        raise InputError(f"no sector {sector!r} was estimated; there are {', '.join(s.sector for s in self.sectors)}")

    @property
    def refused(self) -> tuple[str, ...]:
        """Sectors whose slope has no epsilon above zero."""
        return tuple(one.sector for one in self.sectors if not one.admissible)

    @property
    def resampled(self) -> bool:
        """Whether regions can be resampled: sums by region of every sector are there, over the same regions."""
        lines = [one.line for one in self.sectors]
        return all(line.moments is not None for line in lines) and len({line.regions for line in lines}) == 1

    def covariance(self, sectors: tuple[SectorFit, ...]) -> Array:
        """Covariance of epsilon, then of log(gamma/(1 - gamma)), of sectors together, (2S, 2S).

        Regions move all sectors at once, so that errors of sectors hang together: what each region moves is summed
        over regions. Poisson fits with sandwich errors have no such moves; their sectors count as independent.
        """
        blocks = np.array([_jacobian(one, self.specification) for one in sectors])
        size = len(sectors)
        whole = np.zeros((2 * size, 2 * size))
        for i, one in enumerate(sectors):
            for j, other in enumerate(sectors):
                both = blocks[i] @ _together(one.line, other.line) @ blocks[j].T
                whole[np.ix_([i, size + i], [j, size + j])] = both
        return 0.5 * (whole + whole.T)

    def estimated(self, *, leave_out_refused: bool = False) -> EstimatedElasticities:
        """Return estimates with their covariance as a scenario takes them.

        Raises
        ------
        InputError
            If a sector has no epsilon above zero and is not to be left out.
        """
        if self.refused and not leave_out_refused:
            most = self.specification.technology.largest_slope
            raise InputError(
                f"{', '.join(self.refused)}: the slope is at or above {most:.4g}, where no epsilon is above zero: leave these "
                "sectors out, or estimate them with more data"
            )
        kept = tuple(one for one in self.sectors if one.admissible)
        shares = None if self.specification.gamma == "constant" else np.array([one.share for one in kept])
        epsilon = np.array([one.epsilon[0] for one in kept])
        return EstimatedElasticities.of(
            tuple(one.sector for one in kept), epsilon, np.array([one.gamma for one in kept]), self.covariance(kept),
            mu=self.specification.technology.mu, delta=self.specification.technology.delta,
            source=_line_of(f"{self.source}; {self.specification.method}"), share_s=shares,
        )  # fmt: skip

    def estimates(self, deck: Mapping[str, tuple[float, float]] | None = None) -> list[Estimate]:
        """Rows of ``estimates.csv``: slope, epsilon, kappa and log odds of gamma, with the slides' beside.

        Parameters
        ----------
        deck : mapping of str to (float, float), optional
            Epsilon and gamma by sector; those of the slides by default.
        """
        known = default_world().elasticities if deck is None else deck
        return [row for one in self.sectors for row in self._rows(one, known.get(one.sector))]

    def _rows(self, one: SectorFit, deck: tuple[float, float] | None) -> Iterator[Estimate]:
        technology = self.specification.technology
        theirs = {name: float("nan") for name in ("beta", "epsilon", "kappa", "log_odds_gamma")}
        if deck is not None and deck[1] > 0.0:
            theirs = {
                "beta": float(technology.slope(deck[0])), "epsilon": deck[0], "kappa": float(technology.kappa(deck[0])),
                "log_odds_gamma": float(inversion.log_odds(deck[1])),
            }  # fmt: skip
        for name, told in theirs.items():
            value, error, *_ = getattr(one, name)
            if np.isfinite(value) and np.isfinite(error):
                yield Estimate(
                    exercise="structural", outcome="log(A_R/A_L)", estimator=self.specification.method, group=one.sector,
                    term=name, estimate=value, std_error=error, observations=one.line.observations,
                    clusters=len(one.line.regions), deck_estimate=told,
                )  # fmt: skip

    def table(self) -> pd.DataFrame:
        """A row a sector: estimates, errors, intervals, sample, first stage, the slides' epsilon and gamma."""
        import pandas as pd

        known = default_world().elasticities
        rows = []
        for one in self.sectors:
            row: dict[str, object] = {"sector": one.sector}
            for name in ("beta", "epsilon", "kappa", "log_odds_gamma"):
                for end, value in zip(("", "_se", "_low", "_high"), getattr(one, name), strict=True):
                    row[f"{name}{end}"] = value
            theirs = known.get(one.sector, (np.nan, np.nan))
            row |= {"gamma": one.gamma, "share": one.share, "observations": one.line.observations,
                    "regions": len(one.line.regions), "dropped": one.line.dropped, "first_stage_f": one.line.first_stage,
                    "deck_epsilon": theirs[0], "deck_gamma": theirs[1]}  # fmt: skip
            rows.append(row)
        return pd.DataFrame(rows)

    def remarks(self) -> Iterator[str]:
        """What a reader must know before the numbers: refused sectors, cut intervals, weak instruments, dropped cells."""
        if self.refused:
            yield f"No epsilon above zero for {', '.join(self.refused)}: the slope is too large for the model."
        cut = [one.sector for one in self.sectors if one.admissible and one.cut_off]
        if cut:
            yield f"The interval of epsilon is cut off at zero for {', '.join(cut)}: the slope may be too large for the model."
        weak = [one for one in self.sectors if one.line.first_stage < WEAK]
        if weak:
            least = min(one.line.first_stage for one in weak)
            yield f"Weak instruments: first-stage F of {least:.1f} at the least; intervals are then too short and 2SLS is biased."
        dropped = sum(one.line.dropped for one in self.sectors)
        if dropped:
            yield f"{dropped:,} cells without patents were dropped."


def estimate(
    panel: FactorPanel, specification: Specification | None = None, shares: Mapping[str, float] | None = None
) -> StructuralFit:
    """Estimate (24) sector by sector.

    Parameters
    ----------
    panel : FactorPanel
    specification : Specification, optional
    shares : mapping of str to float, optional
        Observed shares of the R bundle in value added by sector, for gamma; by default `observed_shares`.

    Raises
    ------
    DataError
        If a sector has too few rows or regions, or no variation, or no share.
    ConvergenceError
        If Poisson's iterations did not end.
    InputError
        If the panel lacks an instrument.
    """
    chosen = specification or Specification()
    missing = [name for name in chosen.instruments if name not in panel.instruments]
    if missing:
        raise InputError(
            f"the panel has no instrument {', '.join(missing)}; it has {', '.join(panel.instruments) or 'none'}"
        )
    known = dict(shares or observed_shares()) if chosen.gamma == "share" else {}
    lacking = [code for code in panel.sectors if chosen.gamma == "share" and not 0.0 < known.get(code, 0.0) < 1.0]
    if lacking:
        raise DataError(f"no share of rare earths for {', '.join(lacking)}: give one, or take gamma from the constant")
    found = []
    for code in panel.sectors:
        rows = panel.frame[panel.frame["sector"] == code]
        line = fit_line(rows, f"(24) of {code}", chosen.method, chosen.effects, chosen.errors, chosen.instruments)
        found.append(_sector(code, line, chosen, known.get(code, float("nan"))))
    return StructuralFit(sectors=tuple(found), specification=chosen, source=panel.source)


def observed_shares(choice: str = "deck") -> dict[str, float]:
    """Shares of rare earths in value added by sector of the embedded table, regions weighted by value added, (23).

    Parameters
    ----------
    choice : {"deck", "accounts", "io_table"}
        As `calibration.ree_shares` of a scenario.
    """
    from reesim.calibration import calibrate
    from reesim.scenario import Scenario

    calibration = calibrate(Scenario.load("deck_tax").replace({"calibration.ree_shares": choice}))
    added = calibration.value_added_is
    mean = (calibration.ree_share_is * added).sum(axis=0) / added.sum(axis=0)
    return {code: float(value) for code, value in zip(calibration.sectors, mean, strict=True) if value > 0.0}


def _sector(code: str, line: Line, chosen: Specification, share: float) -> SectorFit:
    from scipy.stats import t

    technology, slope = chosen.technology, line.slope
    width = float(t.isf((1.0 - chosen.level) / 2.0, len(line.regions) - 1))
    error = float(np.sqrt(line.covariance[0, 0]))
    low, high = slope - width * error, slope + width * error
    bottom, top = (float(end) for end in technology.epsilon_interval(low, high))
    epsilon = float(technology.epsilon(slope))
    inside = slope < technology.singular_slope
    nothing = (float("nan"),) * 4
    # Kappa rises in beta: an interval as far as epsilon is above zero, none where all of it is below.
    ends = [min(end, technology.largest_slope) if np.isfinite(top) else float("nan") for end in (low, high)]
    kappa = nothing if not inside else (
        float(technology.kappa_of_slope(slope)), float(technology.kappa_by_slope(slope)) * error,
        float(technology.kappa_of_slope(ends[0])), float(technology.kappa_of_slope(ends[1])),
    )  # fmt: skip
    found = nothing if not inside else (epsilon, -float(technology.epsilon_by_slope(slope)) * error, bottom, top)
    return SectorFit(
        sector=code, line=line, beta=(slope, error, low, high), epsilon=found, kappa=kappa, share=share,
        log_odds_gamma=_weight(line, chosen, share, found, width) if inside and epsilon > 0.0 else nothing,
    )  # fmt: skip


def _weight(
    line: Line, chosen: Specification, share: float, epsilon: tuple[float, ...], width: float
) -> tuple[float, float, float, float]:
    """log(gamma/(1 - gamma)) with error and interval."""
    technology = chosen.technology
    if chosen.gamma == "constant":
        value = float(technology.log_odds_gamma(line.slope, line.constant))
        by = np.array(
            [technology.log_odds_by_slope(line.slope, line.constant), technology.log_odds_by_constant(line.slope)]
        ).astype(float)
        error = float(np.sqrt(by @ line.covariance @ by))
        return value, error, value - width * error, value + width * error
    value = float(inversion.log_odds_gamma_of_share(share, epsilon[0]))
    error = abs(float(inversion.log_odds_by_epsilon(share, epsilon[0]))) * epsilon[1]
    # A share below one half: gamma rises with epsilon, and goes to nothing as epsilon does.
    ends = [float(inversion.log_odds_gamma_of_share(share, end)) if end > 0.0 else -np.inf for end in epsilon[2:]]
    return value, error, min(ends), max(ends)


def _jacobian(one: SectorFit, chosen: Specification) -> Array:
    """Derivatives of epsilon and log odds of gamma by slope and constant, (2, 2)."""
    technology, slope = chosen.technology, one.line.slope
    by_slope = float(technology.epsilon_by_slope(slope))
    if chosen.gamma == "share":
        weight = float(inversion.log_odds_by_epsilon(one.share, one.epsilon[0])) * by_slope
        return np.array([[by_slope, 0.0], [weight, 0.0]])
    weight = float(technology.log_odds_by_slope(slope, one.line.constant))
    return np.array([[by_slope, 0.0], [weight, float(technology.log_odds_by_constant(slope))]])


def _together(one: Line, other: Line) -> Array:
    """Covariance of the lines of two sectors, (2, 2); what is not known of a constant counts as nothing."""
    if one is other:
        return np.nan_to_num(one.covariance)
    if one.moves is None or other.moves is None:
        return np.zeros((2, 2))
    shared = [region for region in one.regions if region in other.regions]
    first, second = (line.moves[[line.regions.index(r) for r in shared]] for line in (one, other))  # type: ignore[index]
    return np.asarray(np.nan_to_num(first).T @ np.nan_to_num(second))


def _line_of(text: str) -> str:
    """Text that fits on one line of a file."""
    return " ".join(text.split())[:300]
