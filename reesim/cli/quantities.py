"""Numbers of static equilibria as tables: key figures and channels by region, changes by sector.

Plain rows, not data frames: a question of comparative statics is answered before pandas would be loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reesim.results.provenance import has_rare_earths

if TYPE_CHECKING:
    from reesim.decomposition import TradeDecomposition, WelfareDecomposition
    from reesim.equilibrium import Equilibrium
    from reesim.labels import Labels

Named = tuple[str, str, NDArray[np.float64]]

MONEY = "million USD a year"
PER_CENT = "% of baseline"
HAT = "baseline = 1"
SHARE = "% of baseline income"
TERMS_OF_TRADE = "terms of trade in goods, first order"
VOLUME = "volume of trade, first order"
CHANGE = ", change"

_REVENUES = (
    ("tariff revenue", "tariff_revenue"),
    ("revenue of taxes on exports of goods", "export_tax_revenue"),
    ("cost of subsidies", "subsidy_cost"),
)
_RENTS = (
    ("export tax on sales to", "ree_tax_revenue"),
    ("quota rent on sales to", "ree_quota_rent"),
    ("embargo rent on sales to", "ree_embargo_rent"),
)
_BY_SECTOR = ("revenue", "revenue_real", "exports", "exports_real", "posted_price", "price_index", "A_R", "A_L")


@dataclass(frozen=True, slots=True)
class Solved:
    """A static equilibrium with the two decompositions of its change of welfare."""

    equilibrium: Equilibrium
    welfare: WelfareDecomposition
    trade: TradeDecomposition

    @property
    def technology(self) -> str:
        """Of the equilibrium."""
        return self.equilibrium.technology


@dataclass(frozen=True, slots=True)
class Line:
    """One quantity under one technology, (N,)."""

    quantity: str
    unit: str
    technology: str
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Lines by region; the technologies of a quantity stand together."""

    regions: Labels
    lines: tuple[Line, ...]

    def records(self, name: str = "quantity") -> list[dict[str, object]]:
        """One record a number; ``name`` is what a quantity is called."""
        return [
            {
                name: line.quantity,
                "unit": line.unit,
                "technology": line.technology,
                "region": region,
                "value": float(line.values[position]),
            }
            for position, region in enumerate(self.regions)
            for line in self.lines
        ]


def table_of(found: Sequence[Solved], sectors: Sequence[str], *, named: bool = False) -> Sheet:
    """Put static equilibria side by side.

    Parameters
    ----------
    found : sequence of Solved
        Of the same scenario and date, one for each technology.
    sectors : sequence of str
        Codes or names of the sectors that have lines of their own: the direction of technology where there are rare earths.
    named : bool
        Whether these sectors have lines on sales, exports and prices too.

    Raises
    ------
    LabelError
        If there is no such sector.
    """
    return _together(found, [list(_quantities(one, sectors, named)) for one in found])


def channels_of(found: Sequence[Solved]) -> Sheet:
    """Terms of the welfare decomposition with remainder and total, in per cent of baseline income."""
    from reesim.decomposition import TERMS

    blocks: list[list[Named]] = []
    for one in found:
        terms = [(words, SHARE, 100.0 * one.welfare.terms[name]) for name, words in TERMS.items()]
        rest = [("Remainder", one.welfare.remainder_i), ("Welfare", one.welfare.welfare_i)]
        blocks.append([*terms, *((words, SHARE, 100.0 * value) for words, value in rest)])
    return _together(found, blocks)


def trade_of(found: Sequence[Solved]) -> list[dict[str, object]]:
    """Terms and volume of trade, exact changes of the real wage and of real income by technology and region, per cent."""
    records: list[dict[str, object]] = []
    for one in found:
        trade = one.trade
        columns = {
            "terms_of_trade": trade.terms_of_trade_i,
            "volume_of_trade": trade.volume_of_trade_i,
            "terms_and_volume": trade.welfare_i,
            "real_wage": trade.real_wage_i,
            "real_income": trade.real_income_i,
        }
        for position, region in enumerate(trade.regions):
            numbers = {name: 100.0 * float(value[position]) for name, value in columns.items()}
            records.append({"technology": one.technology, "region": region, **numbers})
    return records


def sectors_of(found: Sequence[Solved]) -> list[dict[str, object]]:
    """Changes by technology, region and sector, per cent; missing where there is nothing at the baseline."""
    records: list[dict[str, object]] = []
    for one in found:
        names = _BY_SECTOR if one.technology == "endogenous" else _BY_SECTOR[:-2]
        columns = {f"{name}_pct": one.equilibrium.change(name) for name in names}
        for i, region in enumerate(one.equilibrium.regions):
            for s, sector in enumerate(one.equilibrium.sectors):
                numbers = {name: float(value[i, s]) for name, value in columns.items()}
                records.append({"technology": one.technology, "region": region, "sector": sector, **numbers})
    return records


def _together(found: Sequence[Solved], blocks: Sequence[Sequence[Named]]) -> Sheet:
    lines = [
        Line(quantity, unit, one.technology, values)
        for entries in zip(*blocks, strict=True)
        for one, (quantity, unit, values) in zip(found, entries, strict=True)
    ]
    return Sheet(found[0].equilibrium.regions, tuple(lines))


def _quantities(one: Solved, sectors: Sequence[str], named: bool) -> Iterator[Named]:
    """Name, unit and values by region of each line of the table."""
    equilibrium, trade = one.equilibrium, one.trade
    rare = has_rare_earths(equilibrium.choices)
    for position in dict.fromkeys(equilibrium.sectors.index(label) for label in sectors):
        yield from _sector(equilibrium, position, rare=rare, named=named)
    yield "welfare", PER_CENT, 100.0 * equilibrium.array("welfare")
    yield "real wage", PER_CENT, 100.0 * trade.real_wage_i
    yield TERMS_OF_TRADE, PER_CENT, 100.0 * trade.terms_of_trade_i
    yield VOLUME, PER_CENT, 100.0 * trade.volume_of_trade_i
    yield "real GDP", PER_CENT, equilibrium.change("real_gdp")
    yield "exports", PER_CENT, _total_change(equilibrium, "exports")
    yield "exports, quantity", PER_CENT, _total_change(equilibrium, "exports_real")
    if rare:
        yield "price paid for rare earths", HAT, equilibrium.array("ree_price")
        yield "use of rare earths", PER_CENT, equilibrium.change("ree_use")
    for quantity, name in _REVENUES:
        yield quantity, MONEY, equilibrium.array(name)
        yield f"{quantity}{CHANGE}", MONEY, equilibrium.array(name) - equilibrium.baseline[name]
    for quantity, name in _RENTS if rare else ():
        yield quantity, MONEY, equilibrium.array(name)


def _sector(equilibrium: Equilibrium, position: int, *, rare: bool, named: bool) -> Iterator[Named]:
    name = equilibrium.sectors.names[position]
    if rare:
        ratio = equilibrium.array("A_R") / equilibrium.array("A_L")
        yield f"A_R/A_L, {name}", HAT, ratio[:, position]
    if named:
        yield f"sales, quantity, {name}", PER_CENT, equilibrium.change("revenue_real")[:, position]
        yield f"exports, quantity, {name}", PER_CENT, equilibrium.change("exports_real")[:, position]
        yield f"price of producers, {name}", PER_CENT, equilibrium.change("posted_price")[:, position]


def _total_change(equilibrium: Equilibrium, name: str) -> NDArray[np.float64]:
    """Change of a sum over sectors, per cent."""
    before = equilibrium.baseline[name].sum(axis=1)
    now = equilibrium.array(name).sum(axis=1)
    share: NDArray[np.float64] = np.divide(now, before, out=np.full_like(now, np.nan), where=before != 0.0)
    return 100.0 * (share - 1.0)
