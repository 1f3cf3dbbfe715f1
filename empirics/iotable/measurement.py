"""One measurement: from benchmark tables and chosen inputs to requirements and sensitivity by industry, SIC and sector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from reesim.empirics.iotable.bea import SupplyUse
from reesim.empirics.iotable.choices import Choices
from reesim.empirics.iotable.concordance import SicMap, to_sectors, to_sic
from reesim.empirics.iotable.extension import ExtendedTable, extend
from reesim.empirics.iotable.material import Selection
from reesim.empirics.iotable.requirements import By, leontief
from reesim.empirics.iotable.sensitivity import sensitivity

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """Requirements of a material, USD of each element per USD of final demand.

    Parameters
    ----------
    extended : ExtendedTable
    choices : Choices
    total_eau : (E, A, U) ndarray
        Total requirements by element, application and unit: industry, or commodity, of the extended table.
    direct_eai : (E, A, I) ndarray
        What industries of the extended table buy themselves, per dollar of output.
    links : SicMap
        From SIC industries to those of the original table.
    """

    extended: ExtendedTable
    choices: Choices
    total_eau: Array
    direct_eai: Array
    links: SicMap

    @property
    def units(self) -> tuple[str, ...]:
        """Industries of the original table, or commodities where final demand is for them."""
        table = self.extended.original
        return table.industries if self.choices.by == "industry" else table.commodities

    @property
    def output(self) -> pd.Series[float]:
        """Output by unit, USD."""
        return _output(self.extended.original, self.choices.by)

    @property
    def industry_output(self) -> pd.Series[float]:
        """Output by industry of the original table, USD, whatever final demand is for: what weighs industries in SIC."""
        return _output(self.extended.original, "industry")

    @property
    def scores(self) -> pd.Series[float]:
        """Complementarity by element, 0 to 100."""
        selection = self.extended.selection
        return pd.Series(selection.score_e, index=list(selection.elements), name="complementarity")

    def industries(self) -> pd.DataFrame:
        """Total requirements, units by elements; products are averaged back into the industry they come out of."""
        return self._frame(self.extended.per_parent(self.total_eau.sum(axis=1), self.choices.by), self.units)

    def direct(self) -> pd.DataFrame:
        """Direct requirements, industries by elements."""
        return self._frame(self.extended.per_parent(self.direct_eai.sum(axis=1)), self.extended.original.industries)

    def products(self) -> pd.DataFrame:
        """Total requirements of the products that were split off, by elements."""
        table = self.extended.table
        units = table.industries if self.choices.by == "industry" else table.commodities
        codes = [product.code for product in self.extended.selection.inputs.products]
        return self._frame(self.total_eau.sum(axis=1), units).loc[codes]

    def applications(self) -> pd.DataFrame:
        """Total requirements of all elements, units by application."""
        names = list(self.extended.selection.applications)
        values = self.extended.per_parent(self.total_eau.sum(axis=0), self.choices.by)
        return pd.DataFrame(values.T, index=list(self.units), columns=names)

    def sic_weights(self) -> pd.DataFrame:
        """Weights of industries of the extended table in SIC industries; rows sum to one.

        They are industries' where final demand is for commodities too: links are between industries, and one of them has no
        commodity of its code.
        """
        table = self.extended.table
        links = self.links
        industry_output = _output(table, "industry")
        for product in self.extended.selection.inputs.products:
            if product.sic:
                links = links.with_product(
                    product.code, product.industry, product.sic,
                    industry_output[product.code], industry_output[product.industry],
                )  # fmt: skip
        output = industry_output if self.choices.sic_weights == "output" else None
        return links.weights(self.choices.sic_weights, output)

    def sic(self, weights: pd.DataFrame | None = None) -> pd.DataFrame:
        """Total requirements, SIC industries by elements; `weights` are those of `sic_weights`, where they are known."""
        return to_sic(self._all(), self.sic_weights() if weights is None else weights)

    def sensitivity(self, weights: pd.DataFrame | None = None) -> pd.Series[float]:
        """Sensitivity by SIC industry, (25)."""
        return sensitivity(self.sic(weights), self.scores)

    def sectors(self) -> pd.DataFrame:
        """By sector of the model: total, direct, sensitivity, and total by element; averages weighted by output."""
        total = to_sectors(self.industries(), self.output)
        direct = to_sectors(self.direct(), self.industry_output)
        frame = total.copy()
        frame.insert(0, "sensitivity", sensitivity(total, self.scores))
        frame.insert(0, "direct", direct.sum(axis=1))
        frame.insert(0, "total", total.sum(axis=1))
        return frame

    def _all(self) -> pd.DataFrame:
        """Requirements by unit, with products that have an SIC industry of their own apart from where they come out of."""
        table = self.extended.table
        units = table.industries if self.choices.by == "industry" else table.commodities
        parts, whole = self._frame(self.total_eau.sum(axis=1), units), self.industries()
        for product in self.extended.selection.inputs.products:
            if product.sic:
                whole.loc[[product.industry]] = parts.loc[[product.industry]]
                whole.loc[product.code] = parts.loc[product.code]
        return whole

    def _frame(self, values_eu: Array, units: tuple[str, ...]) -> pd.DataFrame:
        return pd.DataFrame(values_eu.T, index=list(units), columns=list(self.extended.selection.elements))


def _output(table: SupplyUse, by: By) -> pd.Series[float]:
    """Output, USD, by industry or commodity."""
    if by == "industry":
        return pd.Series(table.industry_output_i, index=list(table.industries), name="output")
    return pd.Series(table.commodity_output_c, index=list(table.commodities), name="output")


def measure(table: SupplyUse, selection: Selection, choices: Choices, links: SicMap) -> Measurement:
    """Extend a table and measure what its industries need.

    Raises
    ------
    DataError
        If the table cannot be extended with these inputs, or does not hold what the choices ask for.
    """
    extended = extend(table, selection)
    system = leontief(extended.table, choices.origin, choices.scrap)
    output = extended.table.industry_output_i
    bought = extended.purchases_eai
    direct = np.divide(bought, output, out=np.zeros_like(bought), where=output > 0.0)
    return Measurement(extended, choices, extended.requirements(system, choices.by), direct, links)
