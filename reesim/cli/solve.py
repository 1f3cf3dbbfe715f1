"""What ``reesim solve`` does: solve a scenario's policy at a date, under each technology that it has, and show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reesim import report
from reesim.cli import output
from reesim.cli.quantities import Sheet, Solved, channels_of, sectors_of, table_of, trade_of
from reesim.cli.reading import Grid, many, side_by_side, sold_by_sector
from reesim.errors import InputError
from reesim.results.plan import plan_of
from reesim.results.provenance import has_rare_earths
from reesim.scenario.calendar import Calendar, parse_window
from reesim.scenario.policy import Tariff

if TYPE_CHECKING:
    from reesim.equilibrium import Equilibrium
    from reesim.scenario import Scenario

BOTH = ("endogenous", "fixed")
SECTOR = "TRA"
"""The sector whose direction of technology is shown by default: transport equipment, of the largest rare-earth share."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What a document holds of equilibria: sheets by region, and records."""

    quantities: Sheet
    channels: Sheet
    trade: list[dict[str, object]]
    sectors: list[dict[str, object]] | None


def technologies_of(scenario: Scenario, asked: str | None) -> tuple[str, ...]:
    """Technologies to solve: both, or the one asked for; none where the scenario has no research.

    Raises
    ------
    InputError
        If the scenario's baseline has no such technology.
    """
    kinds = ("none",) if scenario.technology == "none" else BOTH
    if asked is None:
        return kinds
    if asked in kinds:
        return (asked,)
    if asked == "none":
        raise InputError(
            f"--technology none: the scenario's technology is {scenario.technology}, and its baseline has research. "
            "For a pure trade model solve it with --set technology=none"
        )
    raise InputError(
        f"--technology {asked}: the scenario's technology is none, a pure trade model whose baseline has no research. "
        f"Leave the option out, or solve it with --set technology={asked}"
    )


def solved(scenario: Scenario, date: str | None, technologies: Sequence[str]) -> list[Solved]:
    """Solve the equilibrium of a policy under each technology, from one baseline.

    Raises
    ------
    ConvergenceError
        If one is not found to tolerance.
    InputError
        If the date is not one.
    """
    from reesim import equilibrium

    economy = equilibrium.baseline(scenario)
    found = [equilibrium.solve(scenario, date, technology, economy=economy) for technology in technologies]
    if date is not None:
        _note_outside(scenario, date)
    return [Solved(one, one.welfare_decomposition(), one.trade_decomposition()) for one in found]


def _note_outside(scenario: Scenario, date: str) -> None:
    """Say it where no row of the calendar has a date: its policy can be solved, but is in no path of the scenario."""
    calendar = Calendar.for_scenario(scenario)
    first, last = parse_window(date)
    begin, end = calendar.starts[0].item(), calendar.ends[-1].item()
    if last < begin or first >= end:
        covered = f"{calendar.starts[0]} to {calendar.ends[-1] - 1}"
        output.note(
            f"note: no row of the calendar has the date {date}: it covers {covered}; "
            "what is solved is the policy that the scenario would have then"
        )


def sectors_asked(scenario: Scenario, asked: Sequence[str] | None) -> list[str]:
    """Codes of the sectors to show: those asked for, or transport equipment where it uses rare earths.

    Raises
    ------
    LabelError
        If the table has no such sector.
    """
    labels = scenario.world.sectors
    if asked:
        return [labels.codes[labels.index(label)] for label in asked]
    return [SECTOR] if scenario.world.exporter is not None and SECTOR in labels.codes else []


def regions_named(scenario: Scenario) -> frozenset[str]:
    """Codes of the regions that the scenario's policies name, in the file of a tariff too."""
    plan = plan_of(scenario.effective_yaml())
    flows = (policy.rates.flows for policy in scenario.policies if isinstance(policy, Tariff) and policy.rates)
    return frozenset(code for file in flows for flow in file for code in flow[:2]) | (
        plan.regions if plan else frozenset()
    )


def tables_of(found: Sequence[Solved], sectors: Sequence[str], *, named: bool, by_sector: bool) -> Tables:
    """Make the tables of equilibria of one scenario and date, one for each technology.

    Parameters
    ----------
    found : sequence of Solved
    sectors : sequence of str
        Codes of the sectors that have lines of their own.
    named : bool
        Whether the user named them: they then have lines on sales and exports too.
    by_sector : bool
        Whether all sectors are tabulated.
    """
    return Tables(
        table_of(found, sectors, named=named),
        channels_of(found),
        trade_of(found),
        sectors_of(found) if by_sector else None,
    )


def document(found: Sequence[Solved], tables: Tables) -> dict[str, Any]:
    """Document of ``reesim solve``: all tables in tidy form, certificate and stability of each technology."""
    equilibria = [one.equilibrium for one in found]
    first = equilibria[0]
    rare = has_rare_earths(first.choices)
    scalars = {
        name: {each.technology: each.array(name) for each in equilibria} if rare else None
        for name in ("ree_mine_price", "ree_exports")
    }
    return {
        "schema": "reesim.solve/1",
        "scenario": first.scenario,
        "date": first.date,
        "choices": first.choices,
        "warnings": alerts_of(equilibria),
        "technologies": {equilibrium.technology: _worth(equilibrium) for equilibrium in equilibria},
        **scalars,
        "table": tables.quantities.records(),
        "channels": tables.channels.records("channel"),
        "trade_decomposition": tables.trade,
        "sectors": tables.sectors,
    }


def _worth(equilibrium: Equilibrium) -> dict[str, Any]:
    names = ("residual", "equation", "region", "sector")
    stability = equilibrium.stability
    speeds = ("stable", "spectral_abscissa", "rate", "half_life", "transition_half_life")
    return {
        "certificate": {name: getattr(equilibrium.certificate, name) for name in names},
        "stability": None if stability is None else {name: getattr(stability, name) for name in speeds},
        "warnings": equilibrium.alerts,
    }


def alerts_of(equilibria: Sequence[Equilibrium]) -> tuple[str, ...]:
    """Alerts of all, each once and with the technologies that it is about."""
    about: dict[str, list[str]] = {}
    for equilibrium in equilibria:
        for alert in equilibrium.alerts:
            about.setdefault(alert, []).append(equilibrium.technology)
    return tuple(
        alert if names == ["none"] else f"{' and '.join(names)} technology: {alert}" for alert, names in about.items()
    )


def worth_grid(equilibria: Sequence[Equilibrium]) -> tuple[list[str], list[list[str]]]:
    """What certifies each equilibrium, and whether and how fast entry returns to it: a column for each technology."""
    columns = [_worth_words(each) for each in equilibria]
    facts = dict.fromkeys(fact for column in columns for fact in column)
    heads = ["", *(_heading(each.technology) for each in equilibria)]
    return heads, [[fact, *(column.get(fact, "") for column in columns)] for fact in facts]


def _heading(technology: str) -> str:
    return "no research" if technology == "none" else technology


def _worth_words(equilibrium: Equilibrium) -> dict[str, str]:
    certificate, stability = equilibrium.certificate, equilibrium.stability
    place = ", ".join(part for part in (certificate.equation, certificate.region, certificate.sector) if part)
    words = {"largest relative residual": f"{certificate.residual:.2g}", "  found in": place}
    if equilibrium.technology == "none":
        return words
    if stability is None:
        return words | {"stability": "no entry, so nothing to be unstable"}
    half_lives = {name: getattr(stability, name) for name in ("half_life", "transition_half_life")}
    return words | {
        "stability": "stable" if stability.stable else "UNSTABLE, entry moves away",
        "spectral abscissa (a year)": f"{stability.rate:+.4g}",
        **report.speed_facts(stability.stable, half_lives),
    }


def show(found: Sequence[Solved], tables: Tables, named: frozenset[str], *, everyone: bool) -> None:
    """Show equilibria: warnings, the tables, what each is worth, the choices behind them.

    Parameters
    ----------
    found, tables
        What is shown.
    named : frozenset of str
        Regions that come first where not all fit: those that the policy names.
    everyone : bool
        Whether all regions are shown, however many.
    """
    equilibria = [one.equilibrium for one in found]
    first = equilibria[0]
    output.say(f"Static equilibrium of {first.scenario}, policy of {first.date}")
    output.warn(alerts_of(equilibria))
    output.say()
    place = many(first.regions, [one.equilibrium.array("welfare") for one in found], named, everyone=everyone)
    _say_grids(side_by_side(tables.quantities, place))
    output.say("Baseline = 1 where there is no unit; % is change from the baseline, m USD million a year.")
    output.say(
        "Welfare is the change of real income. Terms and volume of trade above are first-order effects, at baseline flows."
    )
    output.say("\nWhere the change of welfare comes from (% of baseline income):")
    _say_grids(side_by_side(tables.channels, place))
    output.say("Channels average flows before and after: their terms of trade are not the first-order ones.")
    for title, grid in sold_by_sector(found, place) if tables.sectors is not None else ():
        output.say_grid(grid.heads, grid.rows, f"\n{title}")
    if place.left:
        output.say(f"\nLeft out: {place.left}")
    output.say()
    output.say_grid(*worth_grid(equilibria))
    output.say_choices(first.choices)


def _say_grids(grids: Sequence[Grid]) -> None:
    for number, grid in enumerate(grids):
        output.say_grid(grid.heads, grid.rows, "\n" if number else "")
