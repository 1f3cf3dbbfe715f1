"""δ under every reading of the episode: shares, scenarios, flow or stock, speeds; and what does move the response."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from reesim.empirics.delta.auxiliary import LAST, Episode, Reading, Response, long_run_slope, requirements
from reesim.empirics.delta.profile import NODES, Profile, profile
from reesim.empirics.delta.target import Target
from reesim.empirics.panels.simulated import Observed
from reesim.errors import DataError

if TYPE_CHECKING:
    from reesim.scenario import Scenario

Progress: TypeAlias = Callable[[int, int], None]

SCENARIOS = ("deck_tax", "staged_quotas_2010_2015", "effective_exports_2010_2015")
"""The wedge as a tax; the quotas as announced; exports as they were, as the limit."""

SHARES = ("deck", "accounts", "io_table")
ENTRY, OTHER_ENTRIES = 2.0, (1.0, 4.0)
"""Half-life of entry, years: the default, halved and doubled."""

SEEN = (Observed(), Observed(replacement=0.05), Observed(replacement=0.3), Observed(seen="stock"))
"""How patents are seen; the first is the reference."""

LASTS = (LAST, 2016, 2014)
"""Last years of the sample. The policy ends with 2014; the slides do not state theirs."""

FEW_NODES = 3
"""Points of the scan away from the reference."""

RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Rates of replacement that bracket the one that attains the target, a year."""


@dataclass(frozen=True, slots=True)
class Case:
    """One reading of the episode.

    Parameters
    ----------
    scenario, shares : str
    entry : float
        Half-life of entry, years.
    reading : Reading
    """

    scenario: str
    shares: str
    entry: float
    reading: Reading

    def __str__(self) -> str:
        return f"{self.scenario}, {self.shares} shares, entry {self.entry:g} years, {self.reading}"


@dataclass(frozen=True, slots=True)
class Move:
    """The response with one thing changed.

    Parameters
    ----------
    what, value : str
        What is changed, and to what.
    percent : float
        Response, per cent per standard deviation.
    """

    what: str
    value: str
    percent: float


@dataclass(frozen=True, slots=True)
class Rate:
    """Rates of replacement at which the target is attained without an externality, none, one or more."""

    scenario: str
    shares: str
    rates: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """All profiles.

    Parameters
    ----------
    target : Target
    delta_star : float
        Lowest of the baselines': where equilibria lose stability.
    profiles : mapping of Case to Profile
    moves : tuple of Move
        The reference first, then one thing changed at a time.
    rates : tuple of Rate
    slopes : (float, float)
        Response of A_R/A_L in the end, per standard deviation and log point of the price abroad, at δ of 0 and at the edge.
    """

    target: Target
    delta_star: float
    profiles: Mapping[Case, Profile]
    moves: tuple[Move, ...]
    rates: tuple[Rate, ...]
    slopes: tuple[float, float]

    def at(self, **wanted: Any) -> dict[Case, Profile]:
        """Profiles of cases with these fields; ``seen`` picks by `Observed`."""
        seen = wanted.pop("seen", None)
        return {
            case: found for case, found in self.profiles.items()
            if all(getattr(case, name) == value for name, value in wanted.items())
            and (seen is None or case.reading.observed == seen)
        }  # fmt: skip


def study(
    target: Target,
    *,
    scenarios: Sequence[str] = SCENARIOS,
    shares: Sequence[str] = SHARES,
    entries: Sequence[float] = (ENTRY, *OTHER_ENTRIES),
    seen: Sequence[Observed] = SEEN,
    lasts: Sequence[int] = LASTS,
    progress: Progress | None = None,
) -> Study:
    """Estimate δ under every combination.

    Parameters
    ----------
    target : Target
    scenarios : sequence of str
        Bundled names or paths.
    shares : sequence of {"deck", "accounts", "io_table"}
    entries : sequence of float
        Half-lives of entry, years; the first is the reference.
    seen : sequence of Observed
        The first is the reference.
    lasts : sequence of int
        Last years of the sample; the first is the reference and the latest. Others are tried at the reference half-life.
    progress : callable, optional
        Told after every episode how many of how many are done.

    Raises
    ------
    DataError
        If a list is empty.
    InputError
        If a scenario has no patents that respond.
    """
    if not (scenarios and shares and entries and seen and lasts):
        raise DataError(
            "name at least one scenario, choice of shares, half-life of entry, way of seeing patents and last year"
        )
    profiles: dict[Case, Profile] = {}
    rates, stars, slopes = [], [], (math.nan, math.nan)
    total, done = len(scenarios) * len(shares) * len(entries) + 1, 0
    for loaded, chosen in ((_load(name), chosen) for name in scenarios for chosen in shares):
        star: float | None = None
        for entry in entries:
            changes = {"calibration.ree_shares": chosen, "adjustment.entry": entry}
            episode = Episode(loaded.replace(changes), last=max(lasts), delta_star=star)
            star = episode.delta_star  # of the baseline, which no speed changes
            first = entry == entries[0]
            for reading in _readings(target, seen, lasts if first else lasts[:1]):
                nodes = NODES if first and reading.last == lasts[0] else FEW_NODES
                found = profile(_response(episode, reading), target, 0.0, episode.edge, nodes=nodes)
                profiles[Case(loaded.name, chosen, entry, reading)] = found
            if first:
                rates.append(Rate(loaded.name, chosen, attaining_rates(episode, target, last=lasts[0])))
                slopes = _slopes(episode) if math.isnan(slopes[0]) else slopes
            stars.append(star)
            done += 1
            if progress:
                progress(done, total)
    moves = tuple(_moves(target, _load(scenarios[0]), seen[0], entries, lasts))
    if progress:
        progress(total, total)
    return Study(
        target=target, delta_star=min(stars), profiles=profiles, moves=moves, rates=tuple(rates), slopes=slopes
    )


def _load(name: str) -> Scenario:
    from reesim.scenario import Scenario

    return Scenario.load(name)


def _readings(target: Target, seen: Sequence[Observed], lasts: Sequence[int]) -> Iterator[Reading]:
    for last in lasts:
        for observed in seen:
            yield Reading(observed=observed, group=target.group, last=last)


def _response(episode: Episode, reading: Reading) -> Callable[[float], Response]:
    return lambda delta: episode.respond(delta, reading)


def _slopes(episode: Episode) -> tuple[float, float]:
    measure = requirements()
    return (
        long_run_slope(episode.calibration, 0.0, measure),
        long_run_slope(episode.calibration, episode.edge, measure),
    )


def attaining_rates(episode: Episode, target: Target, *, delta: float = 0.0, last: int = LAST) -> tuple[float, ...]:
    """Rates of replacement of patents at which a flow has the target's response, δ held, between 0.01 and 1 a year.

    Raises
    ------
    ConvergenceError
        If there is no path at δ.
    """
    from scipy.optimize import brentq

    def gap(log_rate: float) -> float:
        observed = Observed(replacement=math.exp(log_rate))
        reading = Reading(observed=observed, group=target.group, last=last)
        return episode.respond(delta, reading).response - target.response

    ends = [(math.log(rate), gap(math.log(rate))) for rate in RATES]
    return tuple(
        math.exp(float(brentq(gap, a, b, xtol=1e-4))) for (a, low), (b, high) in pairwise(ends) if low * high < 0.0
    )


def _moves(
    target: Target, scenario: Scenario, observed: Observed, entries: Sequence[float], lasts: Sequence[int]
) -> Iterator[Move]:
    """The response of the reference and with one thing changed: the reference is the first scenario under `accounts`."""
    base = Reading(observed=observed, group=target.group, last=lasts[0])

    def episode(source: Scenario = scenario, **changes: object) -> Episode:
        dotted = {name.replace("__", "."): value for name, value in changes.items()}
        plain = {"calibration.ree_shares": "accounts", "adjustment.entry": entries[0]}
        return Episode(source.replace({**plain, **dotted}), last=max(lasts))

    home = episode()
    yield Move("reference", _told(base, scenario.name, entries[0]), home.respond(0.0, base).percent)
    for delta in (-1.0 / (home.calibration.mu - 1.0), home.edge):
        yield Move("delta", f"{delta:.3g}", home.respond(delta, base).percent)
    for seen in (item for item in SEEN if item != observed):
        changed = replace(base, observed=seen)
        yield Move("patents seen as", changed.patents, home.respond(0.0, changed).percent)
    for years in entries[1:]:
        yield Move(
            "half-life of entry", f"{years:g} years", episode(adjustment__entry=years).respond(0.0, base).percent
        )
    for chosen in (item for item in SHARES if item != "accounts"):
        yield Move("shares", chosen, episode(calibration__ree_shares=chosen).respond(0.0, base).percent)
    for name in (item for item in (*SCENARIOS, "deck_tax_permanent") if item != scenario.name):
        yield Move("scenario", name, episode(_load(name)).respond(0.0, base).percent)
    for last in lasts[1:]:
        yield Move("last year", str(last), home.respond(0.0, replace(base, last=last)).percent)
    yield Move(
        "weight of a sector", "size of its R bundle", home.respond(0.0, replace(base, exposure="bundle")).percent
    )
    yield Move("sensitivity", "the model's own", home.respond(0.0, replace(base, measure="model")).percent)
    for group in ("JPN", "CHN"):
        yield Move("regions", group, home.respond(0.0, replace(base, group=group)).percent)


def _told(reading: Reading, scenario: str, entry: float) -> str:
    return f"{scenario}, accounts shares, delta 0, {reading}, entry {entry:g} years"
