"""Direct and total requirements from Make and Use tables, as the statistical office derives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from reesim.empirics.iotable.bea import SupplyUse
from reesim.errors import DataError

Array = npt.NDArray[np.float64]
Origin = Literal["total", "domestic"]
Scrap = Literal["adjusted", "commodity"]
By = Literal["industry", "commodity"]

SCRAP = "S00401"
"""Commodity of scrap. Used goods and noncomparable imports, which no industry makes, call for no output anyway."""


@dataclass(frozen=True, slots=True, eq=False)
class Leontief:
    """Coefficients of an economy that makes commodities in industries (industry technology).

    Parameters
    ----------
    table : SupplyUse
        What they come from.
    direct_ci : (C, I) ndarray
        Purchases of a commodity per dollar of output of an industry, B.
    shares_ic : (I, C) ndarray
        Dollars of an industry's output that a dollar of a commodity calls for, W: its market share, raised by the scrap that
        comes along.
    """

    table: SupplyUse
    direct_ci: Array
    shares_ic: Array

    def industry_by_industry(self) -> Array:
        """Output of the row's industry per dollar of final demand for the column's, (I, I): (I - W B)^-1."""
        return _inverse(self.shares_ic @ self.direct_ci)

    def commodity_by_commodity(self) -> Array:
        """Output of the row's commodity per dollar of final demand for the column's, (C, C): (I - B W)^-1."""
        return _inverse(self.direct_ci @ self.shares_ic)

    def industry_by_commodity(self) -> Array:
        """Output of the row's industry per dollar of final demand for the column's commodity, (I, C): W (I - B W)^-1."""
        return self.shares_ic @ self.commodity_by_commodity()

    def of_inputs(self, purchases_ei: Array, by: By = "industry") -> Array:
        """Return total requirements of inputs that industries buy, per dollar of final demand.

        Parameters
        ----------
        purchases_ei : (E, I) ndarray
            Purchases of each input by each industry, USD.
        by : {"industry", "commodity"}
            Whether final demand is for an industry's output or for a commodity.

        Returns
        -------
        (E, I) or (E, C) ndarray
            USD of the input per USD, direct and indirect: R (I - W B)^-1, or that times W; R is purchases over output.
        """
        output_i = self.table.industry_output_i
        rates_ei = np.divide(purchases_ei, output_i, out=np.zeros_like(purchases_ei), where=output_i > 0.0)
        system = np.eye(len(output_i)) - self.shares_ic @ self.direct_ci
        # One factorisation and as many right-hand sides as there are inputs: the inverse is not needed.
        by_industry = np.linalg.solve(system.T, rates_ei.T).T.astype(np.float64, copy=False)
        return by_industry if by == "industry" else by_industry @ self.shares_ic


def leontief(table: SupplyUse, origin: Origin = "total", scrap: Scrap = "adjusted") -> Leontief:
    """Derive coefficients from a table.

    Parameters
    ----------
    table : SupplyUse
    origin : {"total", "domestic"}
        Whether what is bought abroad counts as if it were made at home by the same technology, or ends the chain.
    scrap : {"adjusted", "commodity"}
        Scrap is sold and asks for no production: "adjusted" leaves it out of purchases and raises the output that a dollar of
        the other products calls for, W = (I - p)^-1 D with p the share of scrap in output, as published requirements do;
        "commodity" treats it as any product.

    Raises
    ------
    DataError
        If domestic requirements are asked for and the table does not tell imports by industry.
    """
    use_ci = table.use_ci
    if origin == "domestic":
        if table.imports_ci is None:
            raise DataError(
                "domestic requirements need imports by using industry, which are published before redefinitions only: "
                "take redefinitions before, or origin total"
            )
        use_ci = use_ci - table.imports_ci
    output_i, output_c = table.industry_output_i, table.commodity_output_c
    direct_ci = np.divide(use_ci, output_i, out=np.zeros_like(use_ci), where=output_i > 0.0)
    shares_ic = np.divide(table.make_ic, output_c, out=np.zeros_like(table.make_ic), where=output_c > 0.0)
    if scrap == "adjusted" and SCRAP in table.commodities:
        place = table.commodity(SCRAP)
        share_i = np.divide(table.make_ic[:, place], output_i, out=np.zeros_like(output_i), where=output_i > 0.0)
        shares_ic /= (1.0 - share_i)[:, None]
        shares_ic[:, place] = 0.0
        direct_ci[place] = 0.0
    return Leontief(table, direct_ci, shares_ic)


def _inverse(coefficients: Array) -> Array:
    size = len(coefficients)
    return np.linalg.solve(np.eye(size) - coefficients, np.eye(size)).astype(np.float64, copy=False)
