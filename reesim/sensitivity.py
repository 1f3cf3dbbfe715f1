"""How much results hang on the default speeds of adjustment, which are ours: each halved and doubled, all else the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from reesim.equilibrium import baseline
from reesim.simulation import Simulation

if TYPE_CHECKING:
    import pandas as pd

    from reesim.calibration import Calibration
    from reesim.economy import Economy
    from reesim.labels import Labels
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
        A row for the scenario itself and one for every change: worst welfare of the region and at the end of the run (per cent).
        Where there are rare earths also the highest user price there, A_R/A_L of the sector at its furthest from one and at the
        end (per cent from the baseline).

    Raises
    ------
    ConvergenceError
        If a variant has no path.
    """
    import pandas as pd

    lean = scenario.replace({"output.variables": KEPT, "output.every": 1, **_dates(scenario)})
    economy = baseline(lean)
    base = _run(lean, economy)
    if not region:
        region = economy.regions.codes[int(base.array("welfare").min(axis=0).argmin())]
    if not sector:
        sector = economy.sectors.codes[int(economy.calibration.ree_share_is.sum(axis=0).argmax())]
    rows = {"as in the scenario": _figures(base, region, sector)}
    for name in SPEEDS:
        half_life = getattr(scenario.adjustment, name)
        if half_life == 0.0 or math.isinf(half_life) or (name == "entry" and scenario.technology != "endogenous"):
            continue
        for factor in FACTORS:
            varied = lean.replace({f"adjustment.{name}": factor * half_life, "calendar.substeps": "auto"})
            rows[f"{name} {factor * half_life:g} years"] = _figures(_run(varied, economy), region, sector)
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "half-life"
    return table


def _dates(scenario: Scenario) -> dict[str, object]:
    """The calendar, said: a scenario may leave it to its policies, and a part of it cannot be replaced without the rest."""
    block = scenario.calendar
    return {"calendar.start": block.start, "calendar.end": block.end, "calendar.step": block.step}


def _run(scenario: Scenario, economy: Economy) -> Simulation:
    simulation = Simulation(scenario, economy=economy)
    return simulation.step(len(simulation.calendar) - 1)


def _figures(simulation: Simulation, region: str, sector: str) -> dict[str, float]:
    regions, calibration = simulation.economy.regions, simulation.economy.calibration
    i = regions.index(region)
    code, welfare = regions.codes[i], 100.0 * simulation.array("welfare")[:, i]
    found = {f"welfare {code}, worst (%)": float(welfare.min()), f"welfare {code}, end (%)": float(welfare[-1])}
    return found if calibration.exporter is None else found | _direction(simulation, regions, calibration, i, sector)


def _direction(
    simulation: Simulation, regions: Labels, calibration: Calibration, i: int, sector: str
) -> dict[str, float]:
    """What there is of rare earths: their price, and where technology turns."""
    s = calibration.sectors.index(sector)
    bias = 100.0 * (simulation.array("A_R")[:, i, s] / simulation.array("A_L")[:, i, s] - 1.0)
    code, good = regions.codes[i], calibration.sectors.codes[s]
    return {
        f"rare-earth price {code}, peak": float(simulation.array("ree_price")[:, i].max()),
        f"A_R/A_L {code} {good}, furthest (%)": float(bias[np.abs(bias).argmax()]),
        f"A_R/A_L {code} {good}, end (%)": float(bias[-1]),
    }
