"""Simulations: the economy stepped through a scenario's calendar, in compiled code where no one interrupts it."""

from __future__ import annotations

import copy
import datetime
import importlib.metadata
import math
import os
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from reesim._core.layout import ROW, STATE, Layout, no_policy
from reesim._core.stepper import Stepper
from reesim.equilibrium import TOLERANCE, baseline
from reesim.errors import ConvergenceError, InputError, LabelError
from reesim.lowering import lower, slack_alerts
from reesim.outcomes import Outcomes, real_gdp_alert
from reesim.results.path import Path
from reesim.results.provenance import Provenance, input_digests
from reesim.rules import (
    PARTS,
    CostPricing,
    EntryRule,
    GradualSwitching,
    Period,
    PricingRule,
    ProfitEntry,
    State,
    SwitchingRule,
    TemporaryEquilibrium,
    checked_rule,
    moved,
    share_of_gap,
)
from reesim.scenario.calendar import Calendar
from reesim.stability import Stability, stability_at
from reesim.stepsize import choose_substeps
from reesim.variables import VARIABLES

if TYPE_CHECKING:
    import pandas as pd

    from reesim.data.tables import WorldTable
    from reesim.economy import Economy
    from reesim.scenario import Scenario

Array = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]

CHUNK = 256
"""Periods recorded whole before variables are picked out of them: bounds memory when a path keeps few variables."""

SHARES_TOLERANCE = 1e-12
"""How far shares from a user's rule may be from adding to one."""


class Simulation:
    """A run through a scenario's calendar.

    A new simulation stands at its first row, the baseline; each step adds a row. A row holds the states at the opening of its
    period and the temporary equilibrium under the policy of that period.

    Parameters
    ----------
    scenario : Scenario or str
        A scenario, a bundled name or a path.
    entry, pricing, switching : EntryRule, PricingRule, SwitchingRule, optional
        Rules in place of the defaults of (21)-(22). One that is not a default runs in Python.
    table : WorldTable, optional
        The embedded table by default.
    economy : Economy, optional
        The scenario's baseline, when it is at hand; it is not changed.

    Raises
    ------
    ScenarioError, CalibrationError
        If the scenario or its baseline is not valid.
    InputError
        If the path would not fit into memory, or the substeps asked for are too few for an explicit step to be stable.
    """

    def __init__(
        self,
        scenario: Scenario | str,
        *,
        entry: EntryRule | None = None,
        pricing: PricingRule | None = None,
        switching: SwitchingRule | None = None,
        table: WorldTable | None = None,
        economy: Economy | None = None,
    ) -> None:
        from reesim.scenario import Scenario

        self.scenario = Scenario.load(scenario) if isinstance(scenario, str) else scenario
        if not isinstance(self.scenario, Scenario):
            raise InputError(f"a simulation needs a Scenario, a bundled name or a path, not {type(scenario).__name__}")
        lives = self.scenario.adjustment
        fixed = self.scenario.technology != "endogenous"
        self.rules: dict[str, Any] = {
            "entry": ProfitEntry(math.inf if fixed else lives.entry) if entry is None else entry,
            "pricing": CostPricing(lives.prices) if pricing is None else pricing,
            "switching": GradualSwitching(lives.trade) if switching is None else switching,
        }
        for place, rule in self.rules.items():
            checked_rule(place, rule)
        self.calendar = Calendar.for_scenario(self.scenario)
        self.economy = baseline(self.scenario, table) if economy is None else copy.copy(economy)
        self._policies, self._regimes = lower(self.scenario.schedule(self.calendar), self.economy)
        self.variables = _kept_variables(self.scenario)
        self._check_size()
        self.substeps = self._choose_substeps()
        self._stepper = Stepper(self.economy.parameters, self._speeds())
        self._done = 0
        self._records: list[dict[str, Array]] = []
        self._owned: list[dict[str, Array]] = []
        self._doubts: list[Array] = []
        self._advance(1)

    def __repr__(self) -> str:
        progress = f"{self._done} of {len(self.calendar)} rows, at {self.time:%Y-%m-%d}"
        own = [name for name, rule in self.rules.items() if not _compiled(rule)]
        return f"<Simulation {self.scenario.name!r}: {progress}{', own rules for ' + ', '.join(own) if own else ''}>"

    # where it stands ---------------------------------------------------------------------------------------------------

    @property
    def time(self) -> pd.Timestamp:
        """Date of the last row."""
        import pandas as pd

        return pd.Timestamp(self.calendar.starts[self._done - 1])

    @property
    def finished(self) -> bool:
        """Whether the calendar is at its end."""
        return self._done == len(self.calendar)

    def array(self, name: str) -> Array:
        """Return a kept variable so far, (rows, *axes), every row of it. Raises LabelError if it is not kept."""
        if name not in self.variables:
            raise LabelError(f"output.variables does not keep {name!r}; it keeps {', '.join(self.variables)}")
        return np.concatenate([part[name] for part in self._records])

    @property
    def path(self) -> Path:
        """The path so far, thinned to every ``output.every``-th row and the last."""
        return self._path(self.scenario.output.every)

    @property
    def whole_path(self) -> Path:
        """The path so far with every row, whatever ``output.every`` says: what peaks and means should be taken from."""
        return self._path(1)

    def _path(self, every: int) -> Path:
        rows = np.arange(self._done)
        keep = (rows % every == 0) | (rows == self._done - 1)
        values = {name: self.array(name)[keep] for name in self.variables}
        owned = {}
        if self._owned:
            owned = {name: np.stack([part[name] for part in self._owned])[keep] for name in self._owned[0]}
        times = self.calendar.times[: self._done][keep]
        return Path(times, values, self.economy.regions, self.economy.sectors, self._provenance(every), owned)

    # moving ------------------------------------------------------------------------------------------------------------

    def step(self, n: int = 1) -> Simulation:
        """Take n steps. Returns itself, so that a notebook shows where it stands.

        Raises
        ------
        ConvergenceError
            Naming the worst equation, region, sector and date; the simulation stays where it was sound.
        InputError
            If the calendar ends before.
        """
        if not isinstance(n, int):
            raise InputError(f"steps are counted in whole numbers, not {n!r}")
        if n < 0 or self._done + n > len(self.calendar):
            left = len(self.calendar) - self._done
            raise InputError(f"cannot take {n} steps: the calendar has {left} left; calendar.end can be set later")
        self._advance(n)
        return self

    def run_until(self, date: object) -> Simulation:
        """Step until the last row is the one whose period contains a date. Raises as `step`, and if the date is past."""
        row = self.calendar.index_of(date)
        if row < self._done - 1:
            raise InputError(
                f"{date} is behind: the simulation stands at {self.time:%Y-%m-%d}. Start a new one or branch earlier"
            )
        return self.step(row + 1 - self._done)

    def run(self, progress: Callable[[int, int], None] | None = None) -> Path:
        """Step to the end of the calendar and return the path.

        Parameters
        ----------
        progress : callable, optional
            Called with rows done and rows in all, a few dozen times.
        """
        total = len(self.calendar)
        size = max(1, math.ceil(total / 24)) if progress else total
        while not self.finished:
            self.step(min(size, total - self._done))
            if progress:
                progress(self._done, total)
        return self.path

    def branch(self) -> Simulation:
        """Return an independent simulation at the same point, the same bit for bit from here on."""
        twin = copy.copy(self)
        twin._stepper = self._stepper.copy()
        twin.rules = copy.deepcopy(self.rules)
        twin._records, twin._owned, twin._doubts = list(self._records), list(self._owned), list(self._doubts)
        twin.economy = copy.copy(self.economy)
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Simulation:
        return self.branch()

    def _advance(self, n: int) -> None:
        """Take n steps, or none: whatever goes wrong on the way, the simulation stays where it was."""
        compiled = all(_compiled(rule) for rule in self.rules.values())
        before = self._stepper.save(), self._done, self.rules if compiled else copy.deepcopy(self.rules)
        records, owned, doubts = list(self._records), list(self._owned), list(self._doubts)
        placed = copy.copy(self.economy)
        try:
            for first in range(self._done, self._done + n, CHUNK):
                regimes = self._regimes[first : min(first + CHUNK, before[1] + n)]
                rows, residuals = self._run_compiled(regimes) if compiled else self._run_rules(regimes)
                outcomes = Outcomes(
                    self.economy.parameters, self.economy.calibration, rows, self._policies, residuals, regimes
                )
                self._records.append(outcomes.collect(self.variables))
                if "real_gdp" in self.variables:
                    self._doubts.append(outcomes.real_gdp_doubt())
                self.economy.place(rows[-1].copy(), self._policies[regimes[-1]], float(residuals[-1]))
                self._done += len(rows)
        except BaseException:
            self._stepper.restore(before[0])
            self._done, self.rules = before[1:]
            self._records, self._owned, self._doubts, self.economy = records, owned, doubts, placed
            raise

    # the compiled engine -----------------------------------------------------------------------------------------------

    def _speeds(self) -> tuple[float, float, float]:
        """Shares of the gap that defaults close in one step; a rule of one's own is a state the core leaves alone."""
        years = self.calendar.dt / self.substeps
        shares = [share_of_gap(rule.half_life, years) if _compiled(rule) else 0.0 for rule in self.rules.values()]
        return shares[0], shares[1], shares[2]

    def _run_compiled(self, regimes: Positions) -> tuple[Array, Array]:
        size = Layout(ROW, self.economy.parameters.regions, self.economy.parameters.sectors).size
        rows, residuals = np.empty((len(regimes), size)), np.empty(len(regimes))
        done = self._stepper.run(self._policies, regimes, self.substeps, TOLERANCE, rows, residuals)
        if done < len(regimes):
            raise self._failure(self._done + done, *self._stepper.fault[1:])
        return rows, residuals

    def _failure(self, row: int, residual: float, unknown: int, equation: str, i: int, s: int) -> ConvergenceError:
        """Say where a step failed, in labels."""
        regions, sectors = self.economy.regions.codes, self.economy.sectors.codes
        if unknown >= 0:
            equation, i, s = _unknown(unknown, len(regions), len(sectors))
        region, sector = regions[i] if i >= 0 else "", sectors[s] if s >= 0 else ""
        date = str(self.calendar.starts[row])
        off = "is not met" if math.isinf(residual) else f"is off by {residual:.1e}"
        place = ", ".join(part for part in (region, sector) if part)
        return ConvergenceError(
            f"no temporary equilibrium in the period from {date}: {equation} {off}"
            f"{' in ' + place if place else ''}. "
            "Try more calendar.substeps, slower adjustment (longer half-lives), or a milder policy",
            residual=residual, equation=equation, region=region, sector=sector, date=date,
        )  # fmt: skip

    # rules of one's own ------------------------------------------------------------------------------------------------

    def _run_rules(self, regimes: Positions) -> tuple[Array, Array]:
        rows, residuals = [], []
        for offset, regime in enumerate(regimes):
            policy, index, worst = self._policies[regime], self._done + offset, 0.0
            for substep in range(self.substeps):
                solved = self._stepper.solve(policy)
                if solved is None or not solved[1] <= TOLERANCE:
                    raise self._failure(index, *self._stepper.fault[1:])
                row, residual = solved
                worst = max(worst, residual)
                if substep == 0:
                    rows.append(row)
                    self._owned.append(self._owned_states())
                self._follow(row, policy, self._period(index, substep))
            residuals.append(worst)
        return np.array(rows), np.array(residuals)

    def _period(self, index: int, substep: int) -> Period:
        start, end = self.calendar.starts[index].item(), self.calendar.ends[index].item()
        return Period(start, end, self.calendar.dt / self.substeps, index, substep)

    def _follow(self, row: Array, policy: Array, period: Period) -> None:
        """Default rules move on compiled; each rule of one's own then writes its part of the next state."""
        parameters = self.economy.parameters
        self._stepper.follow()
        after = Layout(STATE, parameters.regions, parameters.sectors).views(self._stepper.state)
        row = row.copy()
        row.setflags(write=False)
        state = State(**Layout(STATE, parameters.regions, parameters.sectors).views(row[: self._stepper.state.size]))
        market = TemporaryEquilibrium(parameters, row, policy)
        for place, names in PARTS.items():
            rule = self.rules[place]
            if _compiled(rule):
                continue
            for name, array in zip(names, moved(place, rule, state, market, period), strict=True):
                after[name][...] = self._accepted(rule.name, name, array, after[name].shape, period)

    def _accepted(self, rule: str, name: str, array: npt.ArrayLike, shape: tuple[int, ...], period: Period) -> Array:
        values = np.asarray(array, dtype=np.float64)
        where = f"rule {rule!r}, {name} after the period from {period.start}"
        if values.shape != shape:
            raise InputError(f"{where}: shape {values.shape} where {shape} is due")
        low = values < 0.0 if name == "trade_share" else values <= 0.0
        if not np.isfinite(values).all() or low.any():
            raise InputError(f"{where}: numbers should be finite and positive")
        if name == "trade_share" and np.abs(values.sum(axis=0) - 1.0).max() > SHARES_TOLERANCE:
            raise InputError(f"{where}: shares should add to one over exporters")
        return values

    def _owned_states(self) -> dict[str, Array]:
        owned = {}
        for place, rule in self.rules.items():
            for name, array in (getattr(rule, "state", None) or {}).items():
                owned[f"{place}.{name}"] = np.array(array, dtype=np.float64)
        return owned

    # what goes with the result -----------------------------------------------------------------------------------------

    @cached_property
    def stability(self) -> Stability:
        """Stability of the baseline the path moves around, at the rules' speeds and the length of a step.

        A rule of one's own has no half-life: the scenario's stands in for it.
        """
        return self._stability_given(None)

    def _stability_given(self, known_delta_star: float | None) -> Stability:
        """Stability of the baseline; `known_delta_star` spares the search for it."""
        stated = self.scenario.adjustment
        entry, prices, trade = (
            rule.half_life if _compiled(rule) else fallback
            for rule, fallback in zip(self.rules.values(), (stated.entry, stated.prices, stated.trade), strict=True)
        )
        none = no_policy(self.economy.parameters)
        row = self.economy.baseline_row()
        years = self.calendar.dt / self.substeps
        return stability_at(self.economy, none, row, (entry, prices, trade), years, known_delta_star)

    def _provenance(self, every: int) -> Provenance:
        calibration, scenario = self.economy.calibration, self.scenario
        moves = scenario.technology == "endogenous"
        alerts = self.stability.alerts(scenario.parameters.delta) if moves else ()
        kept = {} if every == 1 else {"rows kept": f"every {every}th and the last: peaks between them are missing"}
        return Provenance(
            name=scenario.name, title=scenario.title, scenario_text=scenario.text, effective_scenario=scenario.effective_yaml(),
            overrides=scenario.overrides, calibration_hash=calibration.hash(),
            choices={
                **calibration.choices, "technology": scenario.technology, "substeps": f"{self.substeps} a period", **kept
            },
            rules={place: rule.name for place, rule in self.rules.items()},
            versions={name: importlib.metadata.version(name) for name in ("numpy", "scipy")} | {"reesim": _version()},
            inputs=input_digests(scenario), substeps=self.substeps,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            stability={
                "stable": self.stability.stable, "spectral_abscissa": self.stability.rate,
                "half_life_years": self.stability.half_life,
                "transition_half_life_years": self.stability.transition_half_life,
                "delta_star_warning": alerts[0] if alerts and self.stability.stable else "",
            } if moves else {},
            warnings=(*slack_alerts(self._policies, self.economy), *self._real_gdp_warning()),
        )  # fmt: skip

    def _real_gdp_warning(self) -> tuple[str, ...]:
        if "real_gdp" not in self.variables:
            return ()
        dates = [str(day)[:7] for day in self.calendar.starts[: self._done]]
        return real_gdp_alert(np.concatenate(self._doubts), self.economy.regions, dates)

    def _choose_substeps(self) -> int:
        prices, trade = self.rules["pricing"], self.rules["switching"]
        asked = self.scenario.calendar.substeps
        if not (_compiled(prices) and _compiled(trade)):
            return 1 if asked == "auto" else int(asked)
        sigma = float(self.economy.calibration.sigma_s.max())
        lives = [rule.half_life for rule in self.rules.values() if _compiled(rule)]
        return choose_substeps(asked, prices.half_life, trade.half_life, self.calendar.dt, sigma, lives)

    def _check_size(self) -> None:
        need = predicted_bytes(self.scenario, len(self.calendar), len(self.economy.regions), len(self.economy.sectors))
        have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 2**34
        if need > have / 2:
            raise InputError(
                f"the path would take {need / 1e9:.1f} GB of memory, more than half of the {have / 1e9:.0f} GB here: "
                "keep fewer rows (output.every), fewer variables (output.variables), or a shorter calendar"
            )


def predicted_bytes(scenario: Scenario, rows: int, regions: int, sectors: int) -> int:
    """Memory that a path will take, in bytes: its kept variables, doubled while they are put together."""
    sizes = {"region": regions, "partner": regions, "sector": sectors}
    numbers = sum(math.prod(sizes[axis] for axis in VARIABLES[name].axes) for name in _kept_variables(scenario))
    return 16 * rows * numbers


def _kept_variables(scenario: Scenario) -> tuple[str, ...]:
    chosen = scenario.output.variables
    return tuple(VARIABLES) if chosen == "all" else tuple(name for name in VARIABLES if name in chosen)


def _compiled(rule: object) -> bool:
    return type(rule) in (ProfitEntry, CostPricing, GradualSwitching)


def _unknown(position: int, regions: int, sectors: int) -> tuple[str, int, int]:
    """Equation, region and sector of an unknown of the temporary equilibrium."""
    cells = regions * sectors
    if position < cells:
        return "expenditure (13)", position // sectors, position % sectors
    if position < cells + 2 * regions:
        at = position - cells
        return ("labour market (17)" if at < regions else "rare-earth market (15)"), at % regions, -1
    at = (position - cells - 2 * regions) % cells
    return "a price or measure that adjusts at once (10), (7)", at // sectors, at % sectors


def _version() -> str:
    from reesim import __version__

    return __version__
