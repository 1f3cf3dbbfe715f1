"""Paths made of formulas, for tests of results, files and comparisons: no simulation behind them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from reesim.labels import Labels
from reesim.results.path import Path, Provenance
from reesim.variables import VARIABLES

REGIONS = Labels("region", ("CHN", "JPN", "ROW"), ("China", "Japan", "Rest of the world – übrige"))
SECTORS = Labels("sector", ("TRA", "SER"), ("Transport equipment", "Services"))

SCENARIO = """schema: reesim.scenario/1   # a comment, kept
name: made_up
policies:
- type: export_tax
  rate: 2.0
  note: 'Größe; "<script>" 稀土'
"""

PROVENANCE = Provenance(
    name="made_up",
    title="A path made of formulas",
    scenario_text=SCENARIO,
    effective_scenario=SCENARIO,
    overrides={"calendar.end": "2015-12", "adjustment.entry": float("inf"), "parameters.epsilon": {"TRA": 0.774}},
    calibration_hash="0123abcd",
    choices={"ree_shares": "deck", "delta": "0"},
    rules={"entry": "default", "pricing": "default", "switching": "default"},
    versions={"reesim": "0.1.0", "numpy": "2"},
    substeps=2,
    created="2026-01-02T03:04:05+00:00",
    stability={"stable": True, "spectral_abscissa": -0.25, "half_life_years": 2.77},
)

UNSTABLE = replace(PROVENANCE, stability={"stable": False, "spectral_abscissa": 0.125, "half_life_years": float("inf")})


def values(times: int = 24, names: tuple[str, ...] | None = None, seed: int = 0) -> dict[str, np.ndarray]:
    """Positive random numbers of the right shapes; the quota is missing at first, as real ones are."""
    random = np.random.default_rng(seed)
    sizes = {"region": len(REGIONS), "partner": len(REGIONS), "sector": len(SECTORS)}
    made = {
        name: 1 + 0.1 * random.random((times, *(sizes[axis] for axis in VARIABLES[name].axes)))
        for name in (names or tuple(VARIABLES))
    }
    if "policy_quota" in made:
        made["policy_quota"][: times // 2] = np.nan
    if "residual" in made:
        made["residual"] *= 1e-12
    return made


def path(
    times: int = 24,
    names: tuple[str, ...] | None = None,
    seed: int = 0,
    provenance: Provenance = PROVENANCE,
    rule_state: dict[str, np.ndarray] | None = None,
) -> Path:
    """Monthly path from January 2010."""
    dates = pd.date_range("2010-01-01", periods=times, freq="MS")
    return Path(dates, values(times, names, seed), REGIONS, SECTORS, provenance, rule_state)


def small() -> Path:
    """Smallest path that has every kind of axis, a missing limit and a state of a rule."""
    names = ("welfare", "A_R", "trade_share", "policy_quota", "residual")
    return path(2, names, rule_state={"hope": np.ones((2, 3))})
