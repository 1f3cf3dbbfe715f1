"""World tables whose columns do not add up to their rows: what is done where value added is given beside the flows."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

import numpy as np

from reesim.data.csvfiles import listed
from reesim.data.grouping import Array
from reesim.data.tables import WorldTable
from reesim.data.treatments import member
from reesim.errors import DataError

TOLERANCE = 1e-6
"""Relative difference of materials plus value added from output that counts as published digits."""

RAS_TOLERANCE = 1e-12
MAX_ROUNDS = 10_000


class Unbalanced(str, Enum):  # noqa: UP042 - what older typers accept as a choice
    """What is done where materials plus value added are not output."""

    REFUSE = "refuse"
    """Name the worst columns and stop."""
    RESIDUAL = "residual"
    """Take output minus materials for value added; the value added given is dropped."""
    RAS = "ras"
    """Scale rows and columns in turn until columns cost output minus the value added given and rows sell output."""


def balance(
    table: WorldTable, value_added_is: Array, how: Unbalanced | str = Unbalanced.REFUSE, tariff_jis: Array | None = None
) -> tuple[WorldTable, tuple[str, ...]]:
    """Make a table's columns agree with value added that is given beside the flows.

    Parameters
    ----------
    table : WorldTable
        Output is its row sums.
    value_added_is : ndarray, shape (N, S)
        Value added as published, in the unit of the flows.
    how : Unbalanced or str
        The treatment of differences above 1e-6 of output.
    tariff_jis : ndarray, shape (N, N, S), optional
        Tariffs that users pay on top of the flows.

    Returns
    -------
    WorldTable, tuple of str
        The table, and the record of what was done (nothing, if columns agreed).

    Raises
    ------
    DataError
        If columns differ and are to be refused, or the margins cannot be met.
    """
    chosen = member(Unbalanced, how)
    output = table.output_js
    flows = table.composite(tariff_jis)
    gap = flows.materials_iks.sum(axis=2) + value_added_is - output
    scale = np.maximum(np.abs(output), np.abs(value_added_is))
    wrong = np.abs(gap) > TOLERANCE * scale
    if not wrong.any():
        return table, ()
    worst = f"{int(wrong.sum())} columns, at most {np.abs(gap).max():.6g} million USD"
    if chosen is Unbalanced.RESIDUAL:
        return table, (
            f"unbalanced residual: value added is output minus materials; what was given differs in {worst}",
        )
    if chosen is Unbalanced.RAS:
        if tariff_jis is not None and np.any(tariff_jis):
            raise DataError(f"table of {table.year}: 'ras' needs flows without tariffs on top; use 'residual'")
        return _ras(table, value_added_is, worst)
    order = np.argsort(np.where(wrong, -np.abs(gap), 0.0), axis=None, kind="stable")[: int(wrong.sum())]
    cells = []
    for flat in order:
        i, s = (int(position) for position in np.unravel_index(int(flat), gap.shape))
        where = f"{table.regions.codes[i]}, {table.sectors.codes[s]}"
        cells.append(f"[{where}] output {output[i, s]:.9g}, materials plus value added {output[i, s] + gap[i, s]:.9g}")
    raise DataError(
        f"table of {table.year}: columns do not add up to rows: {listed(cells)}. "
        "Correct the value added, or choose a treatment: residual, ras"
    )


def _ras(table: WorldTable, value_added_is: Array, worst: str) -> tuple[WorldTable, tuple[str, ...]]:
    """Biproportional adjustment: rows to output, columns of sectors to output minus value added, final demand scaled."""
    n, s = len(table.regions), len(table.sectors)
    flows = np.hstack([table.intermediate_jsik.reshape(n * s, n * s), table.final_jsi.reshape(n * s, n)])
    if (flows < 0.0).any():
        raise DataError(
            f"table of {table.year}: 'ras' needs flows that are not negative; {(flows < 0.0).sum()} cells are"
        )
    rows = flows.sum(axis=1)
    inputs = rows - np.asarray(value_added_is, dtype=np.float64).ravel()
    if (inputs < 0.0).any():
        cells = [f"{table.regions.codes[c // s]}, {table.sectors.codes[c % s]}" for c in np.flatnonzero(inputs < 0.0)]
        raise DataError(f"table of {table.year}: value added is more than output in {listed(cells)}; 'ras' cannot help")
    final = flows[:, n * s :].sum(axis=0)
    if not final.sum() > 0.0:
        raise DataError(f"table of {table.year}: 'ras' needs final demand, and there is none")
    # Sales are the same money whether added by rows or by columns, so final demand must be what value added leaves.
    columns = np.concatenate([inputs, final * (float(np.sum(value_added_is)) / final.sum())])
    fitted = flows
    rounds = 0
    for _ in range(MAX_ROUNDS):
        rounds += 1
        fitted = fitted * _ratio(columns, fitted.sum(axis=0))
        sold = fitted.sum(axis=1)
        miss = np.abs(sold - rows).max() / rows.max()
        fitted = fitted * _ratio(rows, sold)[:, None]
        if miss <= RAS_TOLERANCE:
            break
    bought = fitted.sum(axis=0)
    miss = float(np.abs(bought - columns).max() / rows.max())
    if miss > 1e3 * RAS_TOLERANCE:
        c = int(np.argmax(np.abs(bought - columns)))
        where = f"{table.regions.codes[c // s]}, {table.sectors.codes[c % s]}" if c < n * s else "final demand"
        raise DataError(
            f"table of {table.year}: 'ras' does not reach its margins in {rounds} rounds; the column of {where} needs "
            f"{columns[c]:.9g} and has {bought[c]:.9g}. Its zeros do not allow it; use 'residual'"
        )
    record = (
        f"unbalanced ras: rows and columns scaled {rounds} times, margins met to {miss:.1e} of the largest output; "
        f"value added as given, which differed in {worst}; largest change of a flow "
        f"{np.abs(fitted - flows).max():.6g} million USD"
    )
    cut = fitted[:, : n * s].reshape(n, s, n, s)
    return replace(table, intermediate_jsik=cut, final_jsi=fitted[:, n * s :].reshape(n, s, n)), (record,)


def _ratio(target: Array, current: Array) -> Array:
    return np.divide(target, current, out=np.ones_like(current), where=current > 0.0)
