"""Behaviours: how firms enter, how they price, how buyers switch suppliers. Each is a rule that can be replaced.

The defaults are (21) and (22) and run compiled. A rule of your own is any object with a ``name`` and a ``next`` method; give it
to `reesim.Simulation` in place of one default and the same simulation runs, in Python between the compiled equilibria.

Examples
--------
>>> class PatientEntry:
...     name = "patient entry"
...     def next(self, state, equilibrium, period):
...         pull = 0.5 * (1.0 - 2.0 ** (-period.years / 2.0))
...         return (state.A_R * equilibrium.profit_gap_R**pull, state.A_L * equilibrium.profit_gap_L**pull)
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from reesim._core import reference as ref
from reesim._core.layout import POLICY, ROW, Layout, Parameters
from reesim.errors import InputError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class State:
    """What carries over into a period, read-only: measures (N, S), posted prices (N, S), trade shares (N, N, S)."""

    A_R: Array
    A_L: Array
    posted_price: Array
    trade_share: Array


@dataclass(frozen=True, slots=True)
class Period:
    """The period, or the part of one, that a rule moves on from.

    Parameters
    ----------
    start, end : datetime.date
        First day, and the day after the last, of the calendar's period.
    years : float
        Length in years of the step that the rule takes.
    index, substep : int
        Row of the path, and which step within its period.
    """

    start: date
    end: date
    years: float
    index: int
    substep: int


_WORKED_OUT = ("policy", "entry_cost", "profit_gap_R", "profit_gap_L", "optimal_trade_share", "supply_price")
"""What a temporary equilibrium tells beside the arrays of its row."""


class TemporaryEquilibrium:
    """The temporary equilibrium that a rule sees: every array of the core's row by name, and what entry and pricing look at."""

    def __init__(self, parameters: Parameters, row: Array, policy: Array) -> None:
        self._par, self._named = ref.unpack(parameters), ref.name_policy(parameters, policy)
        self._views = Layout(ROW, parameters.regions, parameters.sectors).views(row)
        self.policy: Mapping[str, Array] = Layout(POLICY, parameters.regions, parameters.sectors).views(policy)

    def __getattr__(self, name: str) -> Array:
        """Return ``wage``, ``ree_price``, ``unit_cost``, ``revenue`` and all else that a row holds."""
        if name.startswith("_"):  # a copy is asked for these before it holds anything
            raise AttributeError(name)
        try:
            return self._views[name]
        except KeyError:
            raise AttributeError(f"no {name!r} in a temporary equilibrium; it has {', '.join(self._names())}") from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._views})

    def __repr__(self) -> str:
        size = f"{self._par.N} regions x {self._par.S} sectors"
        return f"<TemporaryEquilibrium of {size}: {', '.join(self._names())}>"

    def _names(self) -> list[str]:
        """Everything that a rule can read off."""
        return [*self._views, *_WORKED_OUT]

    @cached_property
    def entry_cost(self) -> Array:
        """Price of the unit in which entry is paid, W in (7), (N,)."""
        return ref.entry_unit(self._par, self._views["wage"], np.log(self._views["price_consumption"]))

    @cached_property
    def _free_entry(self) -> tuple[Array, Array]:
        return ref.free_entry(
            self._par, self._named, self._views["ree_share"], self._views["spending"], self.entry_cost
        )

    @property
    def profit_gap_R(self) -> Array:
        """Profit over entry cost of an R variety, (N, S); 1 where there is no such bundle, (7)."""
        gap: Array = self._free_entry[0] / self._views["A_R"]
        return np.where(self._par.research_R0 > 0.0, gap, 1.0)

    @property
    def profit_gap_L(self) -> Array:
        """Profit over entry cost of an L variety, (N, S), (7)."""
        gap: Array = self._free_entry[1] / self._views["A_L"]
        return gap

    @property
    def optimal_trade_share(self) -> Array:
        """CES shares at the posted prices and current trade costs, (N, N, S), (11)."""
        costs = ref.trade_costs(self._par, self._named)
        return ref.optimal_trade_share(self._par, costs, np.log(self._views["posted_price"]))

    @property
    def supply_price(self) -> Array:
        """Price at which producers break even, (N, S): unit cost less the subsidy that comes on top of the price, (10)."""
        return np.exp(ref.supply_price(self._named, np.log(self._views["unit_cost"])))


@runtime_checkable
class EntryRule(Protocol):
    """How the measures of varieties move."""

    name: str

    def next(self, state: State, equilibrium: TemporaryEquilibrium, period: Period) -> tuple[Array, Array]:
        """Return A_R and A_L at the opening of the next step, each (N, S) and positive."""


@runtime_checkable
class PricingRule(Protocol):
    """How producers post prices."""

    name: str

    def next(self, state: State, equilibrium: TemporaryEquilibrium, period: Period) -> Array:
        """Return posted prices at the opening of the next step, (N, S) and positive."""


@runtime_checkable
class SwitchingRule(Protocol):
    """How buyers switch suppliers."""

    name: str

    def next(self, state: State, equilibrium: TemporaryEquilibrium, period: Period) -> Array:
        """Return trade shares at the opening of the next step, (N, N, S), adding to one over exporters."""


def share_of_gap(half_life: float, years: float) -> float:
    """Share of a gap closed in a step: 1 - 2^(-years / half-life); 1 at once, 0 never."""
    if half_life == 0.0:
        return 1.0
    return 0.0 if math.isinf(half_life) else -math.expm1(-math.log(2.0) * years / half_life)


def _speed(half_life: float) -> str:
    return "at once" if half_life == 0.0 else "never" if math.isinf(half_life) else f"half-life {half_life:g} years"


def _years(rule: str, half_life: object) -> float:
    """Check a half-life, a number of years from 0 to inf."""
    # True is a number to Python; as a half-life it is a slip
    years = float(half_life) if isinstance(half_life, numbers.Real) and not isinstance(half_life, bool) else math.nan
    if not years >= 0.0:
        raise InputError(
            f"{rule}: half_life {half_life!r} cannot be used: "
            "give a number of years from 0 (at once) to float('inf') (never)"
        )
    return years


@dataclass(frozen=True, slots=True)
class HalfLifeRule:
    """What the default rules share: they close a share of a gap in every step.

    Parameters
    ----------
    half_life : float
        Years in which half of the gap is closed; 0 at once, inf never.

    Raises
    ------
    InputError
        If it is not such a number.
    """

    half_life: float
    manner: ClassVar[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "half_life", _years(type(self).__name__, self.half_life))

    @property
    def name(self) -> str:
        """Name in files."""
        return f"{self.manner} ({_speed(self.half_life)})"

    def closes(self, period: Period) -> float:
        """Share of the gap closed in a step."""
        return share_of_gap(self.half_life, period.years)


@dataclass(frozen=True, slots=True)
class ProfitEntry(HalfLifeRule):
    """Entry follows profit, (22): measures close a share of the log gap between profit and entry cost.

    Half-life in years: 0 at once (free entry holds in every period), inf never.
    """

    manner: ClassVar[str] = "entry follows profit"

    def next(self, state: State, equilibrium: TemporaryEquilibrium, period: Period) -> tuple[Array, Array]:
        """Measures at the next opening."""
        share = self.closes(period)
        return state.A_R * equilibrium.profit_gap_R**share, state.A_L * equilibrium.profit_gap_L**share


@dataclass(frozen=True, slots=True)
class CostPricing(HalfLifeRule):
    """Posted prices follow unit costs less subsidies, (21), in logs.

    Half-life in years: 0 at once (price equals cost in every period), inf never.
    """

    manner: ClassVar[str] = "prices follow unit costs"

    def next(self, state: State, equilibrium: TemporaryEquilibrium, period: Period) -> Array:
        """Posted prices at the next opening."""
        return ref.adjust_log(state.posted_price, equilibrium.supply_price, self.closes(period))


@dataclass(frozen=True, slots=True)
class GradualSwitching(HalfLifeRule):
    """Trade shares move in levels towards the CES shares at posted prices, (21).

    Half-life in years: 0 at once (shares are optimal in every period), inf never.
    """

    manner: ClassVar[str] = "buyers switch towards CES shares"

    def next(self, state: State, equilibrium: TemporaryEquilibrium, period: Period) -> Array:
        """Trade shares at the next opening."""
        share = self.closes(period)
        return ref.adjust_level(state.trade_share, equilibrium.optimal_trade_share, share)


PARTS: dict[str, tuple[str, ...]] = {
    "entry": ("A_R", "A_L"),
    "pricing": ("posted_price",),
    "switching": ("trade_share",),
}
"""What the rule in each place returns, in order."""

_DEFAULTS: dict[str, type] = {"entry": ProfitEntry, "pricing": CostPricing, "switching": GradualSwitching}


def checked_rule(place: str, rule: object) -> None:
    """Check that an object can be the rule in a place, before anything is run.

    Parameters
    ----------
    place : str
        ``"entry"``, ``"pricing"`` or ``"switching"``.
    rule : object
        What was given for it.

    Raises
    ------
    InputError
        If it is a class, a default of another place, or has no ``next`` or no ``name``; the message says what to do.
    """
    if isinstance(rule, type):
        filled = "half_life" if rule in _DEFAULTS.values() else ""
        raise InputError(
            f"{place}: {rule.__name__} is a class where a rule is due; make one of it: {rule.__name__}({filled})"
        )
    kind, own = type(rule).__name__, _DEFAULTS[place].__name__
    if type(rule) in _DEFAULTS.values() and kind != own:
        # defaults are run by their half-life alone, so a misplaced one would run as another rule under its own name
        right = next(other for other, default in _DEFAULTS.items() if default is type(rule))
        raise InputError(f"{place}: {kind} is a rule for {right}; give it as {right}=, or {own}(half_life) here")
    if not callable(getattr(rule, "next", None)):
        raise InputError(
            f"{place}: {_shown(rule)} is not a rule, since it has no method next(state, equilibrium, period); "
            f"for another half-life give reesim.{own}(half_life)"
        )
    name = getattr(rule, "name", None)
    if not isinstance(name, str) or not name.strip():
        raise InputError(
            f"{place}: the rule {kind} has {'no name' if name is None else f'the name {_shown(name)}'}; "
            'give its class a line name = "..." with a few words: files record them'
        )


def moved(
    place: str, rule: Any, state: State, equilibrium: TemporaryEquilibrium, period: Period
) -> tuple[npt.NDArray[np.float64], ...]:
    """Let a rule of one's own move on, and answer for it.

    Parameters
    ----------
    place : str
        ``"entry"``, ``"pricing"`` or ``"switching"``.
    rule : object
        One that `checked_rule` has let through.
    state, equilibrium, period : State, TemporaryEquilibrium, Period
        What it is given.

    Returns
    -------
    tuple of ndarray
        One array of numbers for each of `PARTS`; whether they are a state is for the caller to check.

    Raises
    ------
    InputError
        If the rule raises anything, or returns something else; it names the rule, the place and the date.
    """
    where = f"rule {rule.name!r} ({place})"
    try:
        given = rule.next(state, equilibrium, period)
    except Exception as error:  # whatever it is, it comes from the user's code and is answered with its address
        raise InputError(
            f"{where} failed after the period from {period.start}: {type(error).__name__}: {error}"
        ) from error
    names = PARTS[place]
    due = " and ".join(names) + (" as two arrays" if len(names) > 1 else " as one array")
    where = f"{where}, after the period from {period.start}"
    if len(names) == 1:
        given = (given,)
    elif not isinstance(given, tuple | list) or len(given) != len(names):
        raise InputError(f"{where}: next should return {due}; it returned {_kind(given)}")
    return tuple(_numbers(f"{where}: next should return {due}", array) for array in given)


def _numbers(asked: str, given: object) -> npt.NDArray[np.float64]:
    """Array of what a rule returned for one of its parts."""
    try:
        array = np.asarray(given)
    except ValueError as error:  # rows of unequal length
        raise InputError(f"{asked}; it returned {_kind(given)} that is no array: {error}") from error
    if given is None or array.dtype.kind not in "fiu":
        raise InputError(f"{asked}, of real numbers; it returned {_kind(given)}")
    return array.astype(np.float64, copy=False)


def _kind(given: object) -> str:
    """Say what was returned, in a few words."""
    if given is None:
        return "None (is a return missing?)"
    if isinstance(given, np.ndarray):
        return f"one array of shape {given.shape}, {given.dtype}"
    if isinstance(given, tuple | list):
        return f"a {type(given).__name__} of {len(given)}"
    return f"a {type(given).__name__}"


def _shown(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."
