"""How the estimators of (24) do on panels of which the truth is known: the numbers of ``docs/structural.md``.

``python benchmarks/estimation.py`` prints the tables, in two minutes. Tests hold the first and the last row of the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from reesim.empirics.structural import Design, MonteCarlo, Specification, attenuation, estimate, monte_carlo
from reesim.empirics.structural.montecarlo import endogenous
from reesim.empirics.structural.simulate import simulate
from reesim.scenario import Scenario

MANY = 5000
PATENTS = 30.0
SCENARIOS = ("deck_tax", "staged_quotas_2010_2015")
TWO = Design(sectors=("TRA", "TEX"), epsilon_s=np.array([0.774, 1.389]), gamma_s=np.array([0.00097, 0.00004]))


def methods() -> Iterator[MonteCarlo]:
    """Rows of the first table, and two of them with ten times as many panels."""
    yield monte_carlo()
    yield monte_carlo(jackknife=False)
    yield monte_carlo(endogenous())
    yield monte_carlo(endogenous(), method="2SLS")
    yield monte_carlo(panels=MANY)
    yield monte_carlo(endogenous(), MANY, method="2SLS")


def by_regions(count: int) -> list[MonteCarlo]:
    """Least squares with both kinds of errors, and two stages, with this many regions."""
    names = ("CHN", *(f"R{k:02d}" for k in range(1, count)))
    design = replace(Design(), regions=names)
    return [
        monte_carlo(design),
        monte_carlo(design, jackknife=False),
        monte_carlo(endogenous(design), method="2SLS"),
    ]


def through_counts(method: str, panels: int, errors: str) -> str:
    """Epsilon of transport equipment and textiles where technology is seen through counts of patents."""
    how = Specification(method=method, errors=errors)  # type: ignore[arg-type]
    found = [estimate(simulate(TWO, seed, patents=PATENTS), how) for seed in range(panels)]
    told = []
    for sector, truth in zip(TWO.sectors, TWO.epsilon_s, strict=True):
        rows = np.array([fit[sector].epsilon for fit in found])
        bias, held = rows[:, 0].mean() / truth - 1.0, ((rows[:, 2] <= truth) & (truth <= rows[:, 3])).mean()
        told.append(f"{sector} bias {bias:.1%}, std {rows[:, 0].std(ddof=1):.3f}, intervals hold it in {held:.0%}")
    return f"{method}, {errors}, {panels} panels: {'; '.join(told)}"


def main() -> None:
    """Print the tables."""
    for found in methods():
        print(f"{'jackknife' if found.jackknife else 'sandwich'}: {found.line()}")
    for count in (5, 20, 40):
        for found in by_regions(count):
            print(f"{count} regions, {'jackknife' if found.jackknife else 'sandwich'}: {found.line()}")
    print(through_counts("OLS", 500, "jackknife"))
    print(through_counts("PPML", 500, "cluster"))
    print(through_counts("PPML", 100, "jackknife"))
    for name in SCENARIOS:
        print(name)
        print(attenuation(Scenario.load(name)).to_string(index=False))


if __name__ == "__main__":
    main()
