"""Reproduce the tables of Caliendo and Parro (2015): what NAFTA's tariffs did, 1993 to 2005, 31 regions and 40 sectors.

Run it as ``python examples/nafta.py --data FOLDER --deficits removed``. FOLDER holds ``nafta.npz``, the data of the R
package cp2015 (MIT licence), which are not part of reesim: flows ``trade_nij`` (n importer, i exporter, j sector), tariffs
``tau_bln_nij`` of 1993 and ``tau_cfl_nij`` with those of 2005 inside NAFTA, materials ``interm_nkj`` (k input, j user), trade
elasticities ``theta_j``, ``regions`` and ``sectors``, in dollars of 1993.

It goes the way of anyone with a table of their own: arrays become a folder of csv files, a scenario of a few lines names it,
and that is solved. ``--keep DIR`` leaves the files in DIR, where ``reesim solve DIR/nafta.yaml`` finds them.

The published digits need the published recipe:

1. Final demand is spending less materials, and negative in one cell of eight. The table keeps those; the scenario says
   ``negative_final_demand: clip``: the *shares* of final demand are those of the other cells, while supply and input
   coefficients and every region's value added stay.
2. The baseline is solved for at the tariffs of 1993, without trade deficits (``removed``) or with those of the data
   (``kept``, constant while world labour income is).
3. The tariffs of 2005 between Canada, Mexico and the USA are put in force.

The paper's "welfare" is terms of trade plus volume of trade, a first-order decomposition. The change of real income is
exact, and another number: 0.007 % for Mexico where the paper has 1.31 %.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

import reesim
from reesim.data import tables, treatments
from reesim.labels import Labels

MEMBERS = ("Canada", "Mexico", "USA")
NEEDED = ("regions", "sectors", "trade_nij", "tau_bln_nij", "tau_cfl_nij", "interm_nkj", "theta_j")
SCENARIO = """\
schema: reesim.scenario/1
name: nafta
title: Tariffs of 2005 between Canada, Mexico and the USA on the table of 1993
calibration:
  table: table
  trade_elasticity: theta.csv
  ree_shares: none
  negative_final_demand: clip
parameters: {{rho: 1}}
technology: none
deficit: {deficit}
policies:
  - {{type: tariff, file: tariffs_2005.csv, start: 2005-01-01}}
"""


def read(given: Path) -> dict[str, np.ndarray]:
    """Arrays of ``nafta.npz``, given the file or its folder.

    Raises
    ------
    ValueError
        If it is not there, or not that file.
    """
    file = given / "nafta.npz" if given.is_dir() else given
    if not file.is_file():
        raise ValueError(f"{file}: there is no such file; --data names nafta.npz or its folder")
    try:
        with np.load(file) as data:
            return {name: data[name] for name in NEEDED}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, TypeError, AttributeError) as error:
        raise ValueError(f"{file}: it cannot be read as an npz file of plain arrays") from error
    except KeyError as error:
        raise ValueError(f"{file}: it lacks an array of the exercise: {error.args[0]}") from error


def table_of(data: Mapping[str, np.ndarray]) -> tables.TradeTable:
    """Flows and tariffs of 1993 in million USD; final demand is what is spent beside materials."""
    regions, sectors = (
        Labels(kind, names, names)
        for kind, names in ((kind, tuple(map(str, data[f"{kind}s"]))) for kind in ("region", "sector"))
    )
    trade, tariff = data["trade_nij"].transpose(1, 0, 2) / 1e6, data["tau_bln_nij"].transpose(1, 0, 2)
    materials = data["interm_nkj"].transpose(0, 2, 1) / 1e6
    table = tables.TradeTable(
        year=1993, regions=regions, sectors=sectors, trade_jis=trade, materials_iks=materials,
        final_is=(trade * (1.0 + tariff)).sum(axis=0) - materials.sum(axis=1), source="Caliendo and Parro (2015)",
        licence="MIT", command="examples/nafta.py", tariff_jis=tariff,
    )  # fmt: skip
    return treatments.treat(table, "keep")


def write_rows(file: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a csv file; numbers keep every digit."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def write_exercise(data: Mapping[str, np.ndarray], deficits: str, folder: Path) -> Path:
    """Write the table, the elasticities, the new tariffs and the scenario into ``folder``; return the scenario's file."""
    table = table_of(data)
    tables.save(table, folder / "table")
    regions, sectors = table.regions.codes, table.sectors.codes
    theta = [(sector, float(value)) for sector, value in zip(sectors, data["theta_j"], strict=True)]
    write_rows(folder / "theta.csv", [("sector", "theta"), *theta])
    new = data["tau_cfl_nij"].transpose(1, 0, 2)
    changed = [
        (regions[j], regions[i], sectors[s], float(new[j, i, s])) for j, i, s in np.argwhere(new != table.tariff_jis)
    ]
    write_rows(folder / "tariffs_2005.csv", [("exporter", "importer", "sector", "rate"), *changed])
    file = folder / "nafta.yaml"
    deficit = "removed" if deficits == "removed" else "world_labour_share"
    file.write_text(SCENARIO.format(deficit=deficit), encoding="utf-8")
    return file


def solve(file: Path) -> list[dict[str, object]]:
    """Solve baseline and counterfactual; a row for each region, per cent, NAFTA's members first."""
    found = reesim.solve(str(file), "2005").trade_decomposition()
    frame = found.to_dataframe().rename(columns={"terms_and_volume": "welfare"}).reset_index()  # the published name
    rows = [dict(zip(frame.columns, line, strict=True)) for line in frame.itertuples(index=False)]
    return sorted(rows, key=lambda line: line["region"] not in MEMBERS)  # stable: the rest as in the data


def show(rows: Sequence[Mapping[str, object]], deficits: str) -> str:
    """Rows as a table."""
    names = [name for name in rows[0] if name != "region"]
    lines = [f"{'per cent, deficits ' + deficits:28s}" + "".join(f"{name.replace('_', ' '):>17s}" for name in names)]
    lines += [f"{row['region']:28s}" + "".join(f"{row[name]:17.4f}" for name in names) for row in rows]
    return "\n".join(lines)


def main() -> int:
    """Read the command line, solve, print."""
    parser = argparse.ArgumentParser(description="Reproduce the tables of Caliendo and Parro (2015)")
    parser.add_argument("--data", type=Path, required=True, help="nafta.npz, or the folder that holds it")
    parser.add_argument("--deficits", choices=("removed", "kept"), default="removed")
    parser.add_argument("--json", action="store_true", help="rows as JSON, per cent, every digit")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave table and scenario there")
    asked = parser.parse_args()
    try:
        data = read(asked.data)
        with tempfile.TemporaryDirectory() as temporary:
            folder = asked.keep or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            rows = solve(write_exercise(data, asked.deficits, folder))
    except (ValueError, OSError) as error:
        print(f"nafta.py: {error}", file=sys.stderr)
        return 2
    except reesim.ReesimError as error:
        print(f"nafta.py: {error}", file=sys.stderr)
        return error.exit_code
    try:
        print(json.dumps(rows, indent=1) if asked.json else show(rows, asked.deficits), flush=True)
    except BrokenPipeError:
        # Who read the output has seen enough. Python flushes once more at its end, so that has to go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
