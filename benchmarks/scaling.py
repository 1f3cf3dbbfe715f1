"""Time and memory against size, 2 x 2 to 160 x 65: what ``python benchmarks/trade.py --scaling`` writes into ``docs/``."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import trade

SIZES = ((2, 2), (5, 14), (10, 20), (20, 30), (31, 40), (41, 35), (60, 50), (77, 45), (100, 55), (130, 60), (160, 65))
FITTED_FROM = 1e5  # cells from which growth is fitted: below, fixed costs show
DOCS = Path(__file__).resolve().parent.parent / "docs"
ASPECTS = ("pure trade", "endogenous technology", "monthly step")


@dataclass(frozen=True, slots=True)
class Line:
    """One size: seconds, evaluations, and the peak memory of a fresh process in MB."""

    regions: int
    sectors: int
    pure: float
    pure_passes: float
    pure_memory: float
    free: float
    free_passes: float
    free_memory: float
    step: float
    step_passes: float

    @property
    def cells(self) -> int:
        """N N S + N S S, what one evaluation has to touch."""
        return self.regions * self.regions * self.sectors + self.regions * self.sectors * self.sectors


def measure(regions: int, sectors: int) -> Line:
    """Time one size."""
    figures: dict[str, float] = {}
    small = regions * regions * sectors + regions * sectors * sectors < FITTED_FROM
    for name, endogenous in (("pure", False), ("free", True)):
        work = trade.synthetic(regions, sectors, endogenous)
        work()
        figures[name] = trade.in_turn([work], 41 if small else 9)[0]
        figures[f"{name}_passes"] = work.passes()
        figures[f"{name}_memory"] = trade.peak_memory(regions, sectors, endogenous)
    steps = trade.Steps(work, 12)
    steps()
    before = steps.stepper.passes
    steps()
    figures["step_passes"] = (steps.stepper.passes - before) / steps.months
    figures["step"] = trade.in_turn([steps], 9 if small else 5)[0] / steps.months
    return Line(regions, sectors, **figures)


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """Growth exponent: slope of log y on log x over the larger sizes."""
    large = x >= FITTED_FROM
    return float(np.polyfit(np.log(x[large]), np.log(y[large]), 1)[0])


def columns(lines: list[Line]) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Cells, and seconds with evaluations by aspect."""
    by_name = {name: np.array([getattr(line, name) for line in lines]) for name in Line.__slots__}
    pairs = [(by_name[name], by_name[f"{name}_passes"]) for name in ("pure", "free", "step")]
    return np.array([float(line.cells) for line in lines]), pairs


def page(lines: list[Line]) -> str:
    """The page of the docs."""
    x, pairs = columns(lines)
    whole = [f"{slope(x, seconds):.2f}" for seconds, _ in pairs]
    each = [f"{slope(x, seconds / passes):.2f}" for seconds, passes in pairs]
    head = f"""# Time and memory by size

Synthetic economies of N regions and S sectors in which every good is traded by everyone: static equilibria from the baseline to
random tariffs of up to 20 % on every flow, with endogenous technology also an export tax on rare earths of 3, and months of a
path with the same policy in its middle third, prices and trade lagged. One thread; from an economy that is built to results
whose conditions are all recomputed, each within 1e-10; medians of repeats. Memory is the peak of a fresh process that makes and
solves the economy, imports included. Recompute with `python benchmarks/trade.py --scaling`. Seconds depend on the machine, here
two shared virtual cores whose speed varied by a third between repeats; exponents depend on it less, by about a tenth.

| growth exponent in N²S + NS², from {FITTED_FROM:,.0f} on | {" | ".join(ASPECTS)} |
|---|---|---|---|
| a solve, or a month | {" | ".join(whole)} |
| an evaluation of the system | {" | ".join(each)} |

One is proportional. Below, fixed costs show; above about a million numbers the shares no longer fit into the caches.

![Time by size](scaling.png)

"""
    kinds = ["evaluations", "MB"]
    names = ["N × S", "N²S + NS²", "pure trade, ms", *kinds, "endogenous, ms", *kinds, "a month, ms", kinds[0]]
    table = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for line in lines:
        n, s, t0, p0, m0, t1, p1, m1, t2, p2 = astuple(line)
        times = [f"{1e3 * seconds:#.3g}".rstrip(".") for seconds in (t0, t1, t2)]
        solves = [
            f"{time} | {passes} | {peak:.0f}" for time, passes, peak in zip(times, (p0, p1), (m0, m1), strict=False)
        ]
        table.append(f"| {n} × {s} | {line.cells:,} | {' | '.join(solves)} | {times[2]} | {p2:.1f} |")
    return head + "\n".join(table) + "\n"


def draw(lines: list[Line], file: Path) -> None:
    """Time against size, both axes logarithmic, with a line of slope one."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.6, 4.4), layout="constrained")
    x, pairs = columns(lines)
    for name, mark, (seconds, _) in zip(ASPECTS, ("o-", "s-", "^-"), pairs, strict=True):
        axes.loglog(x, 1e3 * seconds, mark, label=f"{name}, exponent {slope(x, seconds):.2f}", markersize=4)
    large, last = x[x >= FITTED_FROM], 1e3 * max(seconds[-1] for seconds, _ in pairs)
    axes.loglog(large, 2.5 * last * large / large[-1], "k:", linewidth=1, label="proportional to N²S + NS²")
    step = 1e3 * pairs[2][0]
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
