"""Tables of static equilibria for reading: short for a few regions, shorter for many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reesim.cli.quantities import CHANGE, HAT, MONEY, PER_CENT, SHARE, VOLUME, Line, Sheet, Solved
from reesim.results.plan import FEW, leading
from reesim.results.words import without_noise

if TYPE_CHECKING:
    from reesim.labels import Labels

SHOWN = 2 * FEW
"""Regions that a text shows of many."""

_SHORT_UNITS = {MONEY: " (m USD)", PER_CENT: " (%)", HAT: "", SHARE: ""}
_LEADING_SECTORS = 24


@dataclass(frozen=True, slots=True)
class Grid:
    """A table as headings and rows."""

    heads: list[str]
    rows: list[list[object]]


@dataclass(frozen=True, slots=True)
class Shown:
    """Which regions a text shows, and what it says of the others.

    Parameters
    ----------
    codes : tuple of str
        In the order in which they are shown.
    across : bool
        Whether regions stand beside each other; many stand below each other.
    left : str
        What is left out, in words; empty if nothing is.
    """

    codes: tuple[str, ...]
    across: bool
    left: str

    @property
    def columns(self) -> list[str]:
        """Regions that fit beside each other."""
        return list(self.codes[:FEW])


def many(
    regions: Labels, welfare: Sequence[NDArray[np.float64]], named: frozenset[str], *, everyone: bool = False
) -> Shown:
    """Choose the regions to show: all of a few; of many those that the policy names, then those whose welfare moves most."""
    moved = np.abs(np.array(welfare)).max(axis=0)
    across = len(regions) <= FEW
    if everyone or across:
        order = sorted(range(len(regions)), key=lambda i: (regions.codes[i] not in named, -moved[i], i))
        return Shown(tuple(regions.codes[i] for i in (range(len(regions)) if across else order)), across, "")
    kept = leading(regions, moved, named, most=SHOWN)
    rest = [i for i in range(len(regions)) if i not in kept]
    if not rest:
        return Shown(tuple(regions.codes[i] for i in kept), across, "")
    far = 100.0 * moved[rest].max()
    left = (
        f"{len(rest)} regions, whose welfare moves by {far:.2g} % at most. --all-regions shows them, --json everything"
    )
    return Shown(tuple(regions.codes[i] for i in kept), across, left)


def side_by_side(sheet: Sheet, place: Shown) -> list[Grid]:
    """Shorten a sheet for reading: units in the names, each name once, no lines of mere zeros, no round-off.

    Returns
    -------
    list of Grid
        One, with a column a region; or one for each technology, with a row a region.
    """
    lines = _worth_reading(sheet.lines)
    positions = [sheet.regions.index(code) for code in place.codes]
    kinds = list(dict.fromkeys(line.technology for line in lines))
    if not place.across:
        return [_down([line for line in lines if line.technology == kind], place, positions, kind) for kind in kinds]
    alone = kinds == ["none"]
    rows, last = [], ""
    for line in lines:
        words = line.quantity + _SHORT_UNITS[line.unit]
        rows.append(["" if words == last else words, *([] if alone else [line.technology]), *line.values[positions]])
        last = words
    return [Grid(["", *([] if alone else ["technology"]), *place.codes], rows)]


def _worth_reading(lines: Sequence[Line]) -> list[Line]:
    """Lines without round-off; those of money, and channels, where there is any of it, the rest always."""
    quiet = [
        replace(line, values=without_noise(line.values)) if line.unit in (PER_CENT, SHARE) else line for line in lines
    ]
    moved = {line.quantity for line in quiet if (np.nan_to_num(line.values) != 0.0).any()}
    level = {(line.quantity, line.technology): line.values for line in quiet}
    # A change from nothing says what the level says.
    said = {
        line.quantity
        for line in quiet
        if np.array_equal(line.values, level.get((line.quantity.removesuffix(CHANGE), line.technology), np.nan))
        and line.quantity.endswith(CHANGE)
    }
    always = {line.quantity for line in quiet if line.unit not in (MONEY, SHARE)} - {VOLUME}
    return [line for line in quiet if line.quantity in (moved - said) | always | {"Welfare"}]


def _down(lines: Sequence[Line], place: Shown, positions: Sequence[int], kind: str) -> Grid:
    """Regions below each other, quantities beside each other."""
    heads = [line.quantity + _SHORT_UNITS[line.unit] for line in lines]
    rows = [[code, *(line.values[at] for line in lines)] for code, at in zip(place.codes, positions, strict=True)]
    return Grid(["" if kind == "none" else f"{kind} technology", *heads], rows)


def sold_by_sector(found: Sequence[Solved], place: Shown) -> Iterator[tuple[str, Grid]]:
    """Quantities sold by sector, a column for each of the first regions, the sectors that move most; with a title."""
    for one in found:
        labels = one.equilibrium.sectors
        at = [one.equilibrium.regions.index(code) for code in place.columns]
        change = without_noise(one.equilibrium.change("revenue_real")[at])
        kept = sorted(leading(labels, np.nan_to_num(np.abs(change)).max(axis=0), most=_LEADING_SECTORS))
        left = len(labels) - len(kept)
        rest = f"; {left} sectors that move less are left out" if left else ""
        kind = "" if one.technology == "none" else f", {one.technology} technology"
        rows = [[labels.names[s], *change[:, s]] for s in kept]
        yield f"Quantities sold (% of baseline){kind}{rest}:", Grid(["", *place.columns], rows)
