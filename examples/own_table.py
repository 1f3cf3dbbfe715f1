"""A table of one's own in Python: two regions, two sectors, a tariff, and where the change of welfare comes from.

Run it as ``python examples/own_table.py``. The same from the command line stands in the README.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

import reesim
from reesim.data import tables

PRODUCERS = pd.MultiIndex.from_product([["Home", "Foreign"], ["Wheat", "Cloth"]])
FLOWS = pd.DataFrame(
    [[10, 20, 5, 5], [5, 10, 10, 5], [5, 5, 10, 20], [5, 5, 5, 10]], index=PRODUCERS, columns=PRODUCERS, dtype=float
)
FINAL = pd.DataFrame(
    [[50, 10], [60, 20], [20, 50], [10, 60]], index=PRODUCERS, columns=["Home", "Foreign"], dtype=float
)
SCENARIO = """\
schema: reesim.scenario/1
name: own_table
calibration: {table: table}
parameters: {sigma: 5, rho: 1}
technology: none
policies:
  - {type: tariff, rate: 0.1, importers: [Home], start: 2020}
"""


def main() -> None:
    """Write the table, solve the tariff, show what the regions gain and why."""
    table = reesim.from_frames(FLOWS, FINAL, year=2018, source="invented")
    with tempfile.TemporaryDirectory() as name:
        tables.save(table, Path(name) / "table")
        scenario = reesim.Scenario.from_yaml(SCENARIO, folder=name)
        found = reesim.solve(scenario)
    print(found)
    channels = found.welfare_decomposition().to_dataframe()
    print(channels.loc[:, (channels.abs() > 1e-9).any()].T.round(4))
    print(found.trade_decomposition().to_dataframe().T.round(4))


if __name__ == "__main__":
    main()
