"""Sectors that are not traded, eliminated: the smaller economy stands for the whole one, exactly, or says that it does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_economies import (
    everybody_trades,
    named,
    policy_block,
    random_calibration,
    random_policy,
    retold,
    retold_policy,
    retold_row,
)

from reesim._core.certificate import residual
from reesim._core.condense import Condensed
from reesim._core.layout import POLICY, Layout, no_policy
from reesim._core.static import StaticSolver
from reesim.calibration import Calibration
from reesim.economy import Economy
from reesim.equilibrium import resolved, solve_row

SAME = 1e-9
"""Both solvers stop at changes of 2e-12 in a log; economies that trade little multiply that by up to a few hundred."""

EXACT = 1e-11
"""What no conditioning multiplies: residuals of the whole economy's conditions at the row of the smaller one."""

FLAGS = (False, True, True)


def with_local(rng: np.random.Generator, n: int, s: int, local: list[int], **changes: object) -> Calibration:
    """No rare earths, Cobb-Douglas final demand, and nobody gives away more than a fifth of what it earns.

    Where anything is traded everybody sells to everybody, if by way of others: else wages are known up to a factor only.
    """
    fixed = {"sigma_s": rng.choice([1.0, 1.0 + 1e-4, 2.5, 4.0, 6.0], s), "rho": 1.0, "ree_share_is": np.zeros((n, s))}
    while True:
        cal = random_calibration(rng, n, s, local, **{**fixed, **changes})
        share = cal.deficit_i / cal.own_income_i
        if share.min() > -0.2 and share.max() < 1.0 and (everybody_trades(cal) or len(local) == s):
            return cal


def without_local_subsidies(policy: np.ndarray, condensed: Condensed) -> np.ndarray:
    """The same policy, sectors that are not traded getting no subsidy on output."""
    block = policy.copy()
    shape = condensed.full.regions, condensed.full.sectors
    Layout(POLICY, *shape).views(block)["output_subsidy"][:, condensed.local] = 1.0
    return block


def through_the_smaller(economy: Economy, policy: np.ndarray) -> np.ndarray:
    condensed = economy.condensed
    assert condensed is not None
    small = condensed.policy(policy)
    assert small is not None
    solver = StaticSolver(condensed.parameters, False)
    assert solver.solve(small)
    return condensed.row(policy, solver.found)


def whole(economy: Economy, policy: np.ndarray) -> np.ndarray:
    solver = StaticSolver(economy.parameters, False)
    assert solver.solve(policy)
    return solver.found


def same(economy: Economy, found: np.ndarray, expected: np.ndarray) -> None:
    rows = [named(economy.parameters, row) for row in (found, expected)]
    for name in rows[0]:
        a, b = rows[0][name], rows[1][name]
        scale = max(1.0, float(np.abs(b).max()))  # values to the size of the largest
        np.testing.assert_allclose(a, b, rtol=SAME, atol=SAME * scale, err_msg=name)


def draw(seed: int, **changes: object) -> tuple[Economy, np.ndarray]:
    """An economy some of whose sectors, in any places, are not traded, and everything in its policy that may be."""
    rng = np.random.default_rng(seed)
    n, s = int(rng.integers(2, 9)), int(rng.integers(2, 13))
    local = rng.permutation(s)[: int(rng.integers(1, s))]
    economy = Economy(with_local(rng, n, s, [int(k) for k in local], **changes))
    assert economy.condensed is not None
    return economy, without_local_subsidies(random_policy(rng, economy.parameters), economy.condensed)


class TestTheSameRow:
    @pytest.mark.parametrize("technology", ["none", "fixed"])
    @pytest.mark.parametrize("entry", ["labour", "final_good"])
    @pytest.mark.parametrize("deficit", ["world_labour_share", "own_income_share"])
    @settings(max_examples=10, deadline=None, derandomize=True)
    @given(seed=st.integers(0, 2**32 - 1))
    def test_with_everything_in_the_policy(self, technology, entry, deficit, seed):
        """Tariffs, taxes, trade costs, productivity also of what is not traded, endowments, subsidies on what is."""
        pure = {"mu": 1e15, "theta": 0.0} if technology == "none" else {}
        economy, policy = draw(seed, entry_cost=entry, deficit=deficit, **pure)
        found = through_the_smaller(economy, policy)
        same(economy, found, whole(economy, policy))
        assert residual(economy.parameters, policy, FLAGS, found)[0] < EXACT

    @pytest.mark.parametrize("local", [[0], [3], [1], [0, 2], [1, 2, 3], [0, 1, 2, 3]], ids=str)
    def test_whichever_sectors_they_are(self, local):
        """One, which leaves as many sectors as there were, several with gaps, and all, when nothing is traded."""
        economy = Economy(with_local(np.random.default_rng(5), 3, 4, local))
        rng = np.random.default_rng(1)
        policy = without_local_subsidies(random_policy(rng, economy.parameters), economy.condensed)
        found = through_the_smaller(economy, policy)
        assert residual(economy.parameters, policy, FLAGS, found)[0] < EXACT
        assert economy.condensed.parameters.sectors == 5 - len(local)
        if len(local) < 4:  # regions that do not trade share no unit of money: any level of each will do
            same(economy, found, whole(economy, policy))

    def test_without_policy_it_is_the_baseline(self):
        economy, _ = draw(3)
        none = no_policy(economy.parameters)
        solver = StaticSolver(economy.condensed.parameters, False)
        assert solver.solve(economy.condensed.policy(none))
        assert solver.passes == 1
        row = named(economy.parameters, economy.condensed.row(none, solver.found))
        np.testing.assert_allclose(row["revenue"], economy.calibration.revenue_is, rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(row["unit_cost"], 1.0, rtol=1e-12)

    @pytest.mark.parametrize("seed", range(6))
    def test_their_order_does_not_matter(self, seed):
        economy, policy = draw(seed)
        p, rng = economy.parameters, np.random.default_rng(seed)
        other = rng.permutation(p.regions), rng.permutation(p.sectors), np.ones(p.regions)
        moved = Economy(retold(economy.calibration, *other))
        found = named(p, through_the_smaller(moved, retold_policy(p, policy, *other)))
        for name, expected in retold_row(p, through_the_smaller(economy, policy), *other).items():
            np.testing.assert_allclose(found[name], expected, rtol=SAME, atol=SAME * max(1.0, np.abs(expected).max()))

    @pytest.mark.parametrize("seed", range(4))
    def test_a_baseline_is_solved_again_through_it(self, seed):
        """Deficits removed: the solution is a baseline of its own, which replicates."""
        rng = np.random.default_rng(seed)
        cal = with_local(rng, 3, 6, [1, 4], mu=1e15, theta=0.0)
        again = Economy(resolved(cal, deficits=False, endogenous=False))
        assert np.abs(again.calibration.deficit_i).max() < 1e-10 * again.calibration.own_income_i.min()
        solver = StaticSolver(again.parameters, False)
        assert solver.solve(no_policy(again.parameters))
        np.testing.assert_allclose(named(again.parameters, solver.found)["wage"], 1.0, rtol=1e-11)


class TestWhereItIsNotExact:
    @pytest.mark.parametrize(
        "changes", [{"rho": 1.36}, {"rho": 1.0 + 1e-9}, {"ree_share_is": np.full((3, 4), 1e-3)}], ids=str
    )
    def test_none(self, changes):
        rng = np.random.default_rng(2)
        assert Condensed.of(Economy(with_local(rng, 3, 4, [1, 2])).parameters) is not None
        assert Condensed.of(Economy(with_local(rng, 3, 4, [1, 2], **changes)).parameters) is None

    def test_none_where_everything_is_traded(self):
        assert Condensed.of(Economy(with_local(np.random.default_rng(2), 3, 4, [])).parameters) is None

    def test_a_subsidy_on_output_that_is_not_traded_is_left_to_the_whole_economy(self):
        economy = Economy(with_local(np.random.default_rng(2), 3, 4, [1, 2]))
        subsidy = np.ones((3, 4))
        subsidy[0, 2] = 1.1
        policy = policy_block(economy.parameters, output_subsidy=subsidy)
        assert economy.condensed.policy(policy) is None
        row, certificate = solve_row(economy, policy, False)
        assert certificate.residual < 1e-10
        same(economy, row, whole(economy, policy))
        assert named(economy.parameters, row)["posted_price"][0, 2] < 0.95

    @pytest.mark.parametrize("endogenous", [True, False])
    def test_research_that_responds_takes_the_whole_economy(self, endogenous):
        economy, policy = draw(8)
        row, certificate = solve_row(economy, policy, endogenous)
        assert certificate.residual < 1e-10
        moved = np.abs(named(economy.parameters, row)["A_L"] - 1.0).max() > 1e-4
        assert moved == endogenous
