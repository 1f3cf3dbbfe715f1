"""Groups of countries and regions that the regressions are run on, and codes that are easily mistaken."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from reesim.data.csvfiles import read_table
from reesim.data.facts import DATA
from reesim.errors import DataError

GROUPS = ("NONCHN", "USA", "EUR", "JPN", "ALL", "CHN")
"""In the order of the slides' tables."""

MODEL_REGIONS = {"EU": "EUR"}
"""Codes of the model's regions that panels call otherwise."""

_CODE = re.compile(r"[A-Z]{3}|EU|RoW", re.ASCII)
_MEANT = {
    "CN": "CHN", "CHINA": "CHN", "156": "CHN", "PRC": "CHN", "US": "USA", "UNITED STATES": "USA", "842": "USA", "840": "USA",
    "JP": "JPN", "JAPAN": "JPN", "392": "JPN", "EUROPE": "EUR", "EU27": "EUR", "EU28": "EUR", "EUROPEAN UNION": "EUR",
    "KR": "KOR", "RU": "RUS", "AU": "AUS", "DE": "DEU", "FR": "FRA", "GB": "GBR", "UK": "GBR", "IT": "ITA", "WORLD": "ROW",
}  # fmt: skip


@functools.cache
def europe() -> frozenset[str]:
    """Codes that count as EUR: the region itself, and the 27 members of the European Union of 2009."""
    rows = read_table(DATA / "wiod_regions_5.csv", ("code_from", "code", "name"))
    members = {country for country, region, _ in rows if region == "EU"}
    return frozenset(members | {"EU", "EUR", "ROU"})  # ROM is the source's code of Romania, ROU that of the standard


def members(codes: Iterable[str], group: str) -> tuple[str, ...]:
    """Codes that belong to a group, in the order given.

    Parameters
    ----------
    codes : iterable of str
        Countries or regions of a panel, each counted once.
    group : str
        One of ``GROUPS``. NONCHN is everything but China.

    Raises
    ------
    DataError
        If there is no such group.
    """
    given = dict.fromkeys(codes)
    if group == "ALL":
        return tuple(given)
    if group == "NONCHN":
        return tuple(code for code in given if code != "CHN")
    if group == "EUR":
        return tuple(code for code in given if code in europe())
    if group in GROUPS:
        return tuple(code for code in given if code == group)
    raise DataError(f"no group {group!r}; known: {', '.join(GROUPS)}")


def mistaken(code: str) -> str:
    """What is wrong with a code of a country or region, and what to write; empty if nothing is."""
    if _CODE.fullmatch(code):
        return ""
    meant = _MEANT.get(code.upper()) or (code.upper() if re.fullmatch("[A-Za-z]{3}", code, re.ASCII) else "")
    advice = f"write {meant}" if meant else "write an ISO 3166 code of three capital letters, or EUR, ROW"
    return f"{code!r} is not a code of a country or region ({advice})"
