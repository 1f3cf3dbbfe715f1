"""The table of estimates beside the slides'."""

from __future__ import annotations

import numpy as np

from reesim.empirics import tables
from reesim.empirics.structural.fit import SectorFit, StructuralFit
from reesim.scenario import DEFAULT_SECTORS, default_world

ABSENT = "–"


def table(fit: StructuralFit) -> tables.Table:
    """Rows are sectors by epsilon, those without one last."""
    ordered = sorted(fit.sectors, key=lambda one: (not one.admissible, one.epsilon[0]))
    level = f"{100 * fit.specification.level:g} % interval"
    return tables.Table(
        title="Elasticities of substitution by sector, (24)", corner="Sector", numbered=False,
        headings=("ε", "s.e.", level, "ε, slides", "γ", "γ, slides", "κ", "cells", "regions", "first-stage F"),
        rows=tuple(tables.Row(sector_name(one.sector), _cells(one)) for one in ordered),
        notes=(f"{fit.source}.", f"{fit.specification}.", *fit.remarks()),
    )  # fmt: skip


def sector_name(code: str) -> str:
    """Full name of a sector of the embedded table; any other is called by its code."""
    return DEFAULT_SECTORS.names[DEFAULT_SECTORS.codes.index(code)] if code in DEFAULT_SECTORS.codes else code


def _cells(one: SectorFit) -> tuple[str, ...]:
    theirs = default_world().elasticities.get(one.sector)
    known = theirs is not None and theirs[1] > 0.0
    deck = (f"{theirs[0]:.3f}", f"{theirs[1]:.5f}") if known and theirs is not None else (ABSENT, ABSENT)
    interval = f"{_number(one.epsilon[2])} to {_number(one.epsilon[3])}"
    weight = f"{one.gamma:.5f}" if np.isfinite(one.log_odds_gamma[0]) else ABSENT
    first = ABSENT if np.isnan(one.line.first_stage) else f"{one.line.first_stage:.1f}"
    return (
        _number(one.epsilon[0]), _number(one.epsilon[1]), interval, deck[0], weight, deck[1], _number(one.kappa[0]),
        f"{one.line.observations:,}", str(len(one.line.regions)), first,
    )  # fmt: skip


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else ABSENT
