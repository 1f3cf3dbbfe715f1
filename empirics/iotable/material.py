"""What is known of a material, as numbers with sources, and what is chosen from it for one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from reesim.data.facts import UNVERIFIED
from reesim.empirics.iotable.choices import Choices
from reesim.errors import DataError

Array = npt.NDArray[np.float64]

KG_PER_TONNE = 1000.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of an input table, with how sure it is, where it stands, and the bounds that hold whatever is true."""

    table: str
    key: tuple[str, ...]
    value: float
    status: str
    source: str
    low: float
    high: float
    quoted: tuple[float, float]
    """Low and high of a quotation; twice the value where there is one number."""

    @property
    def verified(self) -> bool:
        """Whether it was read in a source or derived from what was; choices of ours are neither right nor wrong."""
        return self.status != "M"


@dataclass(frozen=True, slots=True)
class Product:
    """Part of an industry that is split off because it holds the material, and who buys it."""

    code: str
    industry: str
    sic: str
    """SIC industry that makes it, or empty: it then counts in all that share the industry."""
    users: Mapping[str, float]
    """Share of what a user buys from the industry that is this product."""


@dataclass(frozen=True, slots=True)
class Donor:
    """From where purchases move if an industry's cell is smaller than the material it needs."""

    receiver: str
    industry: str
    commodity: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Input tables of one material as they stand, before anything is chosen.

    Parameters
    ----------
    elements : mapping of str to str
        Names by symbol.
    commodity : str
        Commodity out of which the elements' rows come.
    applications : mapping of str to bool
        Whether an application is one of the default ones.
    tonnes : mapping of (application, element) to Cell
        World use, tonnes a year.
    shares : mapping of (variant, application) to Cell
        Share of the United States in that use.
    prices : mapping of (vintage, element) to Cell
        Unit price, USD per kg: the middle of the quoted range.
    uses : mapping of application to mapping of industry to weight
        Who buys it; a weight of None is the industry's own purchases of the commodity.
    products : tuple of Product
    donors : tuple of Donor
        In order of use.
    scores : mapping of str to Cell
        Complementarity by element, 0 (perfect substitute) to 100 (none), (25).
    guesses : mapping of str to int
        Rows from memory in the tables that hold no numbers to draw: who buys, what is split off, donors.
    """

    folder: Path
    elements: Mapping[str, str]
    commodity: str
    applications: Mapping[str, bool]
    tonnes: Mapping[tuple[str, ...], Cell]
    shares: Mapping[tuple[str, ...], Cell]
    prices: Mapping[tuple[str, ...], Cell]
    uses: Mapping[str, Mapping[str, float | None]]
    products: tuple[Product, ...]
    donors: tuple[Donor, ...]
    scores: Mapping[str, Cell]
    guesses: Mapping[str, int] = field(default_factory=dict)

    @property
    def vintages(self) -> tuple[str, ...]:
        """Names of the price vintages."""
        return tuple(dict.fromkeys(key[0] for key in self.prices))

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the variants of the shares."""
        return tuple(dict.fromkeys(key[0] for key in self.shares))

    def choose(self, choices: Choices) -> Selection:
        """Pick a vintage, a variant and the applications.

        Raises
        ------
        DataError
            If there is no such vintage or variant, or an element or application has no number in it.
        """
        for name, kind, known in (
            (choices.prices, "price vintage", self.vintages),
            (choices.us_share, "variant of the shares", self.variants),
        ):
            if name not in known:
                raise DataError(f"{self.folder}: no {kind} {name!r}; known: {', '.join(known)}")
        picked = tuple(name for name, default in self.applications.items() if default or choices.applications == "all")
        elements = tuple(self.elements)
        used = (
            *(_found(self.prices, (choices.prices, element), "prices.csv", self.folder) for element in elements),
            *(_found(self.shares, (choices.us_share, name), "us_share.csv", self.folder) for name in picked),
            *(cell for key, cell in self.tonnes.items() if key[0] in picked),
            *(self.scores[element] for element in elements),
        )
        return Selection(self, elements, picked, used)


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Numbers chosen for one table.

    Parameters
    ----------
    inputs : Inputs
    elements, applications : tuple of str
        E elements and A applications, the axes of the arrays.
    cells : tuple of Cell
        All numbers that go in: prices, shares, tonnes and scores.
    """

    inputs: Inputs
    elements: tuple[str, ...]
    applications: tuple[str, ...]
    cells: tuple[Cell, ...]

    def with_values(self, cells: tuple[Cell, ...]) -> Selection:
        """Return the same selection with other numbers."""
        return replace(self, cells=cells)

    def _of(self, table: str) -> dict[tuple[str, ...], float]:
        return {cell.key: cell.value for cell in self.cells if cell.table == table}

    @property
    def tonnes_ea(self) -> Array:
        """World use, (E, A), tonnes a year."""
        tonnes = self._of("tonnes.csv")
        return np.array([[tonnes.get((name, element), 0.0) for name in self.applications] for element in self.elements])

    @property
    def share_a(self) -> Array:
        """Share of the United States by application, (A,)."""
        shares = {key[-1]: value for key, value in self._of("us_share.csv").items()}
        return np.array([shares[name] for name in self.applications])

    @property
    def price_e(self) -> Array:
        """Unit prices, (E,), USD per kg."""
        prices = {key[-1]: value for key, value in self._of("prices.csv").items()}
        return np.array([prices[element] for element in self.elements])

    @property
    def score_e(self) -> Array:
        """Complementarity, (E,), 0 to 100."""
        scores = self._of("complementarity.csv")
        return np.array([scores[element,] for element in self.elements])

    @property
    def value_ea(self) -> Array:
        """What the United States spends, (E, A), USD: tonnes times share times price."""
        value: Array = self.tonnes_ea * KG_PER_TONNE * self.share_a * self.price_e[:, None]
        return value

    @property
    def unverified(self) -> tuple[Cell, ...]:
        """Numbers from memory among those that go in."""
        return tuple(cell for cell in self.cells if not cell.verified)

    def summary(self) -> str:
        """Say how many numbers are unverified or assumed, and where."""
        assumed = tuple(cell for cell in self.cells if cell.status == "A")
        said: list[str] = []
        for word, cells in ((UNVERIFIED, self.unverified), ("assumed", assumed)):
            whole = "" if said else f" of {len(self.cells)} input numbers"
            if cells:
                said.append(f"{len(cells)}{whole} are {word} ({', '.join(sorted({cell.table for cell in cells}))})")
        rows = [f"{count} rows of {table} are {UNVERIFIED}" for table, count in self.inputs.guesses.items()]
        return ", ".join([*said, *rows]) or f"all {len(self.cells)} input numbers have a source that was read"


def _found(cells: Mapping[tuple[str, ...], Cell], key: tuple[str, ...], name: str, folder: Path) -> Cell:
    if key not in cells:
        raise DataError(f"{folder / name}: nothing for {', '.join(key)}")
    return cells[key]
