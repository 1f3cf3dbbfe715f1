"""Awkward economies and strong policies against the model in levels: holes in the table, steep demand, prices halved."""

from __future__ import annotations

import independent_trade as levels
import numpy as np
import pytest
from test_published import INSTRUMENTS, Arrays, calibration_of, drawn, solved

from reesim.economy import Economy


def economy_of(world: levels.World, before: levels.Equilibrium) -> Economy:
    closure = "own_income_share" if world.deficit_follows_income else "world_labour_share"
    return Economy(calibration_of(levels.table(world, before), world.sigma_s, world.rho, closure))


def assert_same(row: Arrays, before: levels.Equilibrium, after: levels.Equilibrium) -> None:
    """Two solutions, each good to 1e-11 or so, times conditioning; what nobody makes or buys has no price to compare."""
    made, bought = before.sales_is > 0.0, before.spending_is > 0.0
    assert np.abs(np.log(row["wage"])).max() > 1e-3
    np.testing.assert_allclose(row["wage"], after.wage_i / before.wage_i, rtol=1e-9)
    np.testing.assert_allclose(row["price_index"][bought], (after.price_is / before.price_is)[bought], rtol=1e-9)
    np.testing.assert_allclose(row["unit_cost"][made], (after.cost_is / before.cost_is)[made], rtol=1e-9)
    np.testing.assert_allclose(row["trade_share"] * bought, after.share_jis * bought, rtol=1e-8, atol=1e-13)
    np.testing.assert_allclose(row["revenue"], after.sales_is, rtol=1e-9)
    np.testing.assert_allclose(row["final_demand"], after.income_i, rtol=1e-9)


ZEROS = {
    "local": {"local": 1},
    "unmade": {"unmade": (0, 2)},
    "unused": {"unused": (1, 0)},
    "all": {"local": 1, "unmade": (2, 2), "unused": (0, 0)},
}


@pytest.mark.parametrize("zeros", list(ZEROS))
def test_zeros_of_a_table(zeros):
    follows = zeros in ("local", "unused")
    world = levels.random_world(len(zeros), 3, 3, export_taxes=True, deficit_follows_income=follows)
    world = levels.with_zeros(world, **ZEROS[zeros])
    changed, policy = drawn(world, INSTRUMENTS, seed=3)
    if "local" in ZEROS[zeros]:  # without a subsidy to it, the sector is eliminated before the rest is solved
        changed.subsidy_is[:, 1], policy["output_subsidy"][:, 1] = 0.0, 1.0
    before, after = levels.solve(world), levels.solve(changed)
    economy = economy_of(world, before)
    assert (economy.condensed is not None) == ("local" in ZEROS[zeros])
    assert_same(solved(economy, policy), before, after)


def test_a_subsidised_sector_that_is_not_traded():
    world = levels.with_zeros(levels.random_world(5, 2, 3), local=0)
    changed, policy = drawn(world, ("output_subsidy", "tariff"), seed=5)
    before, after = levels.solve(world), levels.solve(changed)
    assert_same(solved(economy_of(world, before), policy), before, after)


STRONG = {
    "cheaper": ("productivity_is", "productivity", 20.0),
    "dearer": ("productivity_is", "productivity", 0.5),
    "open": ("iceberg_jis", "iceberg", 0.5),
    "closed": ("iceberg_jis", "iceberg", 3.0),
}


@pytest.mark.parametrize("sigma", [1.05, 30.0])
@pytest.mark.parametrize("change", list(STRONG))
def test_strong_changes_and_steep_demand(change, sigma):
    """Powers of prices from 1e-20 to 1e20, of which none may lose its digits."""
    world = levels.random_world(5, 2, 2).change(sigma_s=np.array([sigma, 4.0]))
    name, instrument, factor = STRONG[change]
    old = getattr(world, name)
    size = np.full(old.shape, factor)
    if old.ndim == 3:
        size[[0, 1], [0, 1]] = 1.0
    else:
        size[:, 1:] = 1.0
    changed = world.change(**{name: old * size})
    before, after = levels.solve(world), levels.solve(changed)
    row = solved(economy_of(world, before), {instrument: size})
    np.testing.assert_allclose(row["price_index"], after.price_is / before.price_is, rtol=1e-9)
    np.testing.assert_allclose(row["trade_share"], after.share_jis, rtol=1e-7, atol=1e-300)  # small ones as well
    np.testing.assert_allclose(row["revenue"], after.sales_is, rtol=1e-9)
