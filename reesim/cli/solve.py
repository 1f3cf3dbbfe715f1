"""What ``reesim solve`` does: solve a scenario's policy at a date under both technologies, set them side by side, show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reesim import report
from reesim.cli import output
from reesim.scenario.calendar import Calendar, parse_window

if TYPE_CHECKING:
    import pandas as pd

    from reesim.equilibrium import Equilibrium
    from reesim.scenario import Scenario

_MONEY = "million USD a year"
_PER_CENT = "% of baseline"
_HAT = "baseline = 1"
_SHORT_UNITS = {_MONEY: " (m USD)", _PER_CENT: " (%)", _HAT: ""}
_RENTS = (
    ("export tax on sales to", "ree_tax_revenue"),
    ("quota rent on sales to", "ree_quota_rent"),
    ("embargo rent on sales to", "ree_embargo_rent"),
)


def solved(scenario: Scenario, date: str | None, technologies: Sequence[str]) -> list[Equilibrium]:
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
    return found


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


def table_of(equilibria: Sequence[Equilibrium], sectors: Sequence[str]) -> pd.DataFrame:
    """Put static equilibria side by side.

    Parameters
    ----------
    equilibria : sequence of Equilibrium
        Of the same scenario and date, one for each technology.
    sectors : sequence of str
        Codes or names of the sectors whose direction of technology is shown.

    Returns
    -------
    DataFrame
        quantity, unit, technology, and a column for each region; the technologies of a quantity stand together.

    Raises
    ------
    LabelError
        If there is no such sector.
    """
    import pandas as pd

    regions = equilibria[0].regions.codes
    blocks = [list(_quantities(equilibrium, sectors)) for equilibrium in equilibria]
    rows = [
        (quantity, unit, equilibrium.technology, *values)
        for entries in zip(*blocks, strict=True)
        for equilibrium, (quantity, unit, values) in zip(equilibria, entries, strict=True)
    ]
    return pd.DataFrame(rows, columns=["quantity", "unit", "technology", *regions])


def _quantities(equilibrium: Equilibrium, sectors: Sequence[str]) -> Iterator[tuple[str, str, NDArray[np.float64]]]:
    """Name, unit and values by region of each line of the table."""
    positions = dict.fromkeys(equilibrium.sectors.index(label) for label in sectors)
    ratio = equilibrium.array("A_R") / equilibrium.array("A_L")
    for position in positions:
        yield f"A_R/A_L, {equilibrium.sectors.names[position]}", _HAT, ratio[:, position]
    yield "welfare", _PER_CENT, 100.0 * equilibrium.array("welfare")
    yield "real GDP", _PER_CENT, equilibrium.change("real_gdp")
    yield "exports", _PER_CENT, _total_change(equilibrium, "exports")
    yield "exports, quantity", _PER_CENT, _total_change(equilibrium, "exports_real")
    yield "price paid for rare earths", _HAT, equilibrium.array("ree_price")
    yield "use of rare earths", _PER_CENT, equilibrium.change("ree_use")
    for quantity, name in _RENTS:
        yield quantity, _MONEY, equilibrium.array(name)


def lines_of(table: pd.DataFrame) -> pd.DataFrame:
    """Shorten a table of `table_of` for reading: units in the name, each name once, no lines of mere zeros, no round-off."""
    regions = list(table.columns[3:])
    table = table.copy()
    relative = table["unit"] == _PER_CENT
    table.loc[relative, regions] = report.without_noise(table.loc[relative, regions].to_numpy())
    moved = (table[regions] != 0.0).any(axis=1).groupby(table["quantity"]).transform("any")
    shown = table[moved | (table["unit"] != _MONEY)]
    names = shown["quantity"] + shown["unit"].map(_SHORT_UNITS)
    once = names.where(~names.duplicated(), "")
    return shown.drop(columns=["quantity", "unit"]).set_index(once.rename(""))


def _total_change(equilibrium: Equilibrium, name: str) -> NDArray[np.float64]:
    """Change of a sum over sectors, per cent."""
    before = equilibrium.baseline[name].sum(axis=1)
    now = equilibrium.array(name).sum(axis=1)
    share: NDArray[np.float64] = np.divide(now, before, out=np.full_like(now, np.nan), where=before != 0.0)
    return 100.0 * (share - 1.0)


def document(equilibria: Sequence[Equilibrium], table: pd.DataFrame) -> dict[str, Any]:
    """Document of ``reesim solve``: the table in tidy form, certificate and stability of each technology."""
    first = equilibria[0]
    tidy = table.melt(["quantity", "unit", "technology"], var_name="region", value_name="value")
    return {
        "schema": "reesim.solve/1",
        "scenario": first.scenario,
        "date": first.date,
        "choices": first.choices,
        "warnings": alerts_of(equilibria),
        "technologies": {equilibrium.technology: _worth(equilibrium) for equilibrium in equilibria},
        "ree_mine_price": {equilibrium.technology: equilibrium.array("ree_mine_price") for equilibrium in equilibria},
        "ree_exports": {equilibrium.technology: equilibrium.array("ree_exports") for equilibrium in equilibria},
        "table": tidy,
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
    return tuple(f"{' and '.join(names)} technology: {alert}" for alert, names in about.items())


def worth_table(equilibria: Sequence[Equilibrium]) -> pd.DataFrame:
    """What certifies each equilibrium, and whether and how fast entry returns to it: a column for each technology."""
    import pandas as pd

    return pd.DataFrame({each.technology: _worth_words(each) for each in equilibria}).fillna("").rename_axis("")


def _worth_words(equilibrium: Equilibrium) -> dict[str, str]:
    certificate, stability = equilibrium.certificate, equilibrium.stability
    place = ", ".join(part for part in (certificate.equation, certificate.region, certificate.sector) if part)
    words = {"largest relative residual": f"{certificate.residual:.2g}", "  found in": place}
    if stability is None:
        return words | {"stability": "no entry, so nothing to be unstable"}
    half_lives = {name: getattr(stability, name) for name in ("half_life", "transition_half_life")}
    return words | {
        "stability": "stable" if stability.stable else "UNSTABLE, entry moves away",
        "spectral abscissa (a year)": f"{stability.rate:+.4g}",
        **report.speed_facts(stability.stable, half_lives),
    }


def show(equilibria: Sequence[Equilibrium], table: pd.DataFrame) -> None:
    """Show equilibria: warnings, the table, what each is worth, the choices behind them."""
    first = equilibria[0]
    output.say(f"Static equilibrium of {first.scenario}, policy of {first.date}")
    output.warn(alerts_of(equilibria))
    output.say()
    output.say_table(lines_of(table))
    output.say("Baseline = 1 where there is no unit; % is change from the baseline, m USD million a year.\n")
    output.say_table(worth_table(equilibria))
    output.say_choices(first.choices)
