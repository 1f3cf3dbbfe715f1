"""The table of estimates beside the slides', in Markdown, LaTeX and HTML: one set of cells, three ways to print it."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from reesim.empirics.structural.fit import SectorFit, StructuralFit
from reesim.empirics.tables import escape_latex
from reesim.scenario import DEFAULT_SECTORS, default_world

HEAD = ("Sector", "ε", "s.e.", "95 % interval", "ε, slides", "γ", "γ, slides", "κ", "cells", "regions", "first-stage F")


def cells(fit: StructuralFit) -> list[tuple[str, ...]]:
    """Rows of the table, header first, sectors by epsilon."""
    ordered = sorted(fit.sectors, key=lambda one: (not one.admissible, one.epsilon[0]))
    level = f"{100 * fit.specification.level:g} % interval"
    head = tuple(level if name == HEAD[3] else name for name in HEAD)
    return [head, *(_row(one) for one in ordered)]


def markdown(fit: StructuralFit) -> str:
    """Table with its notes below."""
    head, *rows = cells(fit)
    lines = [_bars(head), _bars(["---", *["---:"] * (len(head) - 1)]), *(_bars(row) for row in rows)]
    return "\n".join([*lines, "", *notes(fit)]) + "\n"


def latex(fit: StructuralFit) -> str:
    """A tabular for a document that loads booktabs."""
    head, *rows = cells(fit)
    body = [" & ".join(map(escape_latex, row)) + r" \\" for row in rows]
    top = ["% needs \\usepackage{booktabs}", r"\begin{tabular}{l" + "r" * (len(head) - 1) + "}", r"\toprule"]
    foot = [r"\bottomrule", r"\end{tabular}", *(f"% {escape_latex(line)}" for line in notes(fit))]
    return "\n".join([*top, " & ".join(map(escape_latex, head)) + r" \\", r"\midrule", *body, *foot]) + "\n"


def page(fit: StructuralFit) -> str:
    """Table as HTML that needs nothing else."""
    head, *rows = cells(fit)
    lines = ["<!DOCTYPE html>", '<html lang="en"><head><meta charset="utf-8"><title>Structural estimates</title></head><body>',
             "<table>", _tr(head, "th"), *(_tr(row, "td") for row in rows), "</table>",
             *(f"<p>{html.escape(line)}</p>" for line in notes(fit)), "</body></html>"]  # fmt: skip
    return "\n".join(lines) + "\n"


def notes(fit: StructuralFit) -> list[str]:
    """What stands below the table."""
    return [f"{fit.source}.", f"{fit.specification}.", *fit.remarks()]


def _row(one: SectorFit) -> tuple[str, ...]:
    theirs = default_world().elasticities.get(one.sector)
    known = theirs is not None and theirs[1] > 0.0
    deck = (f"{theirs[0]:.3f}", f"{theirs[1]:.5f}") if known and theirs is not None else ("–", "–")
    interval = f"{_number(one.epsilon[2])} to {_number(one.epsilon[3])}"
    weight = f"{one.gamma:.5f}" if np.isfinite(one.log_odds_gamma[0]) else "–"
    first = "–" if np.isnan(one.line.first_stage) else f"{one.line.first_stage:.1f}"
    return (
        sector_name(one.sector), _number(one.epsilon[0]), _number(one.epsilon[1]), interval, deck[0], weight, deck[1],
        _number(one.kappa[0]), f"{one.line.observations:,}", str(len(one.line.regions)), first,
    )  # fmt: skip


def sector_name(code: str) -> str:
    """Full name of a sector of the embedded table; any other is called by its code."""
    return DEFAULT_SECTORS.names[DEFAULT_SECTORS.codes.index(code)] if code in DEFAULT_SECTORS.codes else code


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "–"


def _bars(row: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _tr(row: Sequence[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in row)}</tr>"
