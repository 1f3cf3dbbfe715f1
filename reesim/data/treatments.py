"""Named treatments of tables that no model can use as they stand; each leaves a record in words.

Negative cells are those of the composite table, after aggregation: a trade flow, materials or final demand below zero,
nearly always inventories drawn down. Losses are sectors that sell something without value added, or buy materials and
sell nothing. What is recorded is what was done: how many cells, how much money.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import TypeVar

import numpy as np

from reesim.data.composite import KEPT, TradeTable, require_usable
from reesim.data.csvfiles import listed
from reesim.data.grouping import Array, Mask
from reesim.errors import DataError

Choice = TypeVar("Choice", bound=Enum)

MAX_ROUNDS = 10_000
"""Rounds of spending before materials are said to take up everything."""

DIVERGED = 1e6
"""Growth of a round over the first from which the sum has no end."""


class Negatives(str, Enum):  # noqa: UP042 - what older typers accept as a choice
    """What is done with negative cells."""

    REFUSE = "refuse"
    """Name them and stop."""
    ZERO = "zero"
    """Set them to zero; output is the new row sum and value added takes the difference."""
    PRODUCE = "produce"
    """Final demand to zero: what was drawn from stock is produced. Output is recomputed, shares of value added stay."""
    SHARES = "shares"
    """As ``produce``, and the level of each region's final demand is such that its value added stays."""
    KEEP = "keep"
    """Leave materials and final demand below zero; refuse trade flows below zero."""


class Losses(str, Enum):  # noqa: UP042
    """What is done with sectors without value added."""

    REFUSE = "refuse"
    """Name them and stop."""
    AVERAGE = "average"
    """Give them the sector's share of value added over all regions; the materials freed become final demand there."""


def treat(
    table: TradeTable, negatives: Negatives | str = Negatives.REFUSE, losses: Losses | str | None = None
) -> TradeTable:
    """Apply the named treatments and return a table that the model can use, with their record.

    Parameters
    ----------
    table : TradeTable
        Any composite table; one without anything to treat is returned as it is.
    negatives : Negatives or str
        Treatment of negative cells.
    losses : Losses or str, optional
        Treatment of sectors without value added. Default: ``average`` where `negatives` changes numbers (``zero``,
        ``produce``, ``shares``), since dropping stocks lays such sectors bare; ``refuse`` otherwise.

    Raises
    ------
    DataError
        If a treatment is not known, or cells remain from which no shares can be taken.
    """
    chosen = member(Negatives, negatives)
    changing = chosen in (Negatives.ZERO, Negatives.PRODUCE, Negatives.SHARES)
    lossy = member(Losses, losses or (Losses.AVERAGE if changing else Losses.REFUSE))
    if chosen in (Negatives.PRODUCE, Negatives.SHARES) and _any_negative(table):
        # Coefficients are those of the table as it stands, so losses are seen to first.
        if lossy is Losses.AVERAGE:
            table = _average(table)
        table = _produce(table, chosen)
    elif chosen is Negatives.ZERO:
        table = _zero(table)
    if chosen is not Negatives.REFUSE:
        table = _keep_inputs(table)
    if lossy is Losses.AVERAGE:
        table = _average(table)
    require_usable(table, table.title)
    return table


def _any_negative(table: TradeTable) -> bool:
    return bool((table.trade_jis < 0.0).any() or (table.final_is < 0.0).any())


def _money(array: Array) -> str:
    below = array[array < 0.0]
    return f"{below.size} cell{'s' * (below.size != 1)} below zero ({below.sum():.6g} million USD)"


def _scaled_trade(table: TradeTable, uses_is: Array, touched: Mask) -> Array:
    """Flows without the negative ones, scaled where `touched` so that each importer buys what it uses."""
    trade = np.maximum(table.trade_jis, 0.0)
    bought = (trade * (1.0 + table.tariff_jis)).sum(axis=0)
    lost = touched & (bought == 0.0) & (uses_is != 0.0)
    if lost.any():
        raise DataError(
            f"{table.title}: composites are used but have no supplier left: "
            f"{listed(table.cells('use', lost, uses_is))}. Aggregate further"
        )
    factor = np.divide(uses_is, bought, out=np.ones_like(bought), where=touched & (bought != 0.0))
    return trade * factor


def _zero(table: TradeTable) -> TradeTable:
    parts = {"trade": table.trade_jis, "materials": table.materials_iks, "final demand": table.final_is}
    told = [f"{_money(array)} of {name}" for name, array in parts.items() if (array < 0.0).any()]
    if not told:
        return table
    materials, final = np.maximum(table.materials_iks, 0.0), np.maximum(table.final_is, 0.0)
    touched = (table.trade_jis < 0.0).any(axis=0) | (table.materials_iks < 0.0).any(axis=1) | (table.final_is < 0.0)
    trade = _scaled_trade(table, materials.sum(axis=1) + final, touched)
    record = (
        f"negatives zero: {', '.join(told)} set to zero; flows of the same importers and goods scaled to what is used, "
        f"world output from {table.trade_jis.sum():.9g} to {trade.sum():.9g}"
    )
    return replace(
        table, trade_jis=trade, materials_iks=materials, final_is=final, treatments=(*table.treatments, record)
    )


def _produce(table: TradeTable, how: Negatives) -> TradeTable:
    """Final demand without its negative cells, produced with the table's own coefficients and trade shares."""
    uses = table.uses_is
    share = _scaled_trade(table, np.ones_like(uses), _bought(table))
    output = table.output_js
    inputs = np.divide(
        table.materials_iks, output[:, :, None], out=np.zeros_like(table.materials_iks), where=output[:, :, None] > 0.0
    )
    final = np.maximum(table.final_is, 0.0)
    lost = (final > 0.0) & ~_bought(table)
    if lost.any():
        raise DataError(
            f"{table.title}: final demand has no supplier: {listed(table.cells('final_is', lost))}. Aggregate further"
        )
    if how is Negatives.SHARES:
        final = final * _levels(table, share, inputs, final)[:, None]
    sales = _rounds(lambda sold: _sold(share, inputs, sold), (share * final).sum(axis=1)[:, :, None], table.title)
    materials = inputs * sales[:, :, 0][:, :, None]
    trade = share * (materials.sum(axis=1) + final)
    level = "each region's value added kept" if how is Negatives.SHARES else "levels of final demand kept"
    parts = {"final demand": table.final_is, "trade": table.trade_jis}
    told = " and ".join(f"{_money(array)} of {name}" for name, array in parts.items() if (array < 0.0).any())
    record = (
        f"negatives {how.value}: {told} set to zero, {level}, output recomputed with the table's coefficients and trade shares: "
        f"from {table.trade_jis.sum():.9g} to {trade.sum():.9g}"
    )
    return replace(
        table, trade_jis=trade, materials_iks=materials, final_is=final, treatments=(*table.treatments, record)
    )


def _bought(table: TradeTable) -> Mask:
    bought: Mask = np.asarray((table.trade_jis > 0.0).any(axis=0))
    return bought


def _sold(share_jis: Array, inputs_iks: Array, sales_ism: Array) -> Array:
    """Sales of materials that given sales call for: (N, S, M) of each column m of sales."""
    bought_sim = np.matmul(inputs_iks.transpose(0, 2, 1), sales_ism).transpose(1, 0, 2)
    sold: Array = np.matmul(share_jis.transpose(2, 0, 1), bought_sim).transpose(1, 0, 2)
    return sold


def _rounds(step: Callable[[Array], Array], first: Array, title: str) -> Array:
    """The Leontief inverse applied to `first`: the sum of all rounds of spending."""
    total, added = first.copy(), first
    for _ in range(MAX_ROUNDS):
        added = step(added)
        total += added
        size = np.abs(added).max()
        if size <= 1e-17 * np.abs(total).max():
            return total
        if size > DIVERGED * np.abs(first).max():
            break
    raise DataError(f"{title}: output cannot be recomputed: materials take up all of it. Use losses='average'")


def _levels(table: TradeTable, share_jis: Array, inputs_iks: Array, final_is: Array) -> Array:
    """Factor on each region's final demand such that value added of every region is that of the table, (N,)."""
    n = len(table.regions)
    first = np.ascontiguousarray((share_jis * final_is).transpose(0, 2, 1))
    sales_ism = _rounds(lambda sold: _sold(share_jis, inputs_iks, sold), first, table.title)
    added_im = ((1.0 - inputs_iks.sum(axis=2))[:, :, None] * sales_ism).sum(axis=1)
    try:
        factor: Array = np.linalg.solve(added_im, table.value_added_is.sum(axis=1))
    except np.linalg.LinAlgError as error:
        raise DataError(
            f"{table.title}: no levels of final demand keep value added: a region demands nothing"
        ) from error
    if not (factor > 0.0).all():
        cells = [f"{table.regions.codes[i]} = {factor[i]:.6g}" for i in range(n) if not factor[i] > 0.0]
        raise DataError(
            f"{table.title}: final demand would have to be scaled by {listed(cells)} to keep value added; use 'produce'"
        )
    return factor


def _keep_inputs(table: TradeTable) -> TradeTable:
    """Record which negative cells stay: all of ``keep``, and inputs (which are technology) of the others."""
    parts = {"materials": table.materials_iks, "final demand": table.final_is}
    told = [f"{_money(array)} of {name}" for name, array in parts.items() if (array < 0.0).any()]
    if not told or table.keeps_negatives:
        return table
    record = f"{KEPT}: {', '.join(told)}"
    return replace(table, treatments=(*table.treatments, record))


def _average(table: TradeTable) -> TradeTable:
    output, spent = table.output_js, table.materials_iks.sum(axis=2)
    added = output - spent
    lossy = np.asarray((spent > 0.0) & ((output <= 0.0) | (added <= 0.0)))
    if not lossy.any():
        return table
    sound = ~lossy & (output > 0.0)
    totals = (np.where(sound, added, 0.0).sum(axis=0), np.where(sound, output, 0.0).sum(axis=0))
    share = np.divide(*totals, out=np.ones_like(totals[0]), where=totals[1] > 0.0)
    target = (1.0 - share) * np.maximum(output, 0.0)
    factor = np.where(lossy, target / np.where(lossy, spent, 1.0), 1.0)
    materials = table.materials_iks * factor[:, :, None]
    freed = np.where(lossy[:, :, None], table.materials_iks - materials, 0.0)
    cells = table.cells("value added", lossy, added)
    record = (
        f"losses average: {len(cells)} sector{'s' * (len(cells) != 1)} without value added given the sector's share over "
        "all regions "
        f"({freed.sum():.6g} million USD of materials moved to final demand): {listed(cells)}"
    )
    final = table.final_is + freed.sum(axis=1)
    return replace(table, materials_iks=materials, final_is=final, treatments=(*table.treatments, record))


def member(kind: type[Choice], given: Choice | str) -> Choice:
    """Return the treatment of that name.

    Raises
    ------
    DataError
        If there is none; it lists those that there are.
    """
    try:
        return kind(given)
    except ValueError:
        known = ", ".join(str(one.value) for one in kind)
        raise DataError(f"no treatment {given!r} of {kind.__name__.casefold()}; known: {known}") from None
