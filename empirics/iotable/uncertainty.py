"""How far unverified inputs may be off, stated in a table, and draws from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from reesim.data.csvfiles import parse_number
from reesim.empirics.iotable.inputs import rows_of
from reesim.empirics.iotable.material import Cell, Inputs, Selection
from reesim.errors import DataError

RULES = {
    "factor": "between 1/size and size times the number, uniform in logarithms",
    "span": "up to size above or below, uniform, within the bounds of the number",
    "range": "between the quoted low and high, uniform",
}

DRAWN = ("tonnes.csv", "us_share.csv", "prices.csv", "complementarity.csv")
"""Tables with numbers that can be drawn."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How numbers of a table with a status are drawn; one of `RULES`."""

    rule: str
    size: float
    reason: str


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Rules by table and status; numbers without a rule stay as they are."""

    rules: Mapping[tuple[str, str], Rule]

    def draw(self, selection: Selection, rng: np.random.Generator) -> Selection:
        """Return the selection with every number under a rule drawn anew, once."""
        drawn = tuple(self._value(cell, selection.inputs, rng) for cell in selection.cells)
        return selection.with_values(drawn)

    def _value(self, cell: Cell, inputs: Inputs, rng: np.random.Generator) -> Cell:
        rule = self.rules.get((cell.table, cell.status))
        if rule is None:
            return cell
        if rule.rule == "factor":
            value = cell.value * rule.size ** rng.uniform(-1.0, 1.0)
        elif rule.rule == "span":
            value = rng.uniform(max(cell.value - rule.size, cell.low), min(cell.value + rule.size, cell.high))
        else:
            value = rng.uniform(*cell.quoted)
        return replace(cell, value=float(min(max(value, cell.low), cell.high)))

    def lines(self) -> list[str]:
        """Say what is drawn and how."""
        return [
            f"{table}, status {status}: {RULES[rule.rule].replace('size', f'{rule.size:g}')} ({rule.reason})"
            for (table, status), rule in self.rules.items()
        ]


def read_uncertainty(folder: str | Path) -> Uncertainty:
    """Read ``uncertainty.csv``: columns table, status, rule, size, reason.

    Raises
    ------
    DataError
        If a rule is not known, stands there twice, or its size makes no sense.
    """
    rules: dict[tuple[str, str], Rule] = {}
    file = Path(folder) / "uncertainty.csv"
    for number, row in rows_of(file, ("table", "status", "rule", "size", "reason")):
        place = f"{file}: row {number}"
        if row["table"] not in DRAWN:
            raise DataError(f"{place}, column 'table': {row['table']!r} should be one of {', '.join(DRAWN)}")
        if row["rule"] not in RULES:
            raise DataError(f"{place}, column 'rule': {row['rule']!r} should be one of {', '.join(RULES)}")
        size, key = parse_number(row["size"], file, number, "size"), (row["table"], row["status"])
        if size < (1.0 if row["rule"] == "factor" else 0.0):
            raise DataError(f"{place}, column 'size': {size:g} is too small for rule {row['rule']}")
        if key in rules:
            raise DataError(f"{place}: {', '.join(key)} stands there twice")
        if row["rule"] == "range" and row["table"] != "prices.csv":
            raise DataError(f"{place}, column 'rule': only prices.csv quotes a low and a high")
        rules[key] = Rule(row["rule"], size, row["reason"])
    return Uncertainty(rules)
