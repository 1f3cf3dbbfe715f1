"""Links between industries of SIC 1987 and of the benchmark table, joined from public lists of codes.

Four-digit industries of the Standard Industrial Classification (SIC) are linked to the benchmark table through the codes of the
North American classification (NAICS) of 2002, 2007 and 2012. The lists are plain pairs of codes; shares are ours.

*A code cut up by a revision* follows its remainder. The Census Bureau names the pieces that leave a code and calls what stays
the code "except" them, so pieces such as inflatable boats (out of plastics products) carry no weight. A code without a
remainder is shared equally among its successors.

*A code of NAICS 2012 that is listed under several industries of the benchmark table, or under none*, belongs to the industry
of its own digits: 331523 to 331520, whose list repeats that of ferrous foundries by mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from reesim.data.csvfiles import read_table
from reesim.empirics.files import write_csv

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "build_links", "longest", "write_links"]

_Shares: TypeAlias = dict[str, dict[str, float]]

COLUMNS = ("sic", "description", "naics2002", "bea", "share", "output_share")
SIC_NAICS = ("sic1987_naics2002.csv", ("sic1987", "sic_title", "naics2002"))
REVISIONS = (
    ("naics2007_naics2002.csv", ("naics2002", "naics2002_title", "naics2007")),
    ("naics2012_naics2007.csv", ("naics2007", "naics2007_title", "naics2012")),
)
BEA_NAICS = ("bea2012_naics2012.csv", ("BEA2012", "NAICS2012_6d"))
FIRST, LAST = "20", "39"
"""Divisions of manufacturing in SIC 1987."""

_REMAINDER = " - except "
_CONDITION = re.compile(r" ?\((?![A-Z][a-z]+\) ).*$")
"""What a title says of one link only, as in "Asbestos Products (asbestos brake linings and pads)"."""


def build_links(folder: Path) -> pd.DataFrame:
    """Join SIC 1987, NAICS 2002, 2007 and 2012 and the benchmark table of 2012, for manufacturing (SIC 20 to 39).

    Parameters
    ----------
    folder : pathlib.Path
        With ``sic1987_naics2002.csv``, ``naics2007_naics2002.csv``, ``naics2012_naics2007.csv`` (U.S. Census Bureau) and
        ``bea2012_naics2012.csv`` (U.S. Bureau of Economic Analysis).

    Returns
    -------
    pandas.DataFrame
        Links as `SicMap` takes them. No SIC industry is left out: a code that leads nowhere has an empty bea and share 0.

    Raises
    ------
    DataError
        If a file is missing or not what it should be.
    """
    import pandas as pd

    pairs: dict[tuple[str, str], str] = {}
    for sic, title, code in read_table(folder / SIC_NAICS[0], SIC_NAICS[1]):
        pairs.setdefault((sic, code), _CONDITION.sub("", title.replace("’", "'")).strip())
    names = {sic: title for (sic, _), title in reversed(pairs.items())}
    shares = _shares(folder)
    codes = _sums((bea, share) for homes in shares.values() for bea, share in homes.items())
    origins = _sums((code, 1.0) for _, code in pairs)
    rows = []
    for sic, code in sorted(pairs):
        if not FIRST <= sic[:2] <= LAST:
            continue
        homes = shares.get(code) or {"": 0.0}
        for bea, share in sorted(homes.items()):
            part = share / codes[bea] / origins[code] if share > 0.0 else 0.0
            rows.append((sic, names[sic], code, bea, share, part))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_links(folder: Path, file: Path) -> Path:
    """Write the links of `build_links` as csv, from which `read_links` gives back every bit.

    Raises
    ------
    DataError
        If a table cannot be used.
    StoreError
        If the file cannot be written.
    """
    return write_csv(build_links(folder), file, digits=None)


def _shares(folder: Path) -> _Shares:
    """Share of each NAICS 2002 code in industries of the benchmark table, over the two revisions in between."""
    steps = [_successors(folder / name, columns) for name, columns in REVISIONS]
    homes = _homes(folder / BEA_NAICS[0], {new for step in steps[-1].values() for new in step})
    return _chain(_chain(steps[0], steps[1]), homes)


def _successors(file: Path, columns: tuple[str, str, str]) -> _Shares:
    """Share of each old code in new ones: all of it in its remainder; without one, equal parts."""
    found: dict[str, dict[str, bool]] = {}
    for old, title, new in read_table(file, columns):
        found.setdefault(old, {})[new] = _REMAINDER in title or found.get(old, {}).get(new, False)
    return {
        old: {
            new: (float(rest) / sum(news.values()) if any(news.values()) else 1 / len(news))
            for new, rest in news.items()
        }
        for old, news in found.items()
    }


def _homes(file: Path, codes: Iterable[str]) -> _Shares:
    """Share of each NAICS 2012 code in industries of the benchmark table."""
    home: dict[str, list[str]] = {}
    industries: dict[str, str] = {}
    for bea, code in read_table(file, BEA_NAICS[1]):
        home.setdefault(code, []).append(bea)
        industries.setdefault(bea.rstrip("0"), bea)
    shares: _Shares = {}
    for code in sorted(codes):
        places = home.get(code, [])
        own = longest(code, industries)
        if len(places) != 1 and own:
            places = [industries[own]]
        shares[code] = {place: 1.0 / len(places) for place in places}
    return shares


def _chain(first: _Shares, second: _Shares) -> _Shares:
    return {
        old: _sums(
            (new, part * share) for middle, part in news.items() for new, share in second.get(middle, {}).items()
        )
        for old, news in first.items()
    }


def _sums(parts: Iterable[tuple[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for key, value in parts:
        total[key] = total.get(key, 0.0) + value
    return total


def longest(code: str, prefixes: Iterable[str]) -> str:
    """Longest prefix of a code among those given, or an empty text."""
    return max((prefix for prefix in prefixes if code.startswith(prefix)), key=len, default="")
