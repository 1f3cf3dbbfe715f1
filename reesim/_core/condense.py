"""Sectors that are not traded, eliminated exactly: a smaller economy with the same wages, prices and trade.

Without research that responds, rare earths, or a price elasticity of final demand other than one, the cost of a sector that is
not traded is log-linear in wages and traded prices, and its sales are linear in final demand and traded sales, (6), (13). One
inverse a region, once, folds these sectors into the costs of the others and into final demand; what of final demand ends up as
value added of such sectors is the one sector ``home`` of the smaller economy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from reesim._core.layout import PARAMETERS, POLICY, ROW, Array, Layout, Parameters
from reesim._core.regional import RegionalCorrection

Positions = npt.NDArray[np.intp] | slice


@dataclass(frozen=True, slots=True)
class Condensed:
    """An economy without its sectors that are not traded, and the way back.

    Parameters
    ----------
    parameters : layout.Parameters
        The smaller economy: its traded sectors, and ``home`` last.
    correction : regional.RegionalCorrection
        Of the smaller economy.
    full : layout.Parameters
        The economy it stands for.
    traded, local : slice, or ndarray of int
        Positions of the T sectors that are traded and the U that are not; slices, which copy faster, where they can be.
    inverse : (i, U, U) ndarray
        (I - phi_UU)^-1, using sector first.
    materials : (i, U, T) ndarray
        Traded inputs, direct and indirect, of sectors that are not.
    pull : (i, T, U) ndarray
        Inputs from sectors that are not traded, direct and indirect, of those that are.
    """

    parameters: Parameters
    correction: RegionalCorrection
    full: Parameters
    traded: Positions
    local: Positions
    inverse: Array
    materials: Array
    pull: Array

    @classmethod
    def of(cls, full: Parameters) -> Condensed | None:
        """Condense an economy with technology as it is; None if nothing can be eliminated, or not exactly."""
        par = full.views()
        own = np.arange(full.regions)
        is_traded = np.asarray((par["trade_share0"][own, own] != 1.0).any(axis=0))  # shares add to one
        if is_traded.all() or par["ree_supply"].any() or par["ree_share0"].any() or float(par["rho"]) != 1.0:
            return None
        T, U = _positions(is_traded), _positions(~is_traded)
        by_traded, by_local = par["phi"][:, T], par["phi"][:, U]
        inverse = np.asarray(np.linalg.inv(np.eye(by_local.shape[1]) - by_local[:, :, U]), dtype=np.float64)
        materials = inverse @ by_local[:, :, T]
        pull = by_traded[:, :, U] @ inverse
        added = par["phi_va"]
        alpha_T = par["alpha"][:, T] + (par["alpha"][:, None, U] @ materials)[:, 0]
        home = 1.0 - alpha_T.sum(axis=1)
        size = by_traded.shape[1] + 1
        layout = Layout(PARAMETERS, full.regions, size)
        block = np.zeros(layout.size)
        small = layout.views(block)
        for name, axes in PARAMETERS:
            if "s" not in axes:
                small[name][...] = par[name]
            elif name not in ("phi", "alpha"):
                small[name][..., :-1] = par[name][..., T]
                small[name][..., -1] = _HOME.get(name, 0.0)
        small["trade_share0"][own, own, -1] = 1.0
        small["phi_va"][:, :-1] += (pull @ added[:, U][:, :, None])[:, :, 0]
        small["phi"][:, :-1, :-1] = by_traded[:, :, T] + by_traded[:, :, U] @ materials
        small["alpha"][:, :-1], small["alpha"][:, -1] = alpha_T, home
        final = par["expenditure0"].sum(axis=1) - ((1.0 - added) * par["revenue0"]).sum(axis=1)
        small["revenue0"][:, -1] = small["expenditure0"][:, -1] = home * final
        small["research_L0"][:, -1] = par["research_L0"][:, U].sum(axis=1)
        block.setflags(write=False)
        parameters = replace(full, sectors=size, block=block)
        return cls(parameters, RegionalCorrection.of(parameters), full, T, U, inverse, materials, pull)

    def policy(self, block: Array) -> Array | None:
        """The same policy on the smaller economy; None if it subsidises output of a sector that is not there."""
        n = self.full.regions
        given = Layout(POLICY, n, self.full.sectors).views(block)
        if (given["output_subsidy"][:, self.local] != 1.0).any():
            return None
        layout = Layout(POLICY, n, self.parameters.sectors)
        small = np.empty(layout.size)
        views = layout.views(small)
        for name, axes in POLICY:
            view = views[name]
            if "s" not in axes:
                view[...] = given[name]
            else:
                view[..., :-1] = given[name][..., self.traded]
                view[..., -1] = 0.0 if name.startswith("entry") else 1.0
        made_cheaper = np.log(given["productivity"][:, self.local])
        if made_cheaper.any():
            views["productivity"][:, :-1] *= np.exp((self.pull @ made_cheaper[:, :, None])[:, :, 0])
        return small

    def row(self, block: Array, small: Array) -> Array:
        """The row of the full economy that a row of the smaller one stands for."""
        n, T, U = self.full.regions, self.traded, self.local
        par = self.full.views()
        layout = Layout(ROW, n, self.full.sectors)
        row = np.empty(layout.size)
        out, found = layout.views(row), Layout(ROW, n, self.parameters.sectors).views(small)
        for name, axes in ROW:
            view = out[name]
            if "s" not in axes:
                view[...] = found[name]
            else:
                view[..., T] = found[name][..., :-1]
        out["trade_share"][:, :, U] = np.eye(n)[:, :, None]
        out["ree_share"][:, U], out["A_R"][:, U], out["A_L"][:, U] = 0.0, 1.0, 1.0
        log_wage, log_P = np.log(found["wage"]), np.log(found["price_index"][:, :-1])
        added = Layout(POLICY, n, self.full.sectors).views(block)["productivity"][:, U]
        own = par["phi_va"][:, U] * log_wage[:, None] - np.log(added)
        log_p = (self.inverse @ own[:, :, None] + self.materials @ log_P[:, :, None])[:, :, 0]
        for name in ("unit_cost", "posted_price", "price_index"):
            out[name][:, U] = np.exp(log_p)
        out["value_added_price"][:, U] = found["wage"][:, None]
        final = par["alpha"][:, U] * found["final_demand"][:, None]
        used = (found["spending"][:, None, :-1] @ self.pull)[:, 0]
        sales = (final[:, None] @ self.inverse)[:, 0] + used
        for name in ("expenditure", "revenue", "spending"):
            out[name][:, U] = sales
        log_P_C = np.sum(par["alpha"][:, T] * log_P, axis=1) + np.sum(par["alpha"][:, U] * log_p, axis=1)
        out["price_consumption"][...] = np.exp(log_P_C)
        return row


def _positions(mask: npt.NDArray[np.bool_]) -> Positions:
    found = np.flatnonzero(mask)
    if found.size and found[-1] - found[0] + 1 == found.size:
        return slice(int(found[0]), int(found[-1]) + 1)
    return found


_HOME = {"tariff0": 1.0, "export_tax0": 1.0, "phi_va": 1.0, "sigma": 2.0, "epsilon": 1.0}
"""What arrays of the smaller economy say of ``home``, where it is not zero."""
