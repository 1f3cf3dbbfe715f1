"""Policies of a scenario as blocks of the core: one for each regime, in the units of the calibrated economy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from reesim._core.layout import POLICY, Layout, no_policy

if TYPE_CHECKING:
    from reesim.economy import Economy
    from reesim.scenario.regimes import PolicySchedule, Regime

Array = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]


def lower(schedule: PolicySchedule, economy: Economy) -> tuple[Array, Positions]:
    """Lay a schedule out for the core.

    Returns
    -------
    blocks : (M, policy size) ndarray
        One a regime.
    regimes : (T,) ndarray of int64
        Which of them holds in each period.

    Raises
    ------
    InputError
        If a change of a tariff or export tax leaves a rate of -100 % or less.
    """
    blocks = [_block(regime, economy) for regime in schedule.regimes]
    together = blocks[0][None] if len(blocks) == 1 else np.stack(blocks)
    return together, np.array(schedule.regime_t, np.int64)


def _block(regime: Regime, economy: Economy) -> Array:
    parameters, calibration = economy.parameters, economy.calibration
    block = no_policy(parameters)
    views = Layout(POLICY, parameters.regions, parameters.sectors).views(block)
    tonnes = calibration.baseline_supply_tonnes
    a_tonne = 1.0 / tonnes if tonnes > 0.0 else 0.0
    given: dict[str, npt.ArrayLike] = {
        "tax": regime.tax_i, "embargo": regime.embargo_i, "quota": regime.quota, "rent_share": regime.rent_share,
        "ree_supply": regime.ree_supply, "ree_limit": regime.ree_limit_share + regime.ree_limit_tonnes * a_tonne,
        "mine_supply": regime.mine_share_ji + regime.mine_tonnes_ji * a_tonne, "labour": regime.labour_i,
        "productivity": regime.productivity_is, "output_subsidy": regime.output_subsidy_is,
        "entry_subsidy_R": regime.entry_subsidy_R_is, "entry_subsidy_L": regime.entry_subsidy_L_is,
    }  # fmt: skip
    for name, value in given.items():
        views[name][...] = value
    labels = economy.regions, economy.sectors
    if regime.tariff is not None:
        views["tariff"][...] = 1.0 + regime.tariff.applied(calibration.tariff_jis, *labels)
    if regime.export_tax is not None:
        rates = regime.export_tax.applied(calibration.export_tax_jis, *labels, "tax on exports")
        views["export_tax"][...] = 1.0 + rates
    if regime.iceberg_jis is not None:
        views["iceberg"][...] = regime.iceberg_jis
    return block


def slack_alerts(blocks: Array, economy: Economy) -> tuple[str, ...]:
    """Say of production quotas that no mine would meet; nothing where supply responds to prices and might.

    Parameters
    ----------
    blocks : (M, policy size) ndarray
        As `lower` gives them.
    """
    parameters, calibration = economy.parameters, economy.calibration
    views = Layout(POLICY, parameters.regions, parameters.sectors).views(blocks)
    limits, supply = views["ree_limit"], views["ree_supply"]
    slack = np.isfinite(limits) & (limits >= supply)
    if not slack.any() or calibration.ree_elasticity_i[calibration.supplier] != 0.0:
        return ()
    tonnes = calibration.baseline_supply_tonnes
    least = float(limits[slack].min()) * tonnes
    made = float(supply[slack][limits[slack].argmin()]) * tonnes
    return (
        f"a production quota of {least:,.0f} t a year does not bind: the exporter's mines yield {made:,.0f} t a year under these "
        "rare-earth shares",
    )
