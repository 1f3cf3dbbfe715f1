"""Shares of the R bundle in value added at the baseline, (23): by a formula, by the accounts, by requirements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from reesim.errors import CalibrationError

if TYPE_CHECKING:
    from reesim.data.composite import TradeTable
    from reesim.scenario import Elasticities, Scenario

Array = npt.NDArray[np.float64]


def bundle_share(gamma: Array, epsilon: Array) -> Array:
    """Share of the R bundle in value added at a baseline relative price of one, (23). Zero where gamma is zero."""
    gamma, epsilon = np.asarray(gamma, dtype=float), np.asarray(epsilon, dtype=float)
    uses = gamma > 0.0
    odds = np.where(uses, gamma, 0.5) / (1.0 - np.where(uses, gamma, 0.5))
    share: Array = np.where(uses, odds**epsilon / (1.0 + odds**epsilon), 0.0)
    return share


def bundle_weight(share: Array, epsilon: Array) -> Array:
    """Weight of the R bundle that a share of value added implies, the inverse of `bundle_share`, (23).

    Parameters
    ----------
    share, epsilon : array_like of one shape
        Shares in [0, 1) at a baseline relative price of one, and elasticities of substitution, above 0.

    Returns
    -------
    ndarray
        Zero where the share is zero.
    """
    share, epsilon = np.asarray(share, dtype=float), np.asarray(epsilon, dtype=float)
    # At a relative price of one (23) raises odds to a power, so that its inverse is itself at the inverse power.
    return bundle_share(share, 1.0 / epsilon)


def requirement_pattern(requirement_s: Array, output_is: Array, value_added_is: Array) -> Array:
    """Shares of value added in proportion to rare earths needed per dollar of output, before any scale [ours].

    Parameters
    ----------
    requirement_s : (S,)
        USD of rare earths per USD of output.
    output_is, value_added_is : (N, S)
        Million USD.

    Returns
    -------
    (N, S) ndarray
        Requirement x output / value added; zero where nothing is made.
    """
    # Where output leaves no value added there is no baseline, which the calibration says.
    made = (output_is > 0.0) & (value_added_is > 0.0)
    needed = requirement_s / requirement_s.max() * output_is
    pattern: Array = np.divide(needed, value_added_is, out=np.zeros_like(needed), where=made)
    return pattern


def accounts_share(pattern_is: Array, value_added_is: Array, mu: float, value_i: Array) -> Array:
    """Scale a pattern of shares by one factor a region so that rare-earth use has given values, (23) [ours].

    Parameters
    ----------
    pattern_is, value_added_is : (N, S)
    value_i : (N,)
        Rare-earth use at user prices, million USD.
    """
    use = (mu - 1.0) / mu * (pattern_is * value_added_is).sum(axis=1)
    return pattern_is * (value_i / use)[:, None]


def of_scenario(scenario: Scenario, table: TradeTable, elasticities: Elasticities, mu: float) -> tuple[Array, Array]:
    """Shares that a scenario asks for, and the weights of the R bundle that they imply, (23).

    Parameters
    ----------
    scenario : Scenario
        Its ``calibration.ree_shares`` and requirements are read.
    table : TradeTable
        Balanced, of the scenario's regions and sectors.
    elasticities : Elasticities
    mu : float
        Finite.

    Returns
    -------
    share_is : (N, S) ndarray
        Of value added.
    gamma_s : (S,) ndarray

    Raises
    ------
    CalibrationError
        If the scenario has read no requirements, or the accounts cannot be met.
    """
    world, epsilon, added = scenario.world, np.array(elasticities.epsilon_s), table.value_added_is
    chosen = scenario.calibration.ree_shares if world.exporter is not None else "none"
    if world.requirements is None:
        if chosen == "io_table":
            raise CalibrationError("this scenario was put together by hand and has read no requirements: load it")
        gamma = np.array(elasticities.gamma_s)
        share = np.where(table.output_js > 0.0, bundle_share(gamma, epsilon), 0.0)
        return _to_accounts(share, table, mu) if chosen == "accounts" else share, gamma
    needed = np.array([world.requirements.by_sector[code] for code in table.sectors])
    share = _to_accounts(requirement_pattern(needed, table.output_js, added), table, mu)
    whole = added.sum(axis=0)
    mean = np.divide((share * added).sum(axis=0), whole, out=np.zeros_like(whole), where=whole > 0.0)
    return share, bundle_weight(mean, epsilon)


def _to_accounts(pattern: Array, table: TradeTable, mu: float) -> Array:
    """Scale a pattern of shares by one factor a region to the rare-earth accounts, (23) [ours]."""
    from reesim.data import tables

    accounts = tables.load_rare_earth_accounts().set_index("key")["value"]
    split = np.array([accounts[f"use_share.{code}"] for code in table.regions], dtype=float)
    value = float(accounts["market_value"]) * split / split.sum()
    idle = ~(pattern * table.value_added_is > 0.0).any(axis=1)
    if idle.any():
        at = int(idle.argmax())
        raise CalibrationError(
            f"the accounts have {value[at]:,.0f} million USD of rare earths used in {table.regions.codes[at]}, where no "
            "sector that uses any produces: let another sector use some, or take calibration.ree_shares: deck"
        )
    share = accounts_share(pattern, table.value_added_is, mu, value)
    if not (share < 1.0).all():
        i, s = np.unravel_index(int(share.argmax()), share.shape)
        raise CalibrationError(
            f"rare earths would be {share[i, s]:.3g} times the value added of {table.sectors.codes[s]} in "
            f"{table.regions.codes[i]}, by the accounts' {value[i]:,.0f} million USD there: let larger sectors use some"
        )
    return share
