"""Time static equilibria and steps against NumPy on the same equations, all in this run: ``python benchmarks/trade.py``.

Machines and their moods differ, so what counts is the ratios; each figure is the median of repeats taken in turn. There are
two competitors, `baseline_numpy`: the textbook form and a tuned one. Every solve starts at an economy that is built and ends
with all conditions recomputed, by either side, at 1e-10 or better: for reesim that is everything in the first `solve_row` of
an economy, preparations that a second policy finds done included. The rows on public tables need REESIM_SHARED_DATA and are
left out without it. ``--scaling`` instead times synthetic economies from 2 x 2 to 160 x 65 and writes ``docs/scaling.md`` and
``docs/scaling.png``.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import ModuleType

# before NumPy: two threads on a busy machine only wait for each other
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import baseline_numpy
import economies
import numpy as np
from baseline_numpy import World

from reesim._core.layout import POLICY, ROW, Layout, no_policy
from reesim._core.static import StaticSolver
from reesim._core.stepper import Stepper
from reesim.calibration import calibrate
from reesim.economy import Economy
from reesim.equilibrium import resolved, solve_row
from reesim.lowering import lower
from reesim.rules import share_of_gap
from reesim.scenario import Scenario

TOLERANCE = 1e-10
RIVALS = ("textbook", "tuned")
RARE_EARTH_TAX = 3.0
HALF_LIVES = (2.0, 0.5, 2.0)  # years: entry, prices, trade; those of the scenarios
MONTHS = 48
AGREE = 1e-8  # two solutions at 1e-10, times conditioning


# --- reesim -----------------------------------------------------------------------------------------------------------------


def forget(*built: Economy) -> None:
    """Take away what economies keep of earlier solves: it is part of what a first solve costs."""
    for economy in built:
        for name in ("condensed", "correction"):
            economy.__dict__.pop(name, None)


class Work:
    """One solve of the package, from an economy and a policy to a certified row."""

    def __init__(self, table: economies.Table, tariff_jis: np.ndarray, *, endogenous: bool) -> None:
        self.endogenous = endogenous
        self.economy = Economy(table.calibration(endogenous))
        par = self.economy.parameters
        self.policy = no_policy(par)
        views = Layout(POLICY, par.regions, par.sectors).views(self.policy)
        views["tariff"][...] = tariff_jis
        if endogenous:
            views["tax"][...] = np.where(np.arange(par.regions) == par.supplier, 1.0, RARE_EARTH_TAX)

    def __call__(self) -> dict[str, np.ndarray]:
        """Solve for the first time; raises if the certificate is above 1e-10."""
        forget(self.economy)
        return self.again()

    def again(self) -> dict[str, np.ndarray]:
        """Solve with what the economy keeps of earlier solves, as for another policy."""
        row, _ = solve_row(self.economy, self.policy, self.endogenous)
        return Layout(ROW, self.economy.parameters.regions, self.economy.parameters.sectors).views(row)

    def passes(self) -> int:
        """Evaluations that the solve takes."""
        condensed = None if self.endogenous else self.economy.condensed
        par, policy = self.economy.parameters, self.policy
        if condensed and (small := condensed.policy(policy)) is not None:
            par, policy = condensed.parameters, small
        solver = StaticSolver(par, self.endogenous)
        solver.solve(policy)
        return int(solver.passes)


class Steps:
    """A path of months, prices and trade lagged, in one go: calm, then the policy of a `Work`, then calm again."""

    def __init__(self, work: Work, months: int = MONTHS) -> None:
        par = work.economy.parameters
        self.months = months
        self.policies = np.stack([no_policy(par), work.policy])
        third = months // 3
        self.regimes = np.repeat(np.array([0, 1, 0], np.int64), [third, third, months - 2 * third])
        self.stepper = Stepper(par, [share_of_gap(life, 1.0 / 12.0) for life in HALF_LIVES])
        self.opening = self.stepper.save()
        self.rows = np.empty((months, Layout(ROW, par.regions, par.sectors).size))
        self.residuals = np.empty(months)

    def __call__(self) -> None:
        """Run; raises if a period is not solved or its certificate is above 1e-10."""
        self.stepper.restore(self.opening)
        done = self.stepper.run(self.policies, self.regimes, 1, TOLERANCE, self.rows, self.residuals)
        if done < self.months or not self.residuals.max() <= TOLERANCE:
            raise RuntimeError(f"month {done} was not solved: {self.stepper.fault}")


class Nafta:
    """Both solves of the exercise, through the scenario and the table that the example writes."""

    def __init__(self) -> None:
        example = _example()
        with tempfile.TemporaryDirectory() as folder:
            data = example.read(economies.shared() / "cp2015")
            self.scenario = Scenario.load(str(example.write_exercise(data, "removed", Path(folder))))
            self.data = calibrate(self.scenario)
        self.start = Economy(self.data, deficits=False, clip=True)
        self.base = Economy(resolved(self.data, deficits=False, clip=True, endogenous=False))
        self.schedule = self.scenario.schedule_at(date(2005, 1, 1), date(2005, 12, 31))

    def __call__(self) -> np.ndarray:
        """Two economies as built to two certified rows; the new tariffs are lowered in between. Returns wages."""
        forget(self.start, self.base)
        solve_row(self.start, no_policy(self.start.parameters), False)
        row, _ = solve_row(self.base, lower(self.schedule, self.base)[0][0], False)
        wage: np.ndarray = Layout(ROW, *self.data.final_is.shape).views(row)["wage"]
        return wage

    def built(self) -> None:
        """The same from the calibration on, economies built."""
        base = Economy(resolved(self.data, deficits=False, clip=True, endogenous=False))
        solve_row(base, lower(self.schedule, base)[0][0], False)


def _example() -> ModuleType:
    file = Path(__file__).resolve().parents[1] / "examples" / "nafta.py"
    spec = importlib.util.spec_from_file_location("nafta", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- NumPy ------------------------------------------------------------------------------------------------------------------


def nafta_worlds(data: economies.Nafta) -> tuple[World, Callable[..., World]]:
    """The data without deficits, and what makes the counterfactual's world of a solved baseline."""
    start = replace(data.data, deficit_i=np.zeros(len(data.regions)))

    def second(share: np.ndarray, wage: np.ndarray, spent: np.ndarray) -> World:
        return replace(
            start, share_jis=share, labour_i=start.labour_i * wage, expenditure_is=spent, tariff_jis=data.tariff_jis
        )

    return start, second


def nafta_numpy(data: economies.Nafta, form: str) -> np.ndarray:
    """Both solves of the exercise; returns wages."""
    start, second = nafta_worlds(data)
    base = baseline_numpy.solve(start, form)
    return baseline_numpy.solve(second(base.share_jis, base.wage_i, base.expenditure_is), form).wage_i


# --- timing -----------------------------------------------------------------------------------------------------------------


def in_turn(
    works: Sequence[Callable[[], object]], repeats: int, figure: Callable[[list[float]], float] = statistics.median
) -> list[float]:
    """Median seconds of each work, or another figure, taken in turn so that all meet the same moods of the machine."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for taken, work in zip(seconds, works, strict=True):
            start = time.perf_counter()
            work()
            taken.append(time.perf_counter() - start)
    return [figure(taken) for taken in seconds]


def report(what: str, fast: float, slow: Sequence[float], note: str = "") -> None:
    """One line of the table: milliseconds, and the competitors' with their ratios."""
    rivals = [f"{1e3 * each:9.2f} ms {each / fast:6.1f} x" for each in slow] or [" " * 21] * len(RIVALS)
    print(f"{what:44s} {1e3 * fast:9.2f} ms {'  '.join(rivals)}  {note}")


def nafta(repeats: int) -> None:
    """The published exercise."""
    data, work = economies.nafta(), Nafta()
    rivals = [functools.partial(nafta_numpy, data, form) for form in RIVALS]
    mine = work()
    gap = max(np.abs(mine / rival() - 1.0).max() for rival in rivals)
    fast, *slow = in_turn([work, *rivals], repeats)
    report("NAFTA 31 x 40, baseline and counterfactual", fast, slow, f"wages agree to {gap:.0e}; aim 8 x, 6 ms")
    built = in_turn([work.built], repeats)[0]
    report("the same, with both economies built", built, [])


def compare(what: str, table: economies.Table, endogenous: bool, repeats: int, aim: str) -> None:
    """One solve on all sides, which must agree."""
    tariffs = economies.some_tariffs(*table.final_is.shape)
    work, world = (
        Work(table, tariffs, endogenous=endogenous),
        table.world(tariffs, RARE_EARTH_TAX if endogenous else None),
    )
    rivals = [functools.partial(baseline_numpy.solve, world, form) for form in RIVALS]
    mine = work()["wage"]
    gap = max(np.abs(mine / rival().wage_i - 1.0).max() for rival in rivals)
    if gap > AGREE:
        raise RuntimeError(f"{what}: the sides differ by {gap:.2g}")
    fast, again, *slow = in_turn([work, work.again, *rivals], repeats)
    report(what, fast, slow, f"another policy {1e3 * again:.2f} ms; {work.passes()} evaluations; {aim}")


def step(what: str, table: economies.Table, repeats: int, aim: str) -> None:
    """A month, in one uninterrupted run."""
    steps = Steps(Work(table, economies.some_tariffs(*table.final_is.shape), endogenous=True))
    steps()
    before = steps.stepper.passes
    steps()
    passes = (steps.stepper.passes - before) / steps.months
    report(what, in_turn([steps], repeats)[0] / steps.months, [], f"{passes:.1f} passes a month; {aim}")


def threads(what: str, table: economies.Table, endogenous: bool, repeats: int) -> None:
    """Two solves one after the other, and in two threads: least times, since a machine at work has one core to spare."""
    tariffs = economies.some_tariffs(*table.final_is.shape)
    works = [Work(table, tariffs, endogenous=endogenous) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        together, after = in_turn(
            [lambda: list(pool.map(Work.again, works)), lambda: [work.again() for work in works]], repeats, min
        )
    print(f"{what:44s} {1e3 * together:9.2f} ms {1e3 * after:9.2f} ms one after the other; {after / together:.2f} x")


def own_peak() -> float:
    """Peak memory of this process, MB. Where Linux tells it: what a resource count says includes who started the process."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return float(line.split()[1]) / 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def peak_memory(regions: int, sectors: int, endogenous: bool) -> float:
    """Peak memory in MB of a fresh process that makes and solves one synthetic economy."""
    run = [sys.executable, __file__, "--solve", str(regions), str(sectors), *(["--endogenous"] if endogenous else [])]
    return float(subprocess.run(run, check=True, capture_output=True, text=True).stdout)


def synthetic(regions: int, sectors: int, endogenous: bool) -> Work:
    """The economy and the change that stand for a size."""
    tariffs = economies.some_tariffs(regions, sectors)
    return Work(economies.synthetic(regions, sectors), tariffs, endogenous=endogenous)


def main_table() -> None:
    """Print the table."""
    heads = [f"{name:>12s} {'ratio':>8s}" for name in RIVALS]
    print(f"{'work':44s} {'reesim':>12s} {'  '.join(heads)}")
    try:
        table = economies.wiod()
    except economies.NoDataError as missing:
        print(f"left out: NAFTA and WIOD: {missing}")
    else:
        nafta(31)
        compare("WIOD 41 x 35, pure trade", table, False, 15, "aim 3 x")
        compare("WIOD 41 x 35, endogenous technology", table, True, 11, "aim 25 ms")
        step("WIOD 41 x 35, a monthly step", table, 5, "aim 2 ms")
        threads("WIOD 41 x 35, endogenous, two threads", table, True, 25)
    large = economies.synthetic(77, 45)
    compare("synthetic 77 x 45, pure trade", large, False, 9, "aim 25 ms")
    compare("synthetic 77 x 45, endogenous technology", large, True, 9, "aim 80 ms")
    threads("synthetic 77 x 45, pure trade, two threads", large, False, 25)
    print(f"{'peak memory at 77 x 45, endogenous':44s} {peak_memory(77, 45, True):9.0f} MB  aim 300 MB")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scaling", action="store_true", help="time every size; write docs/scaling.md and .png")
    parser.add_argument("--solve", nargs=2, type=int, metavar=("N", "S"), help="solve once, print the peak memory, MB")
    parser.add_argument("--endogenous", action="store_true", help="with --solve: endogenous technology")
    asked = parser.parse_args()
    if asked.solve:
        regions, sectors = asked.solve
        synthetic(regions, sectors, asked.endogenous)()
        print(own_peak())
    elif asked.scaling:
        import scaling

        scaling.write()
    else:
        main_table()


if __name__ == "__main__":
    main()
