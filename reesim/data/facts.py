"""Small shipped tables of stated facts; every row says where it is from and how sure it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reesim.data.csvfiles import parse_number, read_rows

if TYPE_CHECKING:
    import pandas as pd

DATA = Path(__file__).parent
REQUIREMENTS = DATA / "ree_requirements.csv"
UNVERIFIED = "unverified"
"""What every output says of a number whose status is M, from memory."""

_NUMBERS = ("value", "epsilon", "gamma", "million", "total", "direct")


def load_elasticities() -> pd.DataFrame:
    """Elasticities of the deck by sector: columns sector, epsilon, gamma, status, source, flag."""
    return read_facts(DATA / "elasticities.csv")


def load_rare_earth_accounts() -> pd.DataFrame:
    """Rare-earth market of 2009: columns key, value, unit, status, source, flag; shares as ``use_share.CHN``."""
    return read_facts(DATA / "rare_earth_accounts.csv")


def load_ree_requirements() -> pd.DataFrame:
    """Rare earths by sector, USD per USD of output: columns sector, total, direct, status, source, note, flag."""
    return read_facts(REQUIREMENTS)


def load_employment() -> pd.DataFrame:
    """Employment of 2009 in million persons: columns region, million, status, source, flag."""
    return read_facts(DATA / "labour_2009.csv")


def read_facts(file: Path) -> pd.DataFrame:
    """Read a small table of stated facts; adds column ``flag``, which says of every row from memory: unverified."""
    import pandas as pd

    header, *rows = read_rows(file)
    columns: dict[str, list[str] | list[float]] = {}
    for position, name in enumerate(header):
        cells = [row[position] for row in rows]
        # Python's float() gives the nearest number in every version of pandas; the precision of read_csv changed.
        columns[name] = (
            [parse_number(cell, file, row, name) for row, cell in enumerate(cells, start=2)]
            if name in _NUMBERS
            else cells
        )
    columns["flag"] = [UNVERIFIED if status == "M" else "" for status in columns["status"]]
    return pd.DataFrame(columns)
