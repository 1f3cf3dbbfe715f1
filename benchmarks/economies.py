"""Economies to time: synthetic ones of any size, the world table of 41 x 35, and the NAFTA exercise.

The public tables are read from the folder named by the environment variable REESIM_SHARED_DATA; `NoDataError` says so
where it is missing. Nothing here is solved: a `Table` holds a balanced baseline, and its `world` the change to solve for.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from baseline_numpy import Technology, World

from reesim.calibration import LARGEST_MU, Calibration
from reesim.labels import Labels

Array = npt.NDArray[np.float64]

FOLDER = "REESIM_SHARED_DATA"
SMALLEST_VALUE_ADDED = 0.05  # share of sales given to the few cells of a real table whose value added is not positive


class NoDataError(RuntimeError):
    """The public tables are not where REESIM_SHARED_DATA says, or it says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A balanced baseline without tariffs.

    Parameters
    ----------
    trade_jis : (N, N, S) ndarray
        Flow of s from j to i; its sums over i are sales, over j spending.
    materials_iks : (N, S, S) ndarray
        Spending of sector k on composite s.
    final_is : (N, S) ndarray
    sigma_s, epsilon_s : (S,) ndarray
    ree_share_is : (N, S) ndarray
        Share of the R bundle in value added.
    mu, theta, rho : float
    supplier : int
    """

    trade_jis: Array
    materials_iks: Array
    final_is: Array
    sigma_s: Array
    epsilon_s: Array
    ree_share_is: Array
    mu: float = 6.5
    theta: float = 1.0 / 5.5
    rho: float = 1.0
    supplier: int = 0

    def world(self, tariff_jis: Array, tax: float | None = None) -> World:
        """Tariffs from zero to given ones; with a tax on rare earths also endogenous technology.

        Parameters
        ----------
        tariff_jis : (N, N, S) ndarray
            1 + rate.
        tax : float, optional
            Export-tax multiplier on rare earths for every destination abroad; None is the pure trade model.
        """
        sales, spent = self.trade_jis.sum(axis=1), self.trade_jis.sum(axis=0)
        n, _ = sales.shape
        dead, unused = sales == 0.0, spent == 0.0
        share = self.trade_jis / np.where(unused, 1.0, spent)
        share[np.arange(n), np.arange(n)] += unused  # what nobody buys has a price nobody pays
        added = np.where(dead, 1.0, (sales - self.materials_iks.sum(axis=2)) / np.where(dead, 1.0, sales))
        factors, technology = (sales * added).sum(axis=1), None
        if tax is not None:
            taxes = np.full(n, tax)
            taxes[self.supplier] = 1.0
            technology = Technology(ree_share_is=self.ree_share_is, epsilon_s=self.epsilon_s, mu=self.mu,
                                    theta=self.theta, supplier=self.supplier, tax_i=taxes)  # fmt: skip
            factors = factors - (1.0 - 1.0 / self.mu) * (self.ree_share_is * sales * added).sum(axis=1)
        return World(
            share_jis=share, tariff0_jis=np.ones_like(share), tariff_jis=tariff_jis,
            phi_iks=self.materials_iks / np.where(dead, 1.0, sales)[:, :, None], phi_va_is=added,
            alpha_is=self.final_is / self.final_is.sum(axis=1, keepdims=True), labour_i=factors,
            deficit_i=self._deficit_i(technology), sigma_s=self.sigma_s, expenditure_is=spent, rho=self.rho,
            technology=technology,
        )  # fmt: skip

    def calibration(self, technology: bool) -> Calibration:
        """The same baseline for the package, rare earths and varieties included or not."""
        n, s = self.final_is.shape
        regions, sectors = (
            Labels(kind, names, names) for kind, names in (("region", _numbered("R", n)), ("sector", _numbered("S", s)))
        )
        added = self.trade_jis.sum(axis=1) - self.materials_iks.sum(axis=2)
        share = np.where(added > 0.0, self.ree_share_is, 0.0) if technology else np.zeros((n, s))
        return Calibration(
            year=2000, regions=regions, sectors=sectors, exporter=regions.codes[self.supplier] if technology else None,
            trade_jis=self.trade_jis, materials_iks=self.materials_iks, final_is=self.final_is, ree_share_is=share,
            sigma_s=self.sigma_s, epsilon_s=self.epsilon_s, gamma_s=np.zeros(s), rho=self.rho,
            mu=self.mu if technology else LARGEST_MU, theta=self.theta if technology else 0.0,
        )  # fmt: skip

    def _deficit_i(self, technology: Technology | None) -> Array:
        """Imports less exports; in the accounts of users, receipts for rare earths are income from abroad as well."""
        deficit: Array = self.trade_jis.sum(axis=(0, 2)) - self.trade_jis.sum(axis=(1, 2))
        if technology:
            added = self.trade_jis.sum(axis=1) - self.materials_iks.sum(axis=2)
            use = (1.0 - 1.0 / self.mu) * (self.ree_share_is * added).sum(axis=1)
            deficit += use
            deficit[self.supplier] -= use.sum()
        return deficit


def _numbered(letter: str, count: int) -> tuple[str, ...]:
    return tuple(f"{letter}{k}" for k in range(count))


def some_tariffs(regions: int, sectors: int, seed: int = 1, most: float = 0.2) -> Array:
    """1 + tariffs drawn from 0 to ``most`` for every flow between regions, (N, N, S)."""
    rate = np.random.default_rng(seed).uniform(0.0, most, (regions, regions, sectors))
    rate[np.arange(regions), np.arange(regions)] = 0.0
    return 1.0 + rate


def synthetic(regions: int, sectors: int, seed: int = 0, *, home: float = 0.7, density: float = 0.6) -> Table:
    """Fully traded economy, balanced by construction.

    Trade flows are drawn first; they give sales and spending. Materials then take at most 80 % of either: each cell is the
    product of the buyer's sales and the composite's spending, times a random number, and zero for some. What is left of
    spending is final demand, what is left of sales value added, so that every account balances whatever was drawn.

    Parameters
    ----------
    regions, sectors : int
    seed : int
    home : float
        Share of spending that stays at home, on average.
    density : float
        Share of input-output cells that are not zero.
    """
    draw = np.random.default_rng(seed)
    size = draw.lognormal(0.0, 1.0, regions)
    trade = draw.lognormal(0.0, 1.0, (regions, regions, sectors)) * np.sqrt(np.outer(size, size))[:, :, None]
    here = np.arange(regions)
    trade[here, here] = 0.0
    abroad = 0.5 * (trade.sum(axis=0) + trade.sum(axis=1))
    trade[here, here] = abroad * home / (1.0 - home) * draw.uniform(0.7, 1.3, (regions, sectors))
    sales, spent = trade.sum(axis=1), trade.sum(axis=0)
    mix = draw.uniform(0.2, 1.0, (regions, sectors, sectors)) * (draw.random((regions, sectors, sectors)) < density)
    level = 0.8 / np.maximum(sales.sum(axis=1), spent.sum(axis=1))
    materials = mix * level[:, None, None] * sales[:, :, None] * spent[:, None, :]
    return Table(
        trade_jis=trade, materials_iks=materials, final_is=spent - materials.sum(axis=1),
        sigma_s=draw.uniform(3.0, 8.0, sectors), epsilon_s=draw.uniform(0.7, 1.3, sectors),
        ree_share_is=np.broadcast_to(10.0 ** draw.uniform(-4.0, -3.0, sectors), (regions, sectors)).copy(),
    )  # fmt: skip


def wiod(year: int = 2009) -> Table:
    """World Input-Output Table of a year, 41 x 35, negatives zero, sigma 6 and the deck's epsilon and gamma left out.

    Where value added is not positive (one or two tiny cells), materials are cut to 95 % of sales and the rest of them
    counts as final demand.
    """
    from reesim.data import wiod as reader

    raw = reader.read(shared() / "wiod2013", year)
    flows, final = np.maximum(raw.intermediate_jsik, 0.0), np.maximum(raw.final_jsic, 0.0).sum(axis=3)
    trade = (flows.sum(axis=3) + final).transpose(0, 2, 1)
    materials, used = flows.sum(axis=0).transpose(1, 2, 0), final.sum(axis=0).T
    sales = trade.sum(axis=1)
    kept = np.ones_like(sales)
    short = (sales > 0.0) & (materials.sum(axis=2) >= sales)
    kept[short] = (1.0 - SMALLEST_VALUE_ADDED) * sales[short] / materials.sum(axis=2)[short]
    used = used + ((1.0 - kept)[:, :, None] * materials).sum(axis=1)
    n, s = sales.shape
    return Table(
        trade_jis=np.ascontiguousarray(trade), materials_iks=np.ascontiguousarray(materials * kept[:, :, None]),
        final_is=used, sigma_s=np.full(s, 6.0), epsilon_s=np.linspace(0.77, 1.3, s),
        ree_share_is=np.full((n, s), 5e-4), rho=1.36, supplier=raw.regions.index("CHN"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Nafta:
    """Caliendo and Parro (2015), 31 x 40: the data and the two tariff schedules.

    Parameters
    ----------
    regions : tuple of str
    data : World
        Shares of the data at the tariffs of 1993, deficits of the data.
    tariff_jis : (N, N, S) ndarray
        1 + tariffs with those of 2005 inside NAFTA.
    """

    regions: tuple[str, ...]
    data: World
    tariff_jis: Array


def nafta() -> Nafta:
    """Read the exercise as published.

    The recipe, which the published digits need:

    1. trade shares are flows times 1 + tariff of 1993 over their sum; cost shares are value added and materials over
       sales (one input coefficient is slightly negative and stays);
    2. final demand is spending less materials. It is negative in one cell of eight. Those are set to zero and the rest
       is *not* rebalanced: only its shares alpha are used, so the data are not an equilibrium of the model;
    3. therefore the baseline is solved for, at the tariffs of 1993, from the shares, with labour endowments (value
       added of a region) and elasticities sigma = 1 + theta given; deficits are zero ("removed") or keep their values
       while world labour income does ("kept");
    4. the counterfactual starts from that baseline.
    """
    with np.load(shared() / "cp2015" / "nafta.npz") as data:
        tariff0, tariff = (1.0 + data[name].transpose(1, 0, 2) for name in ("tau_bln_nij", "tau_cfl_nij"))
        world = World(
            share_jis=data["pi_nij"].transpose(1, 0, 2), tariff0_jis=tariff0, tariff_jis=tariff0,
            phi_iks=data["gamma_nkj"].transpose(0, 2, 1), phi_va_is=data["gamma_nj"], alpha_is=data["alpha_nj"],
            labour_i=data["wL_n"], deficit_i=data["deficit_n"], sigma_s=1.0 + data["theta_j"],
            expenditure_is=data["X_nj"],
        )  # fmt: skip
        return Nafta(tuple(str(name) for name in data["regions"]), world, tariff)


def shared() -> Path:
    """Folder of the public tables.

    Raises
    ------
    NoDataError
        If REESIM_SHARED_DATA does not name a folder.
    """
    folder = Path(os.environ.get(FOLDER, ""))
    if not os.environ.get(FOLDER) or not folder.is_dir():
        raise NoDataError(f"set {FOLDER} to the folder that holds wiod2013 and cp2015")
    return folder
