"""Time and memory against size, 2 x 2 to 160 x 65: what ``python benchmarks/trade.py --scaling`` writes into ``docs/``."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import trade

from reesim._core.static import StaticSolver

SIZES = ((2, 2), (5, 14), (10, 20), (20, 30), (31, 40), (41, 35), (60, 50), (77, 45), (100, 55), (130, 60), (160, 65))
FITTED_FROM = 1e5  # cells from which growth is fitted: below, fixed costs show
DOCS = Path(__file__).resolve().parent.parent / "docs"
ASPECTS = ("pure trade", "endogenous technology", "monthly step")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One size: seconds of a first solve, its evaluations and seconds of each; of a month; peak memory in MB.

    ``pure`` is without technology, ``free`` with.
    """

    regions: int
    sectors: int
    pure: float
    pure_passes: float
    pure_pass: float
    free: float
    free_passes: float
    free_pass: float
    step: float
    step_passes: float
    memory: float

    @property
    def cells(self) -> int:
        """N N S + N S S, what one evaluation has to touch."""
        return self.regions * self.regions * self.sectors + self.regions * self.sectors * self.sectors


def an_evaluation(work: trade.Work, repeats: int) -> tuple[float, int]:
    """Seconds of one pass of the search, and how many a solve takes: from the solution it takes one."""
    solver = StaticSolver(work.economy.parameters, work.endogenous, work.economy.correction)
    solver.solve(work.policy)
    passes, there = solver.passes, solver.unknowns
    whole, one = trade.in_turn(
        [lambda: solver.solve(work.policy), lambda: solver.solve(work.policy, there)], repeats, min
    )
    return (whole - one) / (passes - 1), passes


def measure(regions: int, sectors: int) -> Line:
    """Time one size."""
    figures: dict[str, float] = {}
    repeats = 41 if regions * regions * sectors + regions * sectors * sectors < FITTED_FROM else 11
    for name, endogenous in (("pure", False), ("free", True)):
        work = trade.synthetic(regions, sectors, endogenous)
        work()
        figures[name] = trade.in_turn([work], repeats, min)[0]
        figures[f"{name}_pass"], figures[f"{name}_passes"] = an_evaluation(work, repeats)
    steps = trade.Steps(work, 12)
    steps()
    before = steps.stepper.passes
    steps()
    figures["step_passes"] = (steps.stepper.passes - before) / steps.months
    figures["step"] = trade.in_turn([steps], repeats, min)[0] / steps.months
    figures["memory"] = max(trade.peak_memory(regions, sectors, endogenous) for endogenous in (False, True))
    return Line(regions=regions, sectors=sectors, **figures)


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """Growth exponent: slope of log y on log x over the larger sizes."""
    large = x >= FITTED_FROM
    return float(np.polyfit(np.log(x[large]), np.log(y[large]), 1)[0])


def column(lines: list[Line], name: str) -> np.ndarray:
    """One figure of all sizes."""
    return np.array([float(getattr(line, name)) for line in lines])


def page(lines: list[Line]) -> str:
    """The page of the docs."""
    x = column(lines, "cells")
    whole, each = (
        [f"{slope(x, column(lines, name)):.2f}" for name in names]
        for names in (("pure", "free", "step"), ("pure_pass", "free_pass"))
    )
    head = f"""# Time and memory by size

Synthetic economies of N regions and S sectors in which every good is traded by everyone: static equilibria from the baseline to
random tariffs of up to 20 % on every flow, with endogenous technology also an export tax on rare earths of 3, and months of a
path with the same policy in its middle third, prices and trade lagged. One thread; a first solve, from an economy that is built
to results whose conditions are all recomputed, each within 1e-10; the least of repeats. An evaluation is one pass through all
equations with its part of the search. Memory is the peak of a fresh process that makes and solves the economy, imports included.
Up to 200,000 flows the economy is built through its graph, which takes more memory than the arrays.

Recompute with `python benchmarks/trade.py --scaling`. Seconds depend on the machine, here two shared virtual cores at work on
other things as well: times varied by a third between runs, exponents by a tenth.

| growth exponent in N²S + NS², from {FITTED_FROM:,.0f} on | {" | ".join(ASPECTS)} |
|---|---|---|---|
| a solve, or a month | {" | ".join(whole)} |
| an evaluation | {" | ".join(each)} | |

One is proportional. Below, fixed costs show. Above some hundred thousand numbers the shares no longer fit into the caches nearest
to the processor, and what is brought from memory sets the pace.

![Time by size](scaling.png)

"""
    names = ["N × S", "N²S + NS²", "pure trade, ms", "evaluations", "ms each", "endogenous, ms", "evaluations", "ms each",
             "a month, ms", "evaluations", "MB"]  # fmt: skip
    table = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for line in lines:
        seconds = (line.pure, line.pure_pass, line.free, line.free_pass, line.step)
        t0, e0, t1, e1, t2 = (f"{1e3 * second:#.3g}".rstrip(".") for second in seconds)
        table.append(
            f"| {line.regions} × {line.sectors} | {line.cells:,} | {t0} | {line.pure_passes} | {e0} "
            f"| {t1} | {line.free_passes} | {e1} | {t2} | {line.step_passes:.1f} | {line.memory:.0f} |"
        )
    return head + "\n".join(table) + "\n"


def draw(lines: list[Line], file: Path) -> None:
    """Time against size, both axes logarithmic, with a line of slope one."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.6, 4.4), layout="constrained")
    x = column(lines, "cells")
    for label, mark, name in zip(ASPECTS, ("o-", "s-", "^-"), ("pure", "free", "step"), strict=True):
        y = column(lines, name)
        axes.loglog(x, 1e3 * y, mark, label=f"{label}, exponent {slope(x, y):.2f}", markersize=4)
    large, last = x[x >= FITTED_FROM], 2.5e3 * max(lines[-1].pure, lines[-1].free)
    axes.loglog(large, last * large / large[-1], "k:", linewidth=1, label="proportional to N²S + NS²")
    step = 1e3 * column(lines, "step")
    for line, count, below in zip(lines, x, step, strict=True):
        if line.regions in (2, 5, 10, 20, 41, 77, 160):
            axes.annotate(f"{line.regions}×{line.sectors}", (count, below), fontsize=7, ha="center",
                          textcoords="offset points", xytext=(4, -11))  # fmt: skip
    axes.set(xlabel="N²S + NS²", ylabel="milliseconds")
    axes.set_ylim(bottom=0.4 * step.min())
    axes.legend(frameon=False)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def write() -> None:
    """Time every size; write the page and its figure."""
    lines = []
    for size in SIZES:
        lines.append(measure(*size))
        print(*(f"{figure:.4g}" for figure in astuple(lines[-1])), flush=True)
    (DOCS / "scaling.md").write_text(page(lines), encoding="utf-8")
    draw(lines, DOCS / "scaling.png")
