"""Time the engine against the plain-NumPy reference with the same algorithm, both in this run: ``python benchmarks/engine.py``.

Machines and their moods differ, so what counts is the ratios. Each figure is the least of several repeats.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from types import SimpleNamespace

# before NumPy: two threads on a busy machine only wait for each other
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from reesim._core import reference as ref
from reesim._core import reference_engine as engine
from reesim._core.layout import POLICY, ROW, Layout, Parameters, no_policy
from reesim._core.static import StaticSolver
from reesim._core.stepper import Stepper
from reesim.economy import Economy
from reesim.equilibrium import baseline
from reesim.lowering import lower
from reesim.rules import share_of_gap
from reesim.scenario import Scenario
from reesim.scenario.calendar import Calendar


def least(work: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of several repeats."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def static(parameters: Parameters) -> None:
    """Static endogenous equilibrium at a tax of 3, from the baseline."""
    policy = no_policy(parameters)
    views = Layout(POLICY, parameters.regions, parameters.sectors).views(policy)
    views["tax"][...] = np.where(np.arange(parameters.regions) == parameters.supplier, 1.0, 3.0)
    solver = StaticSolver(parameters, True)
    named = ref.name_policy(parameters, policy)
    fast = least(lambda: solver.solve(policy), 200)
    slow = least(lambda: engine.solve_static(parameters, named, True), 10)
    report("static endogenous equilibrium, 5 x 14", fast, slow, f"{solver.passes} passes")


def steps(scenario: Scenario, economy: Economy, periods: int) -> None:
    """Monthly steps of the staged scenario, its last policy going on."""
    calendar, parameters = Calendar.for_scenario(scenario), economy.parameters
    policies, regimes = lower(scenario.schedule(calendar), economy)
    regimes = np.concatenate([regimes, np.repeat(regimes[-1:], max(0, periods - len(regimes)))])[:periods]
    lives = scenario.adjustment
    speeds = [share_of_gap(life, calendar.dt) for life in (lives.entry, lives.prices, lives.trade)]
    rows = np.empty((periods, Layout(ROW, parameters.regions, parameters.sectors).size))
    residuals = np.empty(periods)
    passes = 0

    stepper = Stepper(parameters, speeds)
    opening, before = stepper.save(), 0

    def compiled() -> None:
        nonlocal passes, before
        stepper.restore(opening)
        if stepper.run(policies, regimes, 1, 1e-10, rows, residuals) < periods:
            raise RuntimeError(f"the staged scenario was not solved: {stepper.fault}")
        passes, before = stepper.passes - before, stepper.passes

    blocks = [ref.name_policy(parameters, block) for block in policies]
    named = [blocks[regime] for regime in regimes]
    rates = SimpleNamespace(entry=speeds[0], price=speeds[1], trade=speeds[2])
    fast = least(compiled, 20) / periods
    slow = least(lambda: engine.run(parameters, rates, named), 1) / periods if periods <= 100 else float("nan")
    report(f"monthly step, staged scenario, {periods} steps", fast, slow, f"{passes / periods:.1f} passes a step")


def processes() -> None:
    """Whole processes: import, and the main job with its figures."""
    run = [sys.executable, "-c"]
    bare = least(lambda: subprocess.run([*run, "pass"], check=True), 5)
    imported = least(lambda: subprocess.run([*run, "import reesim"], check=True), 5)
    report("import reesim, less a bare interpreter", imported - bare, float("nan"), "aim: 300 ms")
    with tempfile.TemporaryDirectory() as folder:
        job = [sys.executable, "-m", "reesim", "run", "staged_quotas_2010_2015", "--out", folder]
        whole = least(lambda: subprocess.run(job, check=True, capture_output=True), 3)
    report("reesim run staged_quotas_2010_2015, figures included", whole, float("nan"), "aim: 4 s")


def report(what: str, seconds: float, reference: float, note: str) -> None:
    """One line of the table."""
    ratio = f"{reference / seconds:7.1f} x" if reference == reference else " " * 9
    against = f"{1e6 * reference:11.0f} us" if reference == reference else " " * 14
    print(f"{what:54s} {1e6 * seconds:11.1f} us {against} {ratio}  {note}")


def main() -> None:
    """Print the table."""
    scenario = Scenario.load("staged_quotas_2010_2015")
    economy = baseline(scenario)
    print(f"{'work':54s} {'compiled':>14s} {'NumPy':>14s} {'ratio':>9s}")
    static(economy.parameters)
    for periods in (85, 850, 8500):
        steps(scenario, economy, periods)
    processes()


if __name__ == "__main__":
    main()
