"""The two decompositions of welfare for a static equilibrium that is at hand, without solving it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reesim._core.layout import ROW, Layout
from reesim.decomposition import trade_decomposition, welfare_decomposition
from reesim.lowering import lower
from reesim.scenario.calendar import parse_window

if TYPE_CHECKING:
    from reesim.decomposition import TradeDecomposition, WelfareDecomposition
    from reesim.economy import Economy
    from reesim.equilibrium import Equilibrium
    from reesim.scenario import Scenario


def decomposed(
    scenario: Scenario, economy: Economy, equilibrium: Equilibrium
) -> tuple[WelfareDecomposition, TradeDecomposition]:
    """Decompose the change of welfare from the baseline to an equilibrium.

    Parameters
    ----------
    scenario : Scenario
        What was solved.
    economy : Economy
        Its baseline.
    equilibrium : Equilibrium
        The solution at its date.
    """
    first, _, last = equilibrium.date.partition(" to ")
    window = parse_window(first)[0], parse_window(last or first)[1]
    policy = lower(scenario.schedule_at(*window), economy)[0][0]
    row = row_of(economy, equilibrium)
    parameters, regions = economy.parameters, economy.regions
    return (
        welfare_decomposition(parameters, regions, row, policy),
        trade_decomposition(parameters, regions, economy.sectors, row, policy),
    )


def row_of(economy: Economy, equilibrium: Equilibrium) -> NDArray[np.float64]:
    """Row of the core that an equilibrium was read off, but for the price of value added, which no account needs."""
    parameters = economy.parameters
    layout, par = Layout(ROW, parameters.regions, parameters.sectors), parameters.views()
    row = np.ones(layout.size)
    views, values = layout.views(row), equilibrium.values
    for name in set(views) & set(values):
        views[name][...] = values[name]
    views["spending"][...] = values["unit_cost"] * values["revenue"] / values["posted_price"]
    research = np.zeros(parameters.regions)
    if parameters.entry_in_final_good:
        units = (par["research_R0"] * values["A_R"] + par["research_L0"] * values["A_L"]).sum(axis=1)
        research = values["price_consumption"] * units
    views["final_demand"][...] = values["income"] + research
    return row
