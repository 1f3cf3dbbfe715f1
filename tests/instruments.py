"""Small economies with a tax on everything, the policy with every instrument in it, and their solution by the reference."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from random_economies import random_calibration

from reesim._core import reference as ref
from reesim._core import reference_engine as engine
from reesim._core.layout import POLICY, ROW, Array, Layout, Parameters, no_policy
from reesim.calibration import Calibration
from reesim.economy import Economy

EIGHT = [(entry, price, trade) for entry in (0.3, 1.0) for price in (0.2, 1.0) for trade in (0.2, 1.0)]
"""Shares of the gap that entry, prices and trade close in a step."""


def plain(rng: np.random.Generator, n: int, s: int, **changes: object) -> Calibration:
    """A random baseline without taxes on goods, in which everybody makes and buys everything."""
    while True:
        cal = random_calibration(rng, n, s, **changes)
        if (
            not cal.tariff_jis.any()
            and not cal.export_tax_jis.any()
            and cal.revenue_is.all()
            and cal.expenditure_is.all()
        ):
            return cal


def with_taxes(rng: np.random.Generator, cal: Calibration) -> Calibration:
    """Add tariffs, taxes on exports and supply elasticities to a baseline; final demand takes what buyers pay more."""
    n, s = cal.final_is.shape
    abroad = ~np.eye(n, dtype=bool)[:, :, None]
    tariff = abroad * rng.uniform(0.0, 0.2, (n, n, s))
    tax = abroad * rng.uniform(0.0, 0.1, (n, n, s))
    spent = (cal.trade_jis * (1.0 + tariff) * (1.0 + tax)).sum(axis=0)
    return cal.replace(
        tariff_jis=tariff, export_tax_jis=tax, ree_elasticity_i=rng.uniform(0.2, 1.5, n),
        final_is=spent - cal.materials_iks.sum(axis=1),
    )  # fmt: skip


def every_instrument(rng: np.random.Generator, parameters: Parameters, size: float = 1.0) -> Array:
    """Policy with everything in it; at size zero it is the baseline's own, but for the rent share and limits that are slack."""
    n, s, home = parameters.regions, parameters.sectors, parameters.supplier
    block = no_policy(parameters)
    views = Layout(POLICY, n, s).views(block)
    views["tax"][...] = 1.0 + size * rng.uniform(-0.1, 0.6, n)
    views["tax"][home] = 1.0
    views["quota"][...], views["rent_share"][...] = 1.0 - 0.25 * size, 0.4
    views["embargo"][(home + 1) % n] = 1.0 - 0.5 * size
    views["ree_supply"][...] = 1.0 + size * rng.uniform(-0.1, 0.2)
    views["ree_limit"][...] = 1.5
    mines = size * rng.uniform(0.0, 0.02, (n, n))
    mines[:, parameters.views()["ree_use0"] == 0.0] = 0.0
    views["mine_supply"][...] = mines
    views["labour"][...] = 1.0 + size * rng.uniform(-0.1, 0.1, n)
    views["productivity"][...] = 1.0 + size * rng.uniform(-0.1, 0.1, (n, s))
    views["output_subsidy"][...] = 1.0 + size * rng.uniform(-0.05, 0.1, (n, s))
    for name in ("entry_subsidy_R", "entry_subsidy_L"):
        views[name][...] = size * rng.uniform(0.0, 0.2, (n, s))
    abroad = ~np.eye(n, dtype=bool)[:, :, None]
    for name, low, high in (("tariff", -0.05, 0.3), ("export_tax", -0.1, 0.1), ("iceberg", -0.1, 0.1)):
        views[name][...] *= 1.0 + size * abroad * rng.uniform(low, high, (n, n, s))
    return block


def drawn(seed: int, size: float = 1.0) -> tuple[Economy, Array]:
    """Small economy with a tax on everything, and the policy with everything in it."""
    rng = np.random.default_rng(seed)
    n, s = int(rng.integers(2, 5)), int(rng.integers(1, 5))
    economy = Economy(with_taxes(rng, plain(rng, n, s)))
    return economy, every_instrument(rng, economy.parameters, size)


def with_holes(cal: Calibration) -> Calibration:
    """Nobody makes the last good in the first region, and nobody buys it in the second, where it is made for others."""
    trade, materials = cal.trade_jis.copy(), cal.materials_iks.copy()
    trade[0, :, -1] = trade[:, 1, -1] = 0.0
    trade[1, 2, -1] += 100.0
    trade[2, 0, -1] += 100.0
    materials[0, -1, :] = materials[1, :, -1] = materials[1, -1, :] = 0.0
    spent = (trade * (1.0 + cal.tariff_jis) * (1.0 + cal.export_tax_jis)).sum(axis=0)
    return cal.replace(
        trade_jis=trade, materials_iks=materials, final_is=spent - materials.sum(axis=1), signed=True,
    )  # fmt: skip


def packed(parameters: Parameters, eq: SimpleNamespace) -> Array:
    """A row of the reference as the core lays it out."""
    row = np.empty(Layout(ROW, parameters.regions, parameters.sectors).size)
    for name, view in Layout(ROW, parameters.regions, parameters.sectors).views(row).items():
        view[...] = getattr(eq, name)
    return row


def static_row(economy: Economy, policy: Array, endogenous: bool) -> Array:
    """Static equilibrium of the reference."""
    p = economy.parameters
    with np.errstate(all="ignore"):  # an iteration may overshoot and be taken back
        return packed(p, engine.solve_static(p, ref.name_policy(p, policy), endogenous)[0])


def stepped_rows(economy: Economy, policy: Array, speeds: tuple[float, float, float]) -> list[Array]:
    """A row at the baseline and two under the policy, by the reference."""
    p = economy.parameters
    named = SimpleNamespace(entry=speeds[0], price=speeds[1], trade=speeds[2])
    regimes = [ref.name_policy(p, no_policy(p)), ref.name_policy(p, policy)]
    with np.errstate(all="ignore"):
        return [packed(p, eq) for eq in engine.run(p, named, [regimes[0], regimes[1], regimes[1]])]
