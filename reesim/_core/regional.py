"""The regional correction of the static system: two directions a region in which the plain iteration is slow, solved exactly.

How expensive a region is, and how much it spends, settle only at the rate at which it trades with others. Along all its costs
and all its spending together the derivative of a pass is known at the baseline, all but exactly, from flows between regions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reesim._core.layout import Array, Parameters

WELL_POSED = 1e8
"""Condition number, in the norm of column sums, up to which an inverse speeds anything up."""


@dataclass(frozen=True, slots=True)
class RegionalCorrection:
    """What is added to a residual of log c and log E.

    Parameters
    ----------
    cost_weight, spending_weight : (i, s) ndarray
        Residuals of a region's costs and spending count with its baseline sales and spending.
    matrix : (2N, 2N) ndarray
        From those 2N averages, costs first, to what all costs and all spending of a region move by beyond the residual.
    """

    cost_weight: Array
    spending_weight: Array
    matrix: Array

    @classmethod
    def of(cls, parameters: Parameters) -> RegionalCorrection:
        """Linearise a pass of the static system at the baseline, research and rare earths apart."""
        par, n = parameters.views(), parameters.regions
        share, spent = par["trade_share0"], par["expenditure0"]
        flow = share / (par["tariff0"] * par["export_tax0"])
        flow *= spent
        sales = flow.sum(axis=1)
        world, added, total = _weights(sales), par["phi_va"] * sales, spent.sum(axis=1)
        per_sale = 1.0 / np.where(sales > 0.0, sales, 1.0)
        # a region's sources by importer, of all goods together: what a good's own would add is not worth its N^3 S
        mix = np.einsum("jis,is->ji", share, spent / total[:, None])
        wage = _sales_by_region(flow, added / added.sum(axis=1)[:, None] * per_sale, par["sigma"], mix)
        bills = _sales_by_region(flow, (sales - added) / total[:, None] * per_sale, par["sigma"], mix)
        payroll = par["labour0"] / par["labour0"].sum()
        wage = tuple(by - payroll @ by for by in wage)  # the numeraire
        labour = (world * par["phi_va"]).sum(axis=1)[:, None]
        earned = (added.sum(axis=1) / total)[:, None]
        taxes = np.diag(1.0 - flow.sum(axis=(0, 2)) / total)
        by_price = np.einsum("jis,is->ij", share, (world[:, None] @ par["phi"])[:, 0])
        derivative = np.block(
            [
                [labour * wage[1] + by_price, labour * wage[0]],
                [earned * wage[1] + bills[1], earned * wage[0] + bills[0] + taxes],
            ]
        )
        return cls(world, _weights(spent), _inverse_less_one(np.eye(2 * n) - derivative))


def _sales_by_region(flow: Array, weight: Array, sigma: Array, mix: Array) -> tuple[Array, Array]:
    """Weighted log sales of a region by the spending of every region, and by its cost of goods, (N, N) each."""
    by_spending: Array = (flow @ weight[:, :, None])[:, :, 0]
    bent = (flow @ (weight * (1.0 - sigma))[:, :, None])[:, :, 0]
    return by_spending, np.diag(bent.sum(axis=1)) - bent @ mix.T


def _inverse_less_one(matrix: Array) -> Array:
    """What corrects; nothing where regions do not trade with each other, and their relative size is anybody's choice."""
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return np.zeros_like(matrix)
    condition = np.abs(matrix).sum(axis=0).max() * np.abs(inverse).sum(axis=0).max()
    if not condition < WELL_POSED:
        return np.zeros_like(matrix)
    correction: Array = np.ascontiguousarray(inverse - np.eye(len(matrix)))
    return correction


def _weights(level: Array) -> Array:
    weights: Array = level / level.sum(axis=1)[:, None]
    return weights
