"""How much results hang on the default speeds of adjustment, which are ours: each halved and doubled, all else the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from reesim.equilibrium import baseline
from reesim.simulation import Simulation

if TYPE_CHECKING:
    import pandas as pd

    from reesim.economy import Economy
    from reesim.scenario import Scenario

SPEEDS = ("entry", "prices", "trade")
FACTORS = (0.5, 2.0)
KEPT = ["welfare", "A_R", "A_L", "ree_price"]


def speed_sensitivity(scenario: Scenario, *, region: str = "", sector: str = "") -> pd.DataFrame:
    """Run a scenario with each half-life halved and doubled.

    Parameters
    ----------
    scenario : Scenario
        Half-lives of zero and infinity are choices, not speeds, and stay.
    region, sector : str
        Whose welfare and direction of technology are shown; by default those of the region that loses most, and of the sector
        that uses rare earths most.

    Returns
    -------
    DataFrame
        A row for the scenario itself and one for every change: worst welfare of the region and at the end of the run (per cent),
        highest user price there, A_R/A_L of the sector at its furthest from one and at the end (per cent from the baseline).

    Raises
    ------
    ConvergenceError
        If a variant has no path.
    """
    import pandas as pd

    lean = scenario.replace({"output.variables": KEPT, "output.every": 1})
    economy = baseline(lean)
    base = _run(lean, economy)
    if not region:
        region = economy.regions.codes[int(base.array("welfare").min(axis=0).argmin())]
    if not sector:
        sector = economy.sectors.codes[int(economy.calibration.ree_share_is.sum(axis=0).argmax())]
    rows = {"as in the scenario": _figures(base, region, sector)}
    for name in SPEEDS:
        half_life = getattr(scenario.adjustment, name)
        if half_life == 0.0 or math.isinf(half_life) or (name == "entry" and scenario.technology == "fixed"):
            continue
        for factor in FACTORS:
            varied = lean.replace({f"adjustment.{name}": factor * half_life, "calendar.substeps": "auto"})
            rows[f"{name} {factor * half_life:g} years"] = _figures(_run(varied, economy), region, sector)
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "half-life"
    return table


def _run(scenario: Scenario, economy: Economy) -> Simulation:
    simulation = Simulation(scenario, economy=economy)
    return simulation.step(len(simulation.calendar) - 1)


def _figures(simulation: Simulation, region: str, sector: str) -> dict[str, float]:
    economy = simulation.economy
    i, s = economy.regions.index(region), economy.sectors.index(sector)
    welfare = 100.0 * simulation.array("welfare")[:, i]
    bias = 100.0 * (simulation.array("A_R")[:, i, s] / simulation.array("A_L")[:, i, s] - 1.0)
    code, good = economy.regions.codes[i], economy.sectors.codes[s]
    return {
        f"welfare {code}, worst (%)": float(welfare.min()),
        f"welfare {code}, end (%)": float(welfare[-1]),
        f"rare-earth price {code}, peak": float(simulation.array("ree_price")[:, i].max()),
        f"A_R/A_L {code} {good}, furthest (%)": float(bias[np.abs(bias).argmax()]),
        f"A_R/A_L {code} {good}, end (%)": float(bias[-1]),
    }
