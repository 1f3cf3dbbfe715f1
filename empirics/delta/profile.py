"""δ by indirect inference, (27): the response over the stable range, where it meets the target, and the interval.

Nothing is read off a grid: the points of the scan bracket, Brent's method finds. A point that was not solved is listed with
its error. If no δ attains the target, the closest is said to be that and no estimate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np

from reesim.empirics.delta.auxiliary import Response
from reesim.empirics.delta.target import NINETY_FIVE, Target, percent
from reesim.errors import ConvergenceError, DataError

Status: TypeAlias = Literal["attained", "several", "below", "above", "unsolved"]

NODES = 5
"""Points of the scan, ends included."""

DELTA_TOLERANCE = 1e-6
"""How closely Brent's method finds a δ."""

APART = 0.02
"""Distance from an estimate, over the range, of points its slope is taken from: nearer ones differ by rounding."""

WORDS: dict[Status, str] = {
    "attained": "attained", "several": "attained more than once", "below": "out of reach: the response is below it",
    "above": "out of reach: the response is above it", "unsolved": "not solved",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Failure:
    """A δ at which there is no response, and why."""

    delta: float
    error: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Response and criterion over δ.

    Parameters
    ----------
    target : Target
    low, high : float
        Range of δ that was searched.
    responses : tuple of Response
        Every δ that was solved, in order.
    failures : tuple of Failure
        Every δ that was not.
    roots : tuple of float
        Where the response meets the target.
    interval : tuple of (float, float)
        Pieces of the range in which the response is within 1.96 standard errors of the target; empty if none is.
    """

    target: Target
    low: float
    high: float
    responses: tuple[Response, ...]
    failures: tuple[Failure, ...]
    roots: tuple[float, ...]
    interval: tuple[tuple[float, float], ...]

    @property
    def status(self) -> Status:
        """Whether the target is attained, and if not on which side the response stays."""
        if self.roots:
            return "attained" if len(self.roots) == 1 else "several"
        sides = {found.response < self.target.response for found in self.responses}
        if len(sides) != 1:  # nothing was solved, or the response crosses the target where nothing was
            return "unsolved"
        return "below" if sides.pop() else "above"

    @property
    def estimate(self) -> float:
        """The δ that attains the target; nan unless there is exactly one."""
        return self.roots[0] if len(self.roots) == 1 else math.nan

    @property
    def std_error(self) -> float:
        """Standard error of the estimate by the delta method: the target's over the slope of the response; nan without one."""
        return self.target.std_error / abs(self.slope) if self.status == "attained" and self.slope else math.nan

    @property
    def slope(self) -> float:
        """Slope of the response around the estimate, or over the whole range without one; nan of fewer than two points.

        Log points per unit of δ, between the nearest points solved that are `APART` or more from the estimate.
        """
        apart = APART * (self.high - self.low)
        below = [found for found in self.responses if found.delta <= self.estimate - apart] or list(self.responses[:1])
        above = [found for found in self.responses if found.delta >= self.estimate + apart] or list(self.responses[-1:])
        if len(self.responses) < 2:
            return math.nan
        first, last = below[-1], above[0]
        return (last.response - first.response) / (last.delta - first.delta)

    @property
    def closest(self) -> Response | None:
        """The response nearest to the target; None if nothing was solved."""
        return min(self.responses, key=lambda found: self.target.criterion(found.response), default=None)

    @property
    def moved(self) -> float:
        """Largest less smallest response, percentage points: all that δ can do. nan if nothing was solved."""
        found = [response.percent for response in self.responses]
        return max(found) - min(found) if found else math.nan

    @property
    def monotone(self) -> bool:
        """Whether the response rises or falls throughout."""
        steps = np.diff([found.response for found in self.responses])
        return bool((steps > 0.0).all() or (steps < 0.0).all())

    @property
    def whole(self) -> bool:
        """Whether the interval is the whole range: the target then says nothing about δ within it."""
        return self.interval == ((self.low, self.high),)

    def interval_words(self) -> str:
        """The interval of 95 %, in words."""
        if not self.responses:
            return "not solved"
        if not self.interval:
            return "empty: no δ is within 1.96 standard errors"
        if self.whole:
            return f"the whole range {self.low:.3g} to {self.high:.3g}"
        return " and ".join(f"{low:.4g} to {high:.4g}" for low, high in self.interval)


def profile(
    respond: Callable[[float], Response], target: Target, low: float, high: float, *, nodes: int = NODES
) -> Profile:
    """Search a range of δ for the target.

    Parameters
    ----------
    respond : callable
        From δ to a response, such as ``lambda delta: episode.respond(delta, reading)``.
    target : Target
    low, high : float
        Range; `auxiliary.Episode.edge` is the end of the stable one.
    nodes : int
        Points of the scan, 2 or more. A response that turns between two of them may cross a level unseen; where the nearest
        point is an inner one the turn itself is searched for.

    Raises
    ------
    DataError
        If the range or the scan is empty.
    """
    if not (math.isfinite(low) and math.isfinite(high) and low < high and nodes >= 2):
        raise DataError(
            f"range {low:g} to {high:g} with {nodes} points: give a lower and a higher end, and 2 points or more"
        )
    curve = _Curve(respond)
    scan = [curve.response(float(delta)) for delta in np.linspace(low, high, nodes)]
    roots = curve.crossings(target.response)
    if not roots and any(found is not None for found in scan):
        curve.approach(target)
        roots = curve.crossings(target.response)
    pieces = curve.within(*target.band(NINETY_FIVE))
    return Profile(
        target=target, low=low, high=high, responses=curve.solved(), failures=tuple(curve.failures), roots=roots,
        interval=pieces,
    )  # fmt: skip


class _Curve:
    """Responses by δ, each computed once."""

    def __init__(self, respond: Callable[[float], Response]) -> None:
        self._respond = respond
        self._found: dict[float, Response | None] = {}
        self.failures: list[Failure] = []

    def response(self, delta: float) -> Response | None:
        """The response at δ; None, and a failure on the list, if there is none."""
        if delta not in self._found:
            try:
                self._found[delta] = self._respond(delta)
            except ConvergenceError as error:
                self._found[delta] = None
                self.failures.append(Failure(delta, type(error).__name__, str(error)))
        return self._found[delta]

    def solved(self) -> tuple[Response, ...]:
        there = (found for found in self._found.values() if found is not None)
        return tuple(sorted(there, key=lambda found: found.delta))

    def crossings(self, level: float) -> tuple[float, ...]:
        """Every δ at which the response, between neighbours that were solved, goes through a level."""
        known, roots = self.solved(), []
        for left, right in pairwise(known):
            if left.response == level:
                roots.append(left.delta)
            elif (left.response < level) != (right.response <= level) and right.response != level:
                roots.extend(self._brent(level, left.delta, right.delta))
        if known and known[-1].response == level:
            roots.append(known[-1].delta)
        return tuple(roots)

    def within(self, low: float, high: float) -> tuple[tuple[float, float], ...]:
        """Pieces of the range solved in which the response is between two levels."""
        known = self.solved()
        if not known:
            return ()
        ends = sorted({known[0].delta, known[-1].delta, *self.crossings(low), *self.crossings(high)})
        pieces: list[tuple[float, float]] = []
        for a, b in pairwise(ends):
            middle = self.response(0.5 * (a + b)) or self._nearest(0.5 * (a + b))
            if not low <= middle.response <= high:
                continue
            if pieces and pieces[-1][1] == a:
                pieces[-1] = (pieces[-1][0], b)
            else:
                pieces.append((a, b))
        return tuple(pieces)

    def approach(self, target: Target) -> None:
        """Where an inner point is the nearest, the response may turn beside it: go there."""
        from scipy.optimize import minimize_scalar

        known = self.solved()
        nearest = min(range(len(known)), key=lambda k: target.criterion(known[k].response))
        if not 0 < nearest < len(known) - 1:
            return
        bounds = (known[nearest - 1].delta, known[nearest + 1].delta)
        try:
            minimize_scalar(
                lambda delta: target.criterion(self._value(delta)), bounds=bounds, method="bounded",
                options={"xatol": 1e-3 * (bounds[1] - bounds[0])},
            )  # fmt: skip
        except _Missing:
            return  # the failure is on the list

    def _brent(self, level: float, low: float, high: float) -> list[float]:
        from scipy.optimize import brentq

        try:
            root = float(brentq(lambda delta: self._value(delta) - level, low, high, xtol=DELTA_TOLERANCE))
            self._value(root)
        except _Missing:
            return []  # the failure is on the list
        return [root]

    def _value(self, delta: float) -> float:
        found = self.response(float(delta))
        if found is None:
            raise _Missing
        return found.response

    def _nearest(self, delta: float) -> Response:
        return min(self.solved(), key=lambda found: abs(found.delta - delta))


class _Missing(Exception):
    """A search met a δ that was not solved."""


def describe(found: Profile) -> str:
    """One sentence on a profile."""
    goal = f"{percent(found.target.response):.1f} %"
    nearest = found.closest
    if nearest is None:
        return f"no δ was solved ({found.failures[0].text})"
    interval = f"interval of 95 %: {found.interval_words()}"
    if found.status == "attained":
        return f"{goal} at δ = {found.estimate:.4g} (standard error {found.std_error:.3g}); {interval}"
    if found.status == "several":
        return f"{goal} at δ = {', '.join(f'{root:.4g}' for root in found.roots)}; {interval}"
    return (
        f"{goal} {WORDS[found.status]}; closest {nearest.percent:.2f} % at δ = {nearest.delta:.3g}, and all of the range "
        f"moves it by {found.moved:.2f} points; {interval}"
    )
