"""The regional correction of the static system: two directions a region in which the plain iteration is slow, solved exactly.

How expensive a region is, and how much it spends, settle only at the rate at which it trades with others. Along all its costs
and all its spending together the derivative of a pass is known in closed form at the baseline: two matrices of N by N for what
it does to sales, and shares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reesim._core.layout import Array, Parameters

CLOSED = 1e10
"""Largest entry of an inverse that is one: a region that trades a billionth of its income has about as much."""


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
        net = 1.0 / (par["tariff0"] * par["export_tax0"])
        flow = share * net * spent[None]
        sales = flow.sum(axis=1)
        world, added = _weights(sales), par["phi_va"] * sales
        per_sale = flow / np.where(sales > 0.0, sales, 1.0)[:, None, :]
        total = spent.sum(axis=1)
        wage = _by_region(parameters, per_sale, added / added.sum(axis=1)[:, None])
        bills = _by_region(parameters, per_sale, (sales - added) / total[:, None])
        payroll = par["labour0"] / par["labour0"].sum()
        wage = wage - np.broadcast_to(np.tensordot(payroll, wage, axes=(0, 1))[:, None], wage.shape)  # the numeraire
        labour = (world * par["phi_va"]).sum(axis=1)[:, None]
        inputs = np.matmul(world[:, None], par["phi"])[:, 0]
        earned = (added.sum(axis=1) / total)[:, None]
        taxes = 1.0 - flow.sum(axis=(0, 2)) / total
        by_price = np.einsum("jis,is->ij", share, inputs)
        derivative = np.block(
            [
                [labour * wage[1] + by_price, labour * wage[0]],
                [earned * wage[1] + bills[1], earned * wage[0] + bills[0] + np.diag(taxes)],
            ]
        )
        identity = np.eye(2 * n)
        matrix: Array = np.ascontiguousarray(_inverse(identity - derivative) - identity)
        return cls(world, _weights(spent), matrix)


def _inverse(matrix: Array) -> Array:
    """Inverse; its pseudo-inverse where a region does not trade, so that nothing says what its money is worth elsewhere."""
    try:
        inverse: Array = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    except np.linalg.LinAlgError:
        inverse = np.full_like(matrix, np.inf)
    if np.abs(inverse).max() < CLOSED:
        return inverse
    return np.asarray(np.linalg.pinv(matrix, rcond=1.0 / CLOSED), dtype=np.float64)


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


def _by_region(parameters: Parameters, per_sale: Array, weight: Array) -> Array:
    """Weighted log sales of a region by the spending of every region and by its cost of goods, (2, N, N)."""
    n, share = parameters.regions, parameters.views()["trade_share0"].reshape(parameters.regions, -1)
    pull = weight[:, None, :] * per_sale
    bent = pull * (1.0 - parameters.views()["sigma"])
    by_cost = np.diag(bent.sum(axis=(1, 2))) - bent.reshape(n, -1) @ share.T
    return np.stack([pull.sum(axis=2), by_cost])
