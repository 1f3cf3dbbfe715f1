"""The accounts of one row in values, prices and quantities: what decompositions of welfare compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from reesim._core.layout import POLICY, ROW, Layout, Parameters

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Accounts:
    """One row in values (million USD a year) and in prices relative to the baseline.

    Axes as in the core; ``v`` is the bundle, R then L.

    Parameters
    ----------
    wage_i, income_i, price_consumption_i : (N,) ndarray
        Income is what households consume.
    price_is : (N, S) ndarray
        Producer prices.
    border_jis, producer_jis : (N, N, S) ndarray
        Flows before the tariff, and what the producer gets of them.
    cif_jis : (N, N, S) ndarray
        Prices before the tariff, trade costs included.
    tariff_jis, tax_jis, iceberg_jis : (N, N, S) ndarray
        One plus rates in force; factor on trade costs.
    gap_jis : (N, N, S) ndarray
        Spending on a flow less what it would be at its shadow price; zero where shares are optimal, (11).
    revenue_is, spending_is, subsidy_is, productivity_is : (N, S) ndarray
        The subsidy is a rate.
    added_vis, measure_vis, outlay_vis, entry_subsidy_vis : (2, N, S) ndarray
        Value added by bundle, measures, f in units of entry, and the share of the entry cost that households pay.
    unit_i : (N,) ndarray
        Price of the unit of entry.
    labour_i, deficit_i : (N,) ndarray
        Endowment at baseline wages; deficit received.
    ree_price_i, paid_i, fob_i, kept_i : (N,) ndarray
        User price; the same for a unit at baseline mine prices, less what the importer keeps of it, and that rent.
    mine_price : float
    bought_i : (N,) ndarray
        Rare earths from the supplier, at baseline mine prices.
    mined_ji : (N, N) ndarray
        Rare earths of other mines by owner and market.
    """

    wage_i: Array
    income_i: Array
    price_consumption_i: Array
    price_is: Array
    border_jis: Array
    producer_jis: Array
    cif_jis: Array
    tariff_jis: Array
    tax_jis: Array
    iceberg_jis: Array
    gap_jis: Array
    revenue_is: Array
    spending_is: Array
    subsidy_is: Array
    added_vis: Array
    measure_vis: Array
    unit_i: Array
    outlay_vis: Array
    entry_subsidy_vis: Array
    productivity_is: Array
    labour_i: Array
    deficit_i: Array
    ree_price_i: Array
    paid_i: Array
    fob_i: Array
    kept_i: Array
    mine_price: float
    bought_i: Array
    mined_ji: Array


def baseline_row(parameters: Parameters) -> Array:
    """Row of the core at the baseline."""
    par = parameters.views()
    layout = Layout(ROW, parameters.regions, parameters.sectors)
    row = np.ones(layout.size)
    views = layout.views(row)
    for name in ("ree_wedge_quota", "ree_wedge_embargo"):
        views[name][...] = 0.0
    materials = np.einsum("iks,ik->is", par["phi"], par["revenue0"])
    views["trade_share"][...], views["ree_share"][...] = par["trade_share0"], par["ree_share0"]
    views["revenue"][...], views["spending"][...] = par["revenue0"], par["revenue0"]
    views["expenditure"][...] = par["expenditure0"]
    views["final_demand"][...] = (par["expenditure0"] - materials).sum(axis=1)
    return row


def _least_cost_gap(par: Mapping[str, Array], row: Mapping[str, Array], price: Array) -> Array:
    """Spending on each flow less its share of the composite at shadow prices, (N, N, S), (20)."""
    share, share0 = row["trade_share"], par["trade_share0"]
    traded = share0 > 0.0
    quantity = np.divide(share, share0 * price, out=np.ones_like(share), where=traded)
    shadow = share0 * quantity ** ((par["sigma"] - 1.0) / par["sigma"])
    gap: Array = (share - shadow / shadow.sum(axis=0)) * row["expenditure"]
    return gap


def _rare_earths(
    parameters: Parameters, row: Mapping[str, Array], policy: Mapping[str, Array], value: Array
) -> dict[str, Any]:
    """Prices and quantities of rare earths, (15), and what they earn by region."""
    par, supplier = parameters.views(), parameters.supplier
    foreign = np.arange(parameters.regions) != supplier
    relative = row["ree_price"][None] / row["wage"][:, None]
    mined = policy["mine_supply"] * par["ree_supply"].sum() * relative ** par["ree_elasticity"][:, None]
    paid = par["tax0"] * row["ree_price"]
    bought = value / paid - mined.sum(axis=0)
    kept = np.where(foreign, policy["rent_share"] * par["tax0"] * row["ree_wedge_quota"] * row["ree_mine_price"], 0.0)
    fob = paid - kept
    earned = mined @ paid + kept * bought
    earned[supplier] += fob @ bought
    return {
        "ree_price_i": row["ree_price"], "paid_i": paid, "fob_i": fob, "kept_i": kept, "bought_i": bought,
        "mined_ji": mined, "mine_price": float(row["ree_mine_price"]), "earned": earned,
    }  # fmt: skip


def read_accounts(parameters: Parameters, block: Array, in_force: Array) -> Accounts:
    """Read the accounts off a row and the policy it was solved at."""
    n, s = parameters.regions, parameters.sectors
    par, row = parameters.views(), Layout(ROW, n, s).views(block)
    policy = Layout(POLICY, n, s).views(in_force)
    mu, good = float(par["mu"]), parameters.entry_in_final_good
    cif = row["posted_price"][:, None] * policy["iceberg"] * (policy["export_tax"] / par["export_tax0"])
    border = row["trade_share"] * row["expenditure"] / policy["tariff"]
    producer = border / policy["export_tax"]
    added = par["phi_va"] * row["spending"]
    bundles = np.stack([row["ree_share"] * added, (1.0 - row["ree_share"]) * added])
    outlay = np.stack([par["research_R0"], par["research_L0"]])
    measure = np.stack([row["A_R"], row["A_L"]])
    unit = row["price_consumption"] if good else row["wage"]
    research = unit * (outlay * measure).sum(axis=(0, 2))
    ree = _rare_earths(parameters, row, policy, (mu - 1.0) / mu * bundles[0].sum(axis=1))
    labour = par["labour0"] * policy["labour"]
    own = (row["revenue"] - row["spending"] + added / mu).sum(axis=1) + row["wage"] * labour + ree.pop("earned")
    own += ((policy["tariff"] - 1.0) * border).sum(axis=(0, 2)) + (border - producer).sum(axis=(1, 2))
    return Accounts(
        wage_i=row["wage"], income_i=row["final_demand"] - (research if good else 0.0),
        price_consumption_i=row["price_consumption"], price_is=row["posted_price"], border_jis=border,
        producer_jis=producer, cif_jis=cif, tariff_jis=policy["tariff"], tax_jis=policy["export_tax"],
        iceberg_jis=policy["iceberg"], gap_jis=_least_cost_gap(par, row, cif * policy["tariff"] / par["tariff0"]),
        revenue_is=row["revenue"], spending_is=row["spending"], subsidy_is=policy["output_subsidy"] - 1.0,
        added_vis=bundles, measure_vis=measure, unit_i=unit, outlay_vis=outlay,
        entry_subsidy_vis=np.stack([policy["entry_subsidy_R"], policy["entry_subsidy_L"]]),
        productivity_is=policy["productivity"], labour_i=labour,
        deficit_i=row["final_demand"] - own + (0.0 if good else research), **ree,
    )  # fmt: skip
