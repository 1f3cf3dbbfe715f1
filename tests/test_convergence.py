"""What a finer step does, and what a run costs."""

from __future__ import annotations

import numpy as np
import pytest
from random_economies import named, policy_block

import reesim
from reesim._core.layout import ROW, Layout
from reesim._core.stepper import Stepper
from reesim.rules import share_of_gap
from reesim.simulation import Simulation


class TestOrder:
    YEARS = 2.0

    def state(self, economy, steps: int, lives: tuple[float, float, float]) -> dict[str, np.ndarray]:
        """State two years after a tax, in so many steps; a life of zero is at once."""
        p = economy.parameters
        stepper = Stepper(p, [share_of_gap(life, self.YEARS / steps) for life in lives])
        rows = np.empty((steps, Layout(ROW, p.regions, p.sectors).size))
        assert stepper.run(policy_block(p, 2.0)[None], np.zeros(steps, int), 1, 1e-10, rows, np.empty(steps)) == steps
        return named(p, np.concatenate([stepper.state, np.zeros(rows.shape[1] - len(stepper.state))]))

    @pytest.mark.parametrize("lives", [(2.0, 0.5, 2.0), (1.0, 1.0, 0.0), (2.0, 0.0, 1.0), (1.5, 0.0, 0.0)], ids=str)
    def test_halving_the_step_halves_the_error(self, accounts, lives):
        names = ["A_R", "A_L"] + ["posted_price"] * (lives[1] > 0.0) + ["trade_share"] * (lives[2] > 0.0)
        coarse = {steps: self.state(accounts, steps, lives) for steps in (32, 64, 128, 256)}
        for name in names:
            # differences between successive halvings fall by two as errors do, and need no reference of their own
            gaps = [np.abs(coarse[2 * n][name] - coarse[n][name]).max() for n in (32, 64, 128)]
            orders = np.log2(np.array(gaps[:-1]) / gaps[1:])
            assert gaps[0] > 1e-8, f"{name} does not move"
            assert np.abs(orders - 1.0).max() < 0.2, (name, orders)

    def test_substeps_are_steps(self, tax_scenario):
        """Four substeps of a month and a hundred are on the way to the same path; the first is four times... 25 times closer."""
        short = tax_scenario.replace({"calendar.end": "2011-07"})
        end = {
            n: Simulation(short.replace({"calendar.substeps": n})).run().array("posted_price")[-1]
            for n in (2, 4, 8, 64)
        }
        errors = [np.abs(end[n] - end[64]).max() for n in (2, 4, 8)]
        # against a reference of 64 substeps the errors are as 1/n - 1/64
        expected = [(1 / 2 - 1 / 64) / (1 / 4 - 1 / 64), (1 / 4 - 1 / 64) / (1 / 8 - 1 / 64)]
        np.testing.assert_allclose([errors[0] / errors[1], errors[1] / errors[2]], expected, rtol=0.1)


class TestRepeatability:
    def test_a_run_is_its_steps_bit_for_bit(self):
        scenario = reesim.Scenario.load("staged_quotas_2010_2015").replace({"calendar.end": "2012-06"})
        whole = Simulation(scenario).run()
        single, mixed = Simulation(scenario), Simulation(scenario)
        while not single.finished:
            single.step()
        mixed.step(5).step(0).run_until("2011-03").step(3)
        seen = []
        last = mixed.run(progress=lambda done, total: seen.append((done, total)))
        for name in whole.variables:
            np.testing.assert_array_equal(single.path.array(name), whole.array(name), err_msg=name)
            np.testing.assert_array_equal(last.array(name), whole.array(name), err_msg=name)
        assert seen[-1] == (len(whole), len(whole))
        assert [done for done, _ in seen] == sorted({done for done, _ in seen})

    def test_a_run_longer_than_its_chunks_is_its_steps(self, tax_scenario, monkeypatch):
        whole = Simulation(tax_scenario.replace({"calendar.end": "2011-12"})).run()
        monkeypatch.setattr("reesim.simulation.CHUNK", 5)
        parts = Simulation(tax_scenario.replace({"calendar.end": "2011-12"})).run()
        for name in whole.variables:
            np.testing.assert_array_equal(parts.array(name), whole.array(name), err_msg=name)

    def test_twice_is_the_same(self, tax_scenario):
        short = tax_scenario.replace({"calendar.end": "2010-12"})
        a, b = Simulation(short).run(), Simulation(short).run()
        for name in a.variables:
            np.testing.assert_array_equal(a.array(name), b.array(name))

    def test_a_branch_goes_on_alone(self, tax_scenario):
        short = tax_scenario.replace({"calendar.end": "2011-06"})
        trunk = Simulation(short).step(8)
        branch = trunk.branch()
        wage = trunk.economy.region("JPN").wage
        branch.step(4)
        # the trunk has not moved
        assert len(trunk.path) == 9
        assert trunk.economy.region("JPN").wage == wage
        ahead = trunk.run()
        rest = branch.run()
        for name in ahead.variables:
            np.testing.assert_array_equal(rest.array(name), ahead.array(name), err_msg=name)

    def test_a_branch_of_the_core_owns_its_memory(self, deck):
        p = deck.parameters
        stepper = Stepper(p, (0.03, 0.1, 0.03))
        stepper.solve(policy_block(p, 2.0))
        stepper.follow()
        twin = stepper.copy()
        np.testing.assert_array_equal(twin.state, stepper.state)
        twin.state[...] *= 1.01
        before = stepper.state.copy()
        assert twin.solve(policy_block(p)) is not None
        np.testing.assert_array_equal(stepper.state, before)

    def test_what_was_saved_is_restored(self, deck):
        p = deck.parameters
        stepper = Stepper(p, (0.03, 0.1, 0.03))
        policy = policy_block(p, 2.0)

        def on(n: int) -> np.ndarray:
            rows = np.empty((n, stepper.row.size))
            assert stepper.run(policy[None], np.zeros(n, int), 1, 1e-10, rows, np.empty(n)) == n
            return rows

        on(3)
        saved = stepper.save()
        first = on(4)
        stepper.restore(saved)
        np.testing.assert_array_equal(on(4), first)


class TestCost:
    def test_a_quiet_step_is_one_pass(self, deck):
        p = deck.parameters
        stepper = Stepper(p, (0.03, 0.1, 0.03))
        rows = np.empty((50, stepper.row.size))
        assert stepper.run(policy_block(p)[None], np.zeros(50, int), 1, 1e-10, rows, np.empty(50)) == 50
        assert stepper.passes == 50

    def test_cost_grows_with_the_number_of_steps_and_no_faster(self, deck):
        p = deck.parameters
        passes = []
        for years in (10, 20, 40):
            policies = np.array([policy_block(p), policy_block(p, 2.0)])
            cycle = np.arange(12 * years) // 12 % 2  # a tax every other year, for ever
            stepper = Stepper(p, (0.03, 0.1, 0.03))
            rows = np.empty((len(cycle), stepper.row.size))
            assert stepper.run(policies, cycle, 1, 1e-10, rows, np.empty(len(cycle))) == len(cycle)
            passes.append(stepper.passes)
        # twice the steps, twice the passes: a count, so that the margin is for the opening years and the compiler's rounding
        assert passes[1] <= 2.2 * passes[0]
        assert passes[2] <= 2.2 * passes[1]
