"""A simulated path as an econometrician would see it: counts of patents and values of exports by region, sector and year.

Patents are new varieties, section 4 of the model: in a period dt the measure A gains max(0, ΔA + ξ A dt), where ξ is the
rate at which patents become obsolete and are replaced. A year's flow is the sum over its periods, and in a stationary year it
is ξ A. Alternatively patents are a stock: the mean of A over the year.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
import numpy.typing as npt

from reesim.empirics.panels.groups import MODEL_REGIONS
from reesim.empirics.panels.growth import annual_growth
from reesim.empirics.panels.schema import Panel
from reesim.errors import DataError, LabelError
from reesim.plotting import style

if TYPE_CHECKING:
    import pandas as pd

    from reesim.calibration import Calibration
    from reesim.results.path import Path

Array = npt.NDArray[np.float64]
Outcome = Literal["patents", "exports"]
Bundle = Literal["R", "L", "both"]
Seen = Literal["flow", "stock"]

REPLACEMENT = 0.15
"""Share of patents that become obsolete in a year and are replaced: our choice, to be varied."""

EXPOSURE = 100.0
"""Patents per unit of variety, a baseline measure being one: our choice; it scales counts and nothing else."""

EXPORT_NOISE = 0.05
"""Standard deviation of the log of an observed export value around the true one: our choice."""

PRE_YEARS = 8
"""Baseline years put before the year in which a path begins: 2002 to 2009 before 2010, as in the slides' sample."""


@dataclass(frozen=True, slots=True)
class Observed:
    """How patents are seen.

    Parameters
    ----------
    bundle : {"R", "L", "both"}
        Varieties of the rare-earth bundle are the patents that enhance the use of rare earths; with ``both``, ``count`` is
        all patents and ``enhancing`` those of the R bundle.
    seen : {"flow", "stock"}
        New varieties in a year, or their mean number.
    replacement : float
        ξ, a year, 0 or more; a stock does not depend on it.

    Raises
    ------
    DataError
        If one is none of these.
    """

    bundle: Bundle = "R"
    seen: Seen = "flow"
    replacement: float = REPLACEMENT

    def __post_init__(self) -> None:
        for name, allowed in (("bundle", ("R", "L", "both")), ("seen", ("flow", "stock"))):
            if getattr(self, name) not in allowed:
                raise DataError(f"{name} should be one of {', '.join(allowed)}, not {getattr(self, name)!r}")
        if not (np.isfinite(self.replacement) and self.replacement >= 0.0):
            raise DataError(f"replacement should be a rate a year, 0 or more, not {self.replacement!r}")


def panel_from_path(
    path: Path,
    outcome: Outcome = "patents",
    *,
    exposure: float | Mapping[tuple[str, str], float] = EXPOSURE,
    noise: bool | float = True,
    seed: int = 0,
    pre_years: int = PRE_YEARS,
    sectors: Sequence[str] | None = None,
    observed: Observed | None = None,
    real: bool = False,
) -> Panel:
    """Observe a path as a panel by region, sector and calendar year.

    Days of the first year before the path begins, and `pre_years` before that year, are at the baseline, which the first
    row of every path is. A last year that the path does not cover to its end is left out, and said so in the notes.

    Parameters
    ----------
    path : Path
        With ``A_R`` (and ``A_L``) for patents, ``exports`` or ``exports_real`` for exports.
    outcome : {"patents", "exports"}
    exposure : float or mapping of (region, sector) to float
        Patents per unit of variety at the baseline; a mapping by the codes of the path, every cell named.
    noise : bool or float
        Patents: whether counts are drawn from Poisson distributions around what is expected. Exports: standard deviation of
        the log of the observed value, True for `EXPORT_NOISE`; means stay what they are.
    seed : int
        Of the draws.
    pre_years : int
        Baseline years before the calendar year in which the path begins, 0 or more.
    sectors : sequence of str, optional
        Codes. Default: those that use rare earths at the baseline, which are the model's 12 manufacturing sectors.
    observed : Observed, optional
        How patents are seen; the flow of the R bundle by default.
    real : bool
        Whether exports are quantities at baseline prices instead of values.

    Returns
    -------
    Panel
        Patents: region, sic (the sector's code), year, count [, enhancing]. Exports: country (the region's code), industry
        (the sector's), year, value (million USD), growth (log points from the year before). The model's EU is called EUR.

    Raises
    ------
    LabelError
        If the path did not keep a variable, or there is no such sector.
    DataError
        If an argument cannot be used, or the path covers no whole year.
    """
    if outcome not in ("patents", "exports"):
        raise DataError(f"no outcome {outcome!r} of a path; known: patents, exports")
    if not isinstance(pre_years, int) or pre_years < 0:
        raise DataError(f"pre_years should be a number of years, 0 or more, not {pre_years!r}")
    span = _Span.of(path, pre_years)
    chosen = _sectors(path, sectors)
    draw = np.random.default_rng(seed)
    if outcome == "exports":
        return _exports(path, span, chosen, noise, draw, real)
    if not isinstance(noise, bool) and noise != 0.0:
        raise DataError(f"noise {noise!r}: counts of patents are Poisson or expected; give True or False")
    return _patents(path, span, chosen, _exposure(path, chosen, exposure), bool(noise), draw, observed or Observed())


def bundle_exposure(
    calibration: Calibration, patents: float, replacement: float = REPLACEMENT
) -> dict[tuple[str, str], float]:
    """Exposure by which patents follow the size of the R bundle, (7): equal entry costs make varieties follow its revenue.

    Parameters
    ----------
    calibration : Calibration
    patents : float
        Patents a year in the whole world at the baseline.
    replacement : float
        ξ, a year, above 0.

    Returns
    -------
    dict of (region, sector) to float
        For `panel_from_path`; zero where there is no R bundle.

    Raises
    ------
    DataError
        If nobody uses rare earths, or a number is not above 0.
    """
    size = calibration.ree_share_is * calibration.value_added_is
    if not (patents > 0.0 and replacement > 0.0 and size.sum() > 0.0):
        raise DataError("patents and replacement should be above 0, in a world that uses rare earths")
    weight = size * (patents / replacement / size.sum())
    return {
        (region, sector): float(weight[i, s])
        for i, region in enumerate(calibration.regions.codes)
        for s, sector in enumerate(calibration.sectors.codes)
    }


def annual_flow(measure: Array, opening: Array, replacement: float, years: npt.NDArray[np.int64]) -> Array:
    """New varieties by calendar year: Σ over periods of max(0, ΔA + ξ A dt).

    Parameters
    ----------
    measure : (T, N, S) ndarray
        A at the opening of each period.
    opening : (T + 1,) ndarray
        Openings in years, a month being a twelfth; the last is the end of the last period. Its change is not on the path:
        growth is taken to go on as in the period before.
    replacement : float
        ξ, a year.
    years : (Y,) ndarray
        Whole years. Before the path A stands at its first row.

    Returns
    -------
    ndarray, shape (Y, N, S)
        A period that lies in two years counts to each by its length.
    """
    length = np.diff(opening)
    after = np.concatenate([measure[1:], measure[-1:] * (measure[-1:] / measure[-2:-1] if len(measure) > 1 else 1.0)])
    flow = np.maximum(0.0, after - measure + replacement * measure * length[:, None, None])
    rate = np.concatenate([replacement * measure[:1], flow / length[:, None, None]])
    return _yearly(rate, opening, years)


def annual_mean(level: Array, opening: Array, years: npt.NDArray[np.int64]) -> Array:
    """Mean over each calendar year, (Y, ...), of what holds from the opening of a period to its end, (T, ...)."""
    return _yearly(np.concatenate([level[:1], level]), opening, years)


def _yearly(rate: Array, opening: Array, years: npt.NDArray[np.int64]) -> Array:
    """Integrate a step function over years: ``rate[0]`` until the path begins, then ``rate[1 + t]`` in period t."""
    edges = np.concatenate([[-np.inf], opening])
    first = years[:, None].astype(np.float64)
    # Length of each period in each year, (Y, T + 1).
    inside = np.clip(np.minimum(edges[1:], first + 1.0) - np.maximum(edges[:-1], first), 0.0, None)
    return cast("Array", np.tensordot(inside, rate, axes=(1, 0)))


@dataclass(frozen=True, slots=True, eq=False)
class _Span:
    """Openings of the periods in years, the whole calendar years to observe, and what is left out."""

    opening: Array
    years: npt.NDArray[np.int64]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, path: Path, pre_years: int) -> _Span:
        days = path.times
        # A month is a twelfth, as in the engine, whatever its days; the last period is as long as the one before.
        opening = np.array([day.year + (day.month - 1 + (day.day - 1) / day.days_in_month) / 12.0 for day in days])
        opening = np.append(opening, opening[-1] + (opening[-1] - opening[-2] if len(days) > 1 else 1.0 / 12.0))
        begun, whole = days[0].year, int(np.floor(opening[-1] + 1e-9))
        years = np.arange(begun - pre_years, whole)
        if len(years) == 0:
            raise DataError(f"the path covers no year to its end: it stops in {begun}. Let calendar.end be later")
        notes = [f"Years before {path.times[0]:%B %Y} are the baseline of the path."] if opening[0] > years[0] else []
        if opening[-1] > whole + 1e-9:
            notes.append(f"{whole} is left out: the path does not reach its end.")
        return cls(opening, years, tuple(notes))


def _sectors(path: Path, given: Sequence[str] | None) -> list[int]:
    if given is not None:
        if isinstance(given, str) or not given:
            raise DataError(f"sectors should be a list of codes, not {given!r}")
        return [path.sectors.index(code) for code in given]
    try:
        share = path.array("ree_share")[0]
    except LabelError as error:
        raise LabelError(f"{error} Or name the sectors to observe") from error
    used = np.flatnonzero((share > 0.0).any(axis=0))
    if len(used) == 0:
        raise DataError("no sector of the path uses rare earths: name the sectors to observe")
    return [int(s) for s in used]


def _exposure(path: Path, sectors: list[int], given: float | Mapping[tuple[str, str], float]) -> Array:
    """Patents per unit of variety, (N, chosen sectors)."""
    if isinstance(given, Mapping):
        codes = [(region, path.sectors.codes[s]) for region in path.regions.codes for s in sectors]
        missing = [f"{region}, {sector}" for region, sector in codes if (region, sector) not in given]
        if missing:
            raise DataError(f"exposure: no number for {'; '.join(missing[:8])}{' ...' if len(missing) > 8 else ''}")
        table = np.array([given[code] for code in codes], dtype=np.float64).reshape(len(path.regions), len(sectors))
    else:
        table = np.full((len(path.regions), len(sectors)), float(given))
    if not (np.isfinite(table).all() and (table >= 0.0).all()):
        raise DataError("exposure should be finite numbers, 0 or more")
    return table


def _patents(
    path: Path, span: _Span, sectors: list[int], exposure: Array, noise: bool, draw: np.random.Generator, how: Observed
) -> Panel:
    seen = {name: _seen(path.array(name)[:, :, sectors], span, how) * exposure for name in _measures(how.bundle)}
    counts = {name: draw.poisson(mean).astype(np.float64) if noise else mean for name, mean in seen.items()}
    frame = _tidy(path, span, sectors, ("region", "sic"), {"count": np.sum(list(counts.values()), axis=0)})
    if how.bundle == "both":
        frame["enhancing"] = counts["A_R"].transpose(1, 2, 0).ravel()
    kind = (
        f"flow of new varieties, replacement {how.replacement:g} a year" if how.seen == "flow" else "stock of varieties"
    )
    bundle = "both bundles" if how.bundle == "both" else f"{how.bundle} bundle"
    source = (
        f"SIMULATED path {path.provenance.name!r}: {kind}, {bundle}, {'Poisson counts' if noise else 'expected counts'}"
    )
    return Panel("patents", frame, source, notes=(*span.notes, *_alerts(path)))


def _measures(bundle: Bundle) -> tuple[str, ...]:
    return ("A_R", "A_L") if bundle == "both" else (f"A_{bundle}",)


def _seen(measure: Array, span: _Span, how: Observed) -> Array:
    if how.seen == "stock":
        return annual_mean(measure, span.opening, span.years)
    return annual_flow(measure, span.opening, how.replacement, span.years)


def _exports(
    path: Path, span: _Span, sectors: list[int], noise: bool | float, draw: np.random.Generator, real: bool
) -> Panel:
    spread = EXPORT_NOISE if noise is True else float(noise)
    if not (np.isfinite(spread) and spread >= 0.0):
        raise DataError(f"noise {noise!r}: should be a standard deviation, 0 or more")
    name = "exports_real" if real else "exports"
    value = annual_mean(path.array(name)[:, :, sectors], span.opening, span.years)
    if spread > 0.0:
        value = value * np.exp(spread * draw.standard_normal(value.shape) - 0.5 * spread**2)
    frame = _tidy(path, span, sectors, ("country", "industry"), {"value": value})
    frame["growth"], notes = annual_growth(frame, ("country", "industry"))
    seen = f"log noise {spread:g}" if spread > 0.0 else "without noise"
    source = f"SIMULATED path {path.provenance.name!r}: {name}, {seen}"
    return Panel("exports", frame, source, notes=(*span.notes, *notes, *_alerts(path)))


def _tidy(
    path: Path, span: _Span, sectors: list[int], keys: tuple[str, str], values: Mapping[str, Array]
) -> pd.DataFrame:
    """One row a region, sector and year, in that order, from arrays (Y, N, S)."""
    import pandas as pd

    regions = [MODEL_REGIONS.get(code, code) for code in path.regions.codes]
    codes = [path.sectors.codes[s] for s in sectors]
    index = pd.MultiIndex.from_product([regions, codes, span.years.tolist()], names=[*keys, "year"])
    return pd.DataFrame(
        {name: array.transpose(1, 2, 0).ravel() for name, array in values.items()}, index=index
    ).reset_index()


def _alerts(path: Path) -> tuple[str, ...]:
    return tuple(f"Said of the path: {text}." for text in style.beside_gdp(path.warnings))
