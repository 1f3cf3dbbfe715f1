"""What a result was planned to be: calendar and policies, read off the record of its scenario, without table or files.

A saved path carries its scenario as text. The table and the files that the text names may be elsewhere by now; dates, kinds
of policy and the regions they name are in the text itself.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reesim.results.differences import addressed
from reesim.scenario.calendar import parse_end, parse_start

if TYPE_CHECKING:
    from reesim.labels import Labels

__all__ = ["FEW", "RARE_EARTHS", "Measure", "Periods", "Plan", "exporter_of", "leading", "plan_of"]

FEW = 8
"""Regions that tables and figures show side by side; of more, those that a policy names and that move most."""

RARE_EARTHS = frozenset({"export_tax", "export_quota", "embargo", "ree_supply", "production_quota", "mine"})
"""Kinds of policy on rare earths."""

_ACTORS = ("importers", "exporters", "destinations", "destination", "regions", "region", "market")


@dataclass(frozen=True, slots=True)
class Periods:
    """Calendar block: first day, last day on which a period may start, length of a period."""

    start: date
    end: date
    step: str


@dataclass(frozen=True, slots=True)
class Measure:
    """One policy: its kind, first and last day, and the regions that it names."""

    kind: str
    start: date
    end: date | None
    regions: tuple[str, ...]

    @property
    def window(self) -> tuple[np.datetime64, np.datetime64]:
        """First day, and the day after the last."""
        return np.datetime64(self.start, "D"), np.datetime64(self.end or date.max, "D") + np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class Plan:
    """Calendar and policies of a scenario; `Calendar.for_scenario` takes it for one."""

    calendar: Periods
    policies: tuple[Measure, ...]
    exporter: str = "CHN"
    """Region whose rare earths the world uses, if it uses any."""

    @property
    def regions(self) -> frozenset[str]:
        """Codes of all regions that a policy names."""
        return frozenset(code for measure in self.policies for code in measure.regions)

    @property
    def on_goods_alone(self) -> bool:
        """Whether there are policies, and none of them is on rare earths."""
        return bool(self.policies) and not RARE_EARTHS & {measure.kind for measure in self.policies}


@functools.lru_cache(maxsize=8)
def plan_of(text: str) -> Plan | None:
    """Read the plan off a scenario in canonical YAML, as `Scenario.effective_yaml` writes it.

    Returns
    -------
    Plan or None
        None where the text is no such scenario; what is shown then rests on the numbers alone.
    """
    values = {place: value.strip("'\"") for place, value in addressed(text).items()}
    try:
        block = (values[f"calendar.{key}"] for key in ("start", "end", "step"))
        start, end, step = block
        calendar = Periods(parse_start(start), parse_end(end), step)
        return Plan(calendar, tuple(_measures(values)), values.get("calibration.exporter", "CHN"))
    except (KeyError, ValueError):
        return None


def exporter_of(text: str) -> str:
    """Region whose rare earths the world of a scenario's text uses, if it uses any."""
    plan = plan_of(text)
    return plan.exporter if plan is not None else "CHN"


def _measures(values: Mapping[str, str]) -> Iterable[Measure]:
    number = 0
    while f"policies.{number}.type" in values:
        at = f"policies.{number}."
        own = {place.removeprefix(at): value for place, value in values.items() if place.startswith(at)}
        named = [value for key, value in own.items() if key.partition(".")[0] in _ACTORS]
        end = parse_end(own["end"]) if own.get("end") else None
        yield Measure(own["type"], parse_start(own["start"]), end, tuple(dict.fromkeys(named)))
        number += 1


def leading(regions: Labels, moved_i: NDArray[np.float64], named: Iterable[str] = (), most: int = FEW) -> list[int]:
    """Positions of the regions to show: all if they are few, else those named, then those that move most.

    Parameters
    ----------
    regions : Labels
    moved_i : (N,) ndarray
        How far each moves, without sign; what is missing moves least.
    named : iterable of str
        Codes of regions that are shown before others, by how far they move.
    most : int
        How many.

    Returns
    -------
    list of int
        In the order of the labels if all are shown, in that of importance otherwise.
    """
    if len(regions) <= most:
        return list(range(len(regions)))
    size = np.nan_to_num(np.abs(moved_i), nan=-1.0, posinf=np.finfo(float).max)
    wanted = set(named)
    order = sorted(range(len(regions)), key=lambda i: (regions.codes[i] not in wanted, -size[i], i))
    return order[:most]
