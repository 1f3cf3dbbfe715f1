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
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from reesim._core import reference as ref
from reesim._core.layout import POLICY, ROW, Layout, Parameters

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


class TemporaryEquilibrium:
    """The temporary equilibrium that a rule sees: every array of the core's row by name, and what entry and pricing look at."""

    def __init__(self, parameters: Parameters, row: Array, policy: Array) -> None:
        self._par = ref.unpack(parameters)
        self._views = Layout(ROW, parameters.regions, parameters.sectors).views(row)
        self.policy: Mapping[str, Array] = Layout(POLICY, parameters.regions, parameters.sectors).views(policy)

    def __getattr__(self, name: str) -> Array:
        """Return ``wage``, ``ree_price``, ``unit_cost``, ``revenue`` and all else that a row holds."""
        try:
            return self._views[name]
        except KeyError:
            raise AttributeError(f"no {name!r} in a temporary equilibrium; it has {', '.join(self._views)}") from None

    @cached_property
    def entry_cost(self) -> Array:
        """Price of the unit in which entry is paid, W in (7), (N,)."""
        return ref.entry_unit(self._par, self._views["wage"], np.log(self._views["price_consumption"]))

    @cached_property
    def _free_entry(self) -> tuple[Array, Array]:
        return ref.free_entry(self._par, self._views["ree_share"], self._views["spending"], self.entry_cost)

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
        """CES shares at the posted prices, (N, N, S), (11)."""
        return ref.optimal_trade_share(self._par, np.log(self._views["posted_price"]))


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


@dataclass(frozen=True, slots=True)
class ProfitEntry:
    """Entry follows profit, (22): measures close a share of the log gap between profit and entry cost.

    Parameters
    ----------
    half_life : float
        Years; 0 at once (free entry holds in every period), inf never.
    """

    half_life: float

    @property
    def name(self) -> str:
        """Name in files."""
        return f"entry follows profit ({_speed(self.half_life)})"

    def next(self, state: State, equilibrium: TemporaryEquilibrium, period: Period) -> tuple[Array, Array]:
        """Measures at the next opening."""
        share = share_of_gap(self.half_life, period.years)
        return state.A_R * equilibrium.profit_gap_R**share, state.A_L * equilibrium.profit_gap_L**share


@dataclass(frozen=True, slots=True)
class CostPricing:
    """Posted prices follow unit costs, (21), in logs.

    Parameters
    ----------
    half_life : float
        Years; 0 at once (price equals cost in every period), inf never.
    """

    half_life: float

    @property
    def name(self) -> str:
        """Name in files."""
        return f"prices follow unit costs ({_speed(self.half_life)})"

    def next(self, state: State, equilibrium: TemporaryEquilibrium, period: Period) -> Array:
        """Posted prices at the next opening."""
        return ref.adjust_log(state.posted_price, equilibrium.unit_cost, share_of_gap(self.half_life, period.years))


@dataclass(frozen=True, slots=True)
class GradualSwitching:
    """Trade shares move in levels towards the CES shares at posted prices, (21).

    Parameters
    ----------
    half_life : float
        Years; 0 at once (shares are optimal in every period), inf never.
    """

    half_life: float

    @property
    def name(self) -> str:
        """Name in files."""
        return f"buyers switch towards CES shares ({_speed(self.half_life)})"

    def next(self, state: State, equilibrium: TemporaryEquilibrium, period: Period) -> Array:
        """Trade shares at the next opening."""
        share = share_of_gap(self.half_life, period.years)
        return ref.adjust_level(state.trade_share, equilibrium.optimal_trade_share, share)
